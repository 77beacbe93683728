package containers

import (
	"bufio"
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/hex"
	"io"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zlib"

	"semblance"
)

const (
	backupMagic = "ANDROID BACKUP\n"
	maxRounds   = 1 << 20 // of key derivation; Android asks for 10,000
)

func isAndroidBackup(head []byte, _ Part) bool {
	return len(head) > len(backupMagic) && string(head[:len(backupMagic)]) == backupMagic
}

// openAndroidBackup reads what "adb backup" writes: a few lines of text and a tar archive,
// compressed and encrypted or not.
func openAndroidBackup(parts []Part, o Options) (Reader, error) {
	r, size := whole(parts)
	in := bufio.NewReaderSize(&progressReader{r: io.NewSectionReader(r, 0, size), o: &o, total: size}, 1<<16)
	var lines [4]string
	for i := range lines {
		if lines[i] = backupLine(in); lines[i] == "" {
			return nil, damaged("the header of the Android backup is damaged")
		}
	}
	version, _ := strconv.Atoi(lines[1])
	facts := semblance.ContainerFacts{Format: "android-backup"}
	var body io.Reader = in
	switch lines[3] {
	case "none":
	case "AES-256":
		var err error
		if body, facts.Password, err = unlockBackup(in, version, &o); err != nil {
			return nil, err
		}
	default:
		return nil, semblance.Errorf(semblance.MediaUnsupported, "the Android backup is encrypted in a way that is not known: %s", strconv.Quote(lines[3]))
	}
	if lines[2] == "1" {
		z, err := zlib.NewReader(noEOF{body})
		if err != nil {
			return nil, damaged("the compressed data of the Android backup are damaged").WithCause(err)
		}
		body = z
	}
	t := newTar(bufio.NewReaderSize(damageReader{body, facts.Format}, 1<<16), facts, &stream{})
	t.origin = backupOrigin
	return t, nil
}

// backupLine reads a line of the header; empty when it is none.
func backupLine(in *bufio.Reader) string {
	line, err := in.ReadSlice('\n')
	if err != nil || len(line) > 1024 {
		return ""
	}
	return strings.TrimSpace(string(line))
}

// backupHex reads a line of hexadecimal digits.
func backupHex(in *bufio.Reader) []byte {
	b, err := hex.DecodeString(backupLine(in))
	if err != nil {
		return nil
	}
	return b
}

// unlockBackup finds the password and returns the decrypted rest, and which it was.
func unlockBackup(in *bufio.Reader, version int, o *Options) (io.Reader, int, error) {
	salt, checkSalt := backupHex(in), backupHex(in)
	rounds, err := strconv.Atoi(backupLine(in))
	iv, blob := backupHex(in), backupHex(in)
	if err != nil || rounds < 1 || len(salt) == 0 || len(iv) != aes.BlockSize || len(blob) == 0 || len(blob)%aes.BlockSize != 0 {
		return nil, 0, damaged("the encryption header of the Android backup is damaged")
	}
	if rounds > maxRounds {
		return nil, 0, semblance.Errorf(semblance.MediaTooLarge, "the Android backup asks for %d rounds of key derivation; at most %d are made", rounds, maxRounds)
	}
	for i, password := range o.Passwords {
		o.progress(int64(i), int64(len(o.Passwords)))
		key, iv, ok := backupKey(password, salt, checkSalt, iv, blob, rounds, version)
		if ok {
			b, err := aes.NewCipher(key)
			if err != nil {
				return nil, 0, damaged("the key of the Android backup is damaged").WithCause(err)
			}
			return &cbcReader{mode: cipher.NewCBCDecrypter(b, iv), r: in, padded: true}, i + 1, nil
		}
	}
	return nil, 0, encrypted("the Android backup", len(o.Passwords))
}

