package containers

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/binary"
	"hash/crc32"
	"slices"
	"strings"
	"testing"

	"semblance"
)

// There is no free program that writes RAR archives; these write what the tests need, files
// that are stored, as RAR's technote describes it.

// rar5Block writes a block: checksum, size, header, data.
func rar5Block(head, data []byte) []byte {
	sized := append(binary.AppendUvarint(nil, uint64(len(head))), head...)
	return slices.Concat(le.AppendUint32(nil, crc32.ChecksumIEEE(sized)), sized, data)
}

func rar5Numbers(all ...uint64) (b []byte) {
	for _, n := range all {
		b = binary.AppendUvarint(b, n)
	}
	return b
}

// rar5 is a RAR 5 archive of stored files. With a password they are encrypted.
func rar5(t testing.TB, files map[string]string, password string) []byte {
	t.Helper()
	out := append([]byte("Rar!\x1a\x07\x01\x00"), rar5Block(rar5Numbers(1, 0, 0), nil)...)
	for i, name := range sortedKeys(files) {
		content := []byte(files[name])
		sum := crc32.ChecksumIEEE(content)
		var extra []byte
		size := len(content)
		if password != "" {
			const rounds = 4 // a power of two
			salt, iv := []byte(noise(uint64(i), 16)), []byte(noise(uint64(i)+100, 16))
			key, err := pbkdf2.Key(sha256.New, password, salt, 1<<rounds, 32)
			if err != nil {
				t.Fatal(err)
			}
			check, err := pbkdf2.Key(sha256.New, password, salt, 1<<rounds+32, 32)
			if err != nil {
				t.Fatal(err)
			}
			for k := 8; k < 32; k++ {
				check[k%8] ^= check[k]
			}
			check = check[:8]
			digest := sha256.Sum256(check)
			record := slices.Concat(rar5Numbers(1, 0, 1), []byte{rounds}, salt, iv, check, digest[:4])
			extra = append(rar5Numbers(uint64(len(record))), record...)
			block, err := aes.NewCipher(key)
			if err != nil {
				t.Fatal(err)
			}
			content = append(content, make([]byte, -len(content)&15)...)
			cipher.NewCBCEncrypter(block, iv).CryptBlocks(content, content)
		}
		const hasExtra, hasData, hasTime, hasCRC = 1, 2, 2, 4
		flags := uint64(hasData)
		if extra != nil {
			flags |= hasExtra
		}
		head := rar5Numbers(2, flags)
		if extra != nil {
			head = append(head, rar5Numbers(uint64(len(extra)))...)
		}
		head = append(head, rar5Numbers(uint64(len(content)), hasTime|hasCRC, uint64(size), 0)...)
		head = le.AppendUint32(le.AppendUint32(head, 1556964671), sum)
		head = append(append(head, rar5Numbers(0, 1, uint64(len(name)))...), name...)
		out = append(out, rar5Block(append(head, extra...), content)...)
	}
	return append(out, rar5Block(rar5Numbers(5, 0, 0), nil)...)
}

// rar4 is a RAR 4 archive of stored files.
func rar4(files map[string]string) []byte {
	block := func(kind byte, flags uint16, rest, data []byte) []byte {
		b := []byte{kind}
		b = le.AppendUint16(le.AppendUint16(b, flags), uint16(7+len(rest)))
		b = append(b, rest...)
		return slices.Concat(le.AppendUint16(nil, uint16(crc32.ChecksumIEEE(b))), b, data)
	}
	out := append([]byte("Rar!\x1a\x07\x00"), block(0x73, 0, make([]byte, 6), nil)...)
	for _, name := range sortedKeys(files) {
		content := files[name]
		var h []byte
		h = le.AppendUint32(le.AppendUint32(h, uint32(len(content))), uint32(len(content)))
		h = le.AppendUint32(append(h, 3), crc32.ChecksumIEEE([]byte(content)))
		h = le.AppendUint32(h, 39<<25|5<<21|4<<16|10<<11|11<<5|6) // 2019-05-04 10:11:12
		h = append(h, 20, 0x30)
		h = le.AppendUint32(le.AppendUint16(h, uint16(len(name))), 0o100644)
		out = append(out, block(0x74, 0x8000, append(h, name...), []byte(content))...)
	}
	return append(out, block(0x7b, 0, nil, nil)...)
}

func TestRAR(t *testing.T) {
	t.Parallel()
	for name, b := range map[string][]byte{"5": rar5(t, tree, ""), "4": rar4(tree), "a program": append([]byte("MZ"+noise(1, 5000)), rar4(tree)...)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all, facts, err := list(t, "a.rar", b, Options{})
			holds(t, all, err)
			if facts.Format != "rar" || string(all[0].Name) != "DCIM/100APPLE/IMG_0001.JPG" {
				t.Errorf("%+v, %s first", facts, all[0].Name)
			}
			want := semblance.FileTime{What: "modified", Time: "2019-05-04T10:11:11Z", Source: "RAR header"}
			if name != "5" {
				want = semblance.FileTime{What: "modified", Time: "2019-05-04T10:11:12", Source: "RAR header, in DOS time"}
			}
			if !slices.Equal(all[0].Times, []semblance.FileTime{want}) {
				t.Errorf("times %+v", all[0].Times)
			}
		})
	}
	files := map[string]string{"a.jpg": "one picture", "b.jpg": strings.Repeat("two ", 20)}
	everyBeginning(t, "a.rar", rar5(t, files, ""), Options{}, files)
	everyBeginning(t, "a.rar", rar4(files), Options{}, files)
	damaged := rar5(t, map[string]string{"a.jpg": "0123456789"}, "")
	damaged[bytes.Index(damaged, []byte("0123"))] = 'x'
	all, _, err := list(t, "a.rar", damaged, Options{})
	if err != nil || all[0].content != "x123456789" || code(t, all[0].err) != semblance.MediaDamaged {
		t.Errorf("damaged: %+v %v", all, err)
	}
}

func TestRAREncrypted(t *testing.T) {
	t.Parallel()
	all, facts, err := list(t, "a.rar", rar5(t, tree, "geheim"), geheim)
	holds(t, all, err)
	if facts.Password != 2 {
		t.Errorf("password %d", facts.Password)
	}
	all, _, err = list(t, "a.rar", rar5(t, tree, "other"), geheim)
	for _, h := range all {
		if h.Size > 0 && (h.Code != semblance.MediaEncrypted || h.Reason != "encrypted, and none of the 3 passwords opens it") {
			t.Errorf("%s: %s %q", h.Name, h.Code, h.Reason)
		}
	}
	if err != nil || len(all) != len(tree) {
		t.Errorf("%d, %v", len(all), err)
	}
}
