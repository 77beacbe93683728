package containers

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/zlib"
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha1"
	"fmt"
	"slices"
	"strings"
	"testing"

	"semblance"
)

// report is a report.xml as Cellebrite's Physical Analyzer writes it.
const report = `<?xml version="1.0" encoding="utf-8"?>
<project id="1" name="Phone" reportVersion="5.2.0.0" xmlns="http://pa.cellebrite.com/report/2.0">
  <!-- <file path="/no"> -->
  <taggedFiles>
    <file fs="Phone" fsid="1" path="/data/media/0/DCIM/Camera/IMG_1.jpg" size="3" id="a" extractionId="0" deleted="Intact" embedded="false" isrelated="False">
      <accessInfo>
        <timestamp name="CreationTime">2019-05-04T10:11:12.000+02:00</timestamp>
        <timestamp name="ModifyTime">2019-05-05T10:11:12.500+00:00</timestamp>
        <timestamp name="AccessTime"></timestamp>
      </accessInfo>
      <metadata section="File">
        <item name="Local Path" systemtype="System.String"><![CDATA[files\Image\IMG_1.jpg]]></item>
        <item name="MD5">900150983cd24fb0d6963f7d28e17f72</item>
      </metadata>
      <metadata section="MetaData"><item name="a > b">x</item></metadata>
    </file>
    <file fs="Phone" path="/data/data/com.whatsapp/a &amp; b/&quot;x&quot;.jpg" deleted="Deleted"><metadata section="File"><item name="Local Path">files\Image\x_1.jpg</item></metadata></file>
    <file fs="Phone" path="/gone.jpg" deleted="Intact"><metadata section="File"><item name="Local Path">files\Image\gone.jpg</item></metadata></file>
    <file fs="Phone" path="/twice.jpg" deleted="Intact"><metadata section="File"><item name="Local Path">files\Image\IMG_1.jpg</item></metadata></file>
    <file fs="Phone" path="/nothing" deleted="Intact"/>
  </taggedFiles>
  <decodedData><file path="/behind"><metadata><item name="Local Path">files\Image\behind.jpg</item></metadata></file></decodedData>
</project>`

func TestUFDR(t *testing.T) {
	t.Parallel()
	files := map[string]string{"report.xml": report, "files/Image/IMG_1.jpg": "abc", "files/Image/x_1.jpg": "def", "files/Image/behind.jpg": "ghi"}
	all, facts, err := list(t, "phone.ufdr", zipped(t, nil, files), Options{})
	if err != nil {
		t.Fatal(err)
	}
	found := byName(t, all)
	first := found["files/Image/IMG_1.jpg"]
	if first.Origin != "/data/media/0/DCIM/Camera/IMG_1.jpg" || first.Deleted || first.content != "abc" {
		t.Errorf("%+v", first)
	}
	if string(all[0].Name) != "files/Image/IMG_1.jpg" {
		t.Errorf("%s comes first, before what the phone's camera made", all[0].Name)
	}
	want := []semblance.FileTime{
		{What: "modified", Time: "2019-05-05T10:11:12.5Z", Source: "Cellebrite report.xml"},
		{What: "created", Time: "2019-05-04T10:11:12+02:00", Source: "Cellebrite report.xml"},
	}
	if !slices.Equal(first.Times, want) {
		t.Errorf("times %+v", first.Times)
	}
	if h := found["files/Image/x_1.jpg"]; h.Origin != `/data/data/com.whatsapp/a & b/"x".jpg` || !h.Deleted {
		t.Errorf("%+v", h)
	}
	if found["files/Image/behind.jpg"].Origin != "" || found["report.xml"].content != report {
		t.Error("what stands behind the list counts, or the report is not an entry")
	}
	notes := []string{"report.xml states the device path of 2 files", "files that report.xml names and the archive does not hold: 1", "files for which report.xml has more than one device path, of which the first is shown, or that were too many: 1"}
	if facts.Format != "ufdr" || !slices.Equal(facts.Notes, notes) {
		t.Errorf("%+v", facts)
	}
	// Cut short, it counts as far as it goes.
	files["report.xml"] = report[:strings.Index(report, "/data/data")]
	all, facts, err = list(t, "phone.ufdr", zipped(t, nil, files), Options{})
	if err != nil || byName(t, all)["files/Image/IMG_1.jpg"].Origin == "" || !strings.Contains(strings.Join(facts.Notes, "\n"), "damaged or cut short") {
		t.Errorf("%v %q", err, facts.Notes)
	}
}

func FuzzUFDR(f *testing.F) {
	f.Add(report)
	f.Add(`<file path='a"b'><item name="Local Path">x</item></file>`)
	f.Fuzz(func(t *testing.T, s string) {
		_ = readUFDR(bufio.NewReader(strings.NewReader(s)), func(local string, o origin) {
			if local == "" || o.path == "" {
				t.Error("a file without a name")
			}
		})
	})
}