// backupKey decrypts the backup's own key with a password and checks it.
func backupKey(password string, salt, checkSalt, iv, blob []byte, rounds, version int) (key, masterIV []byte, ok bool) {
	user, err := pbkdf2.Key(sha1.New, password, salt, rounds, 32)
	if err != nil {
		return nil, nil, false
	}
	block, err := aes.NewCipher(user)
	if err != nil {
		return nil, nil, false
	}
	plain := make([]byte, len(blob))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, blob)
	var field [3][]byte // IV, key, checksum: each with its length before it
	for i := range field {
		if len(plain) == 0 || len(plain) < 1+int(plain[0]) {
			return nil, nil, false
		}
		field[i], plain = plain[1:1+int(plain[0])], plain[1+int(plain[0]):]
	}
	if len(field[0]) != aes.BlockSize || len(field[1]) != 32 {
		return nil, nil, false
	}
	check, err := pbkdf2.Key(sha1.New, masterText(field[1], version), checkSalt, rounds, 32)
	return field[1], field[0], err == nil && subtle.ConstantTimeCompare(check, field[2]) == 1
}

// masterText is the key as Android takes it for a password: characters, from version 2 on
// in UTF-8, and negative bytes as Java widens them.
func masterText(key []byte, version int) string {
	if version < 2 {
		return string(key)
	}
	var s strings.Builder
	for _, b := range key {
		s.WriteRune(rune(uint16(int16(int8(b)))))
	}
	return s.String()
}

// A cbcReader decrypts blocks that are chained.
type cbcReader struct {
	mode   cipher.BlockMode
	r      io.Reader
	padded bool // the last block ends with PKCS #7 padding
	buf    [32 << 10]byte
	ready  []byte // decrypted, not yet given
	held   []byte // the last block, which may be padding
	err    error
}

// Read decrypts.
func (c *cbcReader) Read(p []byte) (int, error) {
	for len(c.ready) == 0 {
		if c.err != nil {
			return 0, c.err
		}
		c.fill()
	}
	n := copy(p, c.ready)
	c.ready = c.ready[n:]
	return n, nil
}

func (c *cbcReader) fill() {
	k := copy(c.buf[:], c.held)
	n, err := io.ReadFull(c.r, c.buf[k:])
	whole := n &^ (aes.BlockSize - 1)
	c.mode.CryptBlocks(c.buf[k:k+whole], c.buf[k:k+whole])
	b := c.buf[:k+whole]
	switch {
	case err == nil && c.padded:
		c.held = append(c.held[:0], b[len(b)-aes.BlockSize:]...)
		c.ready = b[:len(b)-aes.BlockSize]
	case err == nil:
		c.ready = b
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		c.held, c.err = nil, io.EOF
		if n != whole {
			c.err = io.ErrUnexpectedEOF
		} else if pad := len(b); c.padded && pad > 0 && b[pad-1] >= 1 && b[pad-1] <= aes.BlockSize {
			b = b[:pad-int(b[pad-1])]
		}
		c.ready = b
	default:
		c.err = err
	}
}

// backupFolders are where Android's backup agent takes the folders of an application
// from (FullBackup.java).
var backupFolders = map[string]string{
	"f": "files/", "db": "databases/", "sp": "shared_prefs/", "c": "cache/", "r": "", "nb": "no_backup/",
}

// backupOrigin is the device path of a name in an Android backup.
func backupOrigin(name []byte) string {
	part := strings.SplitN(strings.ToValidUTF8(string(name), "\ufffd"), "/", 4)
	switch {
	case len(part) >= 3 && part[0] == "shared" && part[1] == "0":
		return "/sdcard/" + strings.Join(part[2:], "/")
	case len(part) < 4 || part[0] != "apps":
		return ""
	case part[2] == "ef":
		return "/sdcard/Android/data/" + part[1] + "/files/" + part[3]
	case part[2] == "a":
		return "/data/app/" + part[1] + "/" + part[3]
	}
	folder, ok := backupFolders[part[2]]
	if !ok {
		return ""
	}
	return "/data/data/" + part[1] + "/" + folder + part[3]
}