func TestIOSBackup(t *testing.T) {
	t.Parallel()
	id := strings.Repeat("ab", 20)
	db, _ := made(t, func(exec func(string, ...any)) {
		exec(`CREATE TABLE Files (fileID TEXT PRIMARY KEY, domain TEXT, relativePath TEXT, flags INTEGER, file BLOB)`)
		exec(`INSERT INTO Files VALUES (?1, 'CameraRollDomain', 'Media/DCIM/100APPLE/IMG_0001.HEIC', 1, NULL)`, id)
	})
	for _, prefix := range []string{"", "00008030-000A/"} {
		files := map[string]string{prefix + "Manifest.db": string(db), prefix + "ab/" + id: "abc", prefix + "Info.plist": "x"}
		all, facts, err := list(t, "backup.zip", zipped(t, nil, files), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if h := all[0]; h.Origin != "CameraRollDomain/Media/DCIM/100APPLE/IMG_0001.HEIC" || h.content != "abc" {
			t.Errorf("%s comes first, of %q", h.Name, h.Origin)
		}
		if facts.Format != "ios-backup" || !slices.Equal(facts.Notes, []string{"Manifest.db states domain and path of 1 of 1 files"}) {
			t.Errorf("%+v", facts)
		}
	}
	files := map[string]string{"Manifest.db": noise(1, 5000), "ab/" + id: "abc"}
	all, facts, err := list(t, "backup.zip", zipped(t, nil, files), Options{})
	if h := byName(t, all)["ab/"+id]; err != nil || h.Code != semblance.MediaEncrypted || len(facts.Notes) != 1 {
		t.Errorf("encrypted: %+v %v %q", h.Entry, err, facts.Notes)
	}
}

func TestDevicePath(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"private/var/mobile/Media/DCIM/100APPLE/IMG_0001.HEIC": "/private/var/mobile/Media/DCIM/100APPLE/IMG_0001.HEIC",
		"filesystem1/private/var/mobile/a.jpg":                 "/private/var/mobile/a.jpg",
		"Dump/data/data/com.whatsapp/files/a.jpg":              "/data/data/com.whatsapp/files/a.jpg",
		"/data/media/0/DCIM/a.jpg":                             "/data/media/0/DCIM/a.jpg",
		"photos/data/data/a.jpg":                               "",
		"a.jpg":                                                "",
	} {
		if got := devicePath([]byte(name)); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// androidBackup packs a tar archive as adb backup does; with a password, encrypted.
func androidBackup(t testing.TB, plain []byte, version int, password string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if password == "" {
		return append(fmt.Appendf(nil, "ANDROID BACKUP\n%d\n1\nnone\n", version), b.Bytes()...)
	}
	seal := func(key, iv, plain []byte) []byte {
		block, err := aes.NewCipher(key)
		if err != nil {
			t.Fatal(err)
		}
		pad := 16 - len(plain)%16
		out := append(slices.Clone(plain), bytes.Repeat([]byte{byte(pad)}, pad)...)
		cipher.NewCBCEncrypter(block, iv).CryptBlocks(out, out)
		return out
	}
	derive := func(password string, salt []byte) []byte {
		key, err := pbkdf2.Key(sha1.New, password, salt, 1000, 32)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	salt, checkSalt, master := []byte(noise(1, 64)), []byte(noise(2, 64)), []byte(noise(3, 32))
	userIV, masterIV := []byte(noise(4, 16)), []byte(noise(5, 16))
	text := string(master)
	if version > 1 {
		// Java: each byte widened with its sign to a character, then UTF-8.
		var r []rune
		for _, c := range master {
			if n := rune(int8(c)); n < 0 {
				r = append(r, 0x10000+n)
			} else {
				r = append(r, n)
			}
		}
		text = string(r)
	}
	blob := slices.Concat([]byte{16}, masterIV, []byte{32}, master, []byte{32}, derive(text, checkSalt))
	return append(fmt.Appendf(nil, "ANDROID BACKUP\n%d\n1\nAES-256\n%X\n%X\n1000\n%X\n%X\n", version, salt, checkSalt, userIV, seal(derive(password, salt), userIV, blob)),
		seal(master, masterIV, b.Bytes())...)
}

func TestAndroidBackup(t *testing.T) {
	t.Parallel()
	files := map[string]string{"shared/0/DCIM/Camera/IMG_1.jpg": noise(1, 3000), "apps/com.whatsapp/f/a.jpg": "x", "apps/com.whatsapp/_manifest": "m"}
	plain := tarred(t, tar.FormatUSTAR, files)
	passwords := Options{ContainerOptions: semblance.ContainerOptions{Passwords: []string{"no", "0000"}}}
	for version := 1; version <= 5; version++ {
		for _, password := range []string{"", "0000"} {
			b := androidBackup(t, plain, version, password)
			all, facts, err := list(t, "backup.ab", b, passwords)
			if err != nil {
				t.Fatal(err)
			}
			found := byName(t, all)
			for name, content := range files {
				if found[name].content != content || found[name].err != nil {
					t.Errorf("%s: %v", name, found[name].err)
				}
			}
			if found["shared/0/DCIM/Camera/IMG_1.jpg"].Origin != "/sdcard/DCIM/Camera/IMG_1.jpg" || found["apps/com.whatsapp/f/a.jpg"].Origin != "/data/data/com.whatsapp/files/a.jpg" {
				t.Errorf("origins %+v", found)
			}
			if want := map[bool]int{true: 2}[password != ""]; facts.Password != want || facts.Format != "android-backup" {
				t.Errorf("facts %+v", facts)
			}
		}
	}
	b := androidBackup(t, plain, 5, "0000")
	_, _, err := list(t, "backup.ab", b, Options{})
	if code(t, err) != semblance.MediaEncrypted || !strings.Contains(err.Error(), "no password was given") {
		t.Errorf("%v", err)
	}
	everyBeginning(t, "backup.ab", androidBackup(t, plain[:1024], 5, ""), Options{}, files)
	everyBeginning(t, "backup.ab", b[len(b)/2:], passwords, files)
}
