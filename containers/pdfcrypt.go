package containers

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/md5"
	"crypto/rc4"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"io"

	"semblance"
)

// A pdfCrypt decrypts by the standard security handler (ISO 32000-1, 7.6, and ISO
// 32000-2 for revisions 5 and 6). A nil one decrypts nothing.
type pdfCrypt struct {
	key              []byte
	streams, strings string // method: "V2" (RC4), "AESV2", "AESV3", "Identity"
	files            string // of attached files
	plainMetadata    bool
}

// pdfPad fills passwords up (7.6.3.3).
const pdfPad = "\x28\xbf\x4e\x5e\x4e\x75\x8a\x41\x64\x00\x4e\x56\xff\xfa\x01\x08\x2e\x2e\x00\xb6\xd0\x68\x3e\x80\x2f\x0c\xa9\xfe\x64\x53\x69\x7a"

// A pdfLock is the encryption dictionary.
type pdfLock struct {
	revision, length int
	o, u, oe, ue     []byte
	permissions      uint32
	id               []byte
	metadata         bool
}

// unlock tries the empty password and then the given ones, each as the user's and the
// owner's. password is which of the given ones opened it.
func (f *pdfFile) unlock(enc pdfValue) (c *pdfCrypt, password int, err error) {
	d := f.resolve(enc).dict
	if h := f.resolve(d["Filter"]); !h.isName("Standard") {
		return nil, 0, semblance.Errorf(semblance.MediaEncrypted, "the PDF is encrypted by a method of its own (%.40q), which is not read", h.text)
	}
	text := func(k string) []byte { return []byte(f.resolve(d[k]).text) }
	l := pdfLock{
		revision: int(f.resolve(d["R"]).int()), length: int(f.resolve(d["Length"]).int()) / 8, o: text("O"), u: text("U"), oe: text("OE"), ue: text("UE"),
		permissions: uint32(f.resolve(d["P"]).int()), metadata: f.resolve(d["EncryptMetadata"]).text != "false",
	}
	if ids := f.resolve(f.trailer["ID"]).list; len(ids) > 0 {
		l.id = []byte(f.resolve(ids[0]).text)
	}
	c = &pdfCrypt{streams: "V2", strings: "V2", files: "V2", plainMetadata: !l.metadata}
	if v := f.resolve(d["V"]).int(); v >= 4 {
		c.streams, c.strings = f.method(d, "StmF"), f.method(d, "StrF")
		if c.files = c.streams; d["EFF"].kind == pdfName {
			c.files = f.method(d, "EFF")
		}
		l.length = 16
	} else if v == 1 || l.length < 5 || l.length > 16 {
		l.length = 5
	}
	for i, pw := range append([]string{""}, f.o.Passwords...) {
		if c.key = l.open([]byte(pw)); c.key != nil {
			return c, i, nil
		}
	}
	return nil, 0, semblance.Errorf(semblance.MediaEncrypted, "the PDF is encrypted, and no password that was given opens it").WithHint("add its password to the list of passwords")
}

// method is what a crypt filter decrypts with.
func (f *pdfFile) method(d map[string]pdfValue, key string) string {
	name := f.resolve(d[key])
	if name.kind != pdfName || name.text == "Identity" {
		return "Identity"
	}
	return f.resolve(f.resolve(f.resolve(d["CF"]).dict[name.text]).dict["CFM"]).text
}

// open gives the file's key, nil when the password is not the right one.
func (l *pdfLock) open(pw []byte) []byte {
	if l.revision >= 5 {
		return l.openSHA(pw[:min(len(pw), 127)])
	}
	if key := l.userKey(pw); key != nil {
		return key
	}
	return l.userKey(l.ownerPad(pw))
}

func padded(pw []byte) []byte { return append(bytes.Clone(pw), pdfPad...)[:32] }

// userKey is algorithms 2 and 6.
func (l *pdfLock) userKey(pw []byte) []byte {
	h := md5.New()
	h.Write(padded(pw[:min(len(pw), 32)]))
	h.Write(l.o[:min(len(l.o), 32)])
	h.Write(binary.LittleEndian.AppendUint32(nil, l.permissions))
	h.Write(l.id)
	if l.revision >= 4 && !l.metadata {
		h.Write([]byte{255, 255, 255, 255})
	}
	key := h.Sum(nil)
	if l.revision >= 3 {
		for range 50 {
			s := md5.Sum(key[:l.length])
			key = s[:]
		}
	}
	key = key[:l.length]
	if l.revision < 3 {
		if len(l.u) >= 32 && bytes.Equal(rc4ed(key, []byte(pdfPad)), l.u[:32]) {
			return key
		}
		return nil
	}
	s := md5.Sum(append([]byte(pdfPad), l.id...))
	check := s[:]
	for i := range 20 {
		check = rc4ed(xored(key, byte(i)), check)
	}
	if len(l.u) >= 16 && bytes.Equal(check, l.u[:16]) {
		return key
	}
	return nil
}

// ownerPad is algorithm 7: the user's password out of the owner's.
func (l *pdfLock) ownerPad(pw []byte) []byte {
	s := md5.Sum(padded(pw[:min(len(pw), 32)]))
	if l.revision >= 3 {
		for range 50 {
			s = md5.Sum(s[:])
		}
	}
	key, user := s[:l.length], l.o[:min(len(l.o), 32)]
	if l.revision < 3 {
		return rc4ed(key, user)
	}
	for i := 19; i >= 0; i-- {
		user = rc4ed(xored(key, byte(i)), user)
	}
	return user
}

func rc4ed(key, b []byte) []byte {
	out := make([]byte, len(b))
	if c, err := rc4.NewCipher(key); err == nil {
		c.XORKeyStream(out, b)
	}
	return out
}

func xored(key []byte, x byte) []byte {
	out := bytes.Clone(key)
	for i := range out {
		out[i] ^= x
	}
	return out
}

// openSHA is algorithm 2.A of ISO 32000-2.
func (l *pdfLock) openSHA(pw []byte) []byte {
	if len(l.u) < 48 || len(l.o) < 48 || len(l.ue) < 32 || len(l.oe) < 32 {
		return nil
	}
	for _, try := range []struct{ of, sealed, extra []byte }{{l.o, l.oe, l.u[:48]}, {l.u, l.ue, nil}} {
		if !bytes.Equal(l.hash(pw, try.of[32:40], try.extra), try.of[:32]) {
			continue
		}
		block, err := aes.NewCipher(l.hash(pw, try.of[40:48], try.extra))
		if err != nil {
			return nil
		}
		key := make([]byte, 32)
		cipher.NewCBCDecrypter(block, make([]byte, 16)).CryptBlocks(key, try.sealed[:32])
		return key
	}
	return nil
}

// hash is algorithm 2.B: SHA-256 for revision 5, and a long way round for 6.
func (l *pdfLock) hash(pw, salt, extra []byte) []byte {
	s := sha256.Sum256(bytes.Join([][]byte{pw, salt, extra}, nil))
	k := s[:]
	if l.revision < 6 {
		return k
	}
	for i := 0; ; i++ {
		k1 := bytes.Repeat(bytes.Join([][]byte{pw, k, extra}, nil), 64)
		block, err := aes.NewCipher(k[:16])
		if err != nil {
			return nil
		}
		cipher.NewCBCEncrypter(block, k[16:32]).CryptBlocks(k1, k1)
		sum := 0
		for _, b := range k1[:16] {
			sum += int(b)
		}
		switch sum % 3 {
		case 0:
			s := sha256.Sum256(k1)
			k = s[:]
		case 1:
			s := sha512.Sum384(k1)
			k = s[:]
		default:
			s := sha512.Sum512(k1)
			k = s[:]
		}
		if i >= 63 && int(k1[len(k1)-1]) <= i-31 { // the number of rounds done, less 32
			return k[:32]
		}
	}
}

// objectKey is algorithm 1.
func (c *pdfCrypt) objectKey(ref pdfRef, method string) []byte {
	if method == "AESV3" {
		return c.key
	}
	b := append(bytes.Clone(c.key), byte(ref.number), byte(ref.number>>8), byte(ref.number>>16), byte(ref.generation), byte(ref.generation>>8))
	if method == "AESV2" {
		b = append(b, "sAlT"...)
	}
	s := md5.Sum(b)
	return s[:min(len(c.key)+5, 16)]
}

// stream decrypts the bytes of an object's stream.
func (c *pdfCrypt) stream(r io.Reader, ref pdfRef, d map[string]pdfValue) (io.Reader, error) {
	if c == nil || c.plainMetadata && d["Type"].isName("Metadata") {
		return r, nil
	}
	method := c.streams
	if d["Type"].isName("EmbeddedFile") {
		method = c.files
	}
	return c.decrypt(r, c.objectKey(ref, method), method)
}

func (c *pdfCrypt) decrypt(r io.Reader, key []byte, method string) (io.Reader, error) {
	switch method {
	case "Identity", "None":
		return r, nil
	case "V2":
		s, err := rc4.NewCipher(key)
		if err != nil {
			return nil, semblance.Errorf(semblance.MediaDamaged, "the PDF's encryption is damaged").WithCause(err)
		}
		return cipher.StreamReader{S: s, R: r}, nil
	case "AESV2", "AESV3":
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, semblance.Errorf(semblance.MediaDamaged, "the PDF's encryption is damaged").WithCause(err)
		}
		return &unCBC{r: r, block: block}, nil
	}
	return nil, semblance.Errorf(semblance.MediaUnsupported, "the PDF's encryption %.40q is not read", method)
}

// texts decrypts the strings of an object of the file.
func (c *pdfCrypt) texts(v *pdfValue, in pdfRef) {
	if c == nil {
		return
	}
	if v.kind == pdfText {
		v.text = c.text(v.text, in)
	}
	for i := range v.list {
		c.texts(&v.list[i], in)
	}
	for k, e := range v.dict {
		c.texts(&e, in)
		v.dict[k] = e
	}
}

func (c *pdfCrypt) text(s string, in pdfRef) string {
	r, err := c.decrypt(bytes.NewReader([]byte(s)), c.objectKey(in, c.strings), c.strings)
	if err != nil {
		return s
	}
	b, _ := io.ReadAll(r)
	return string(b)
}

// An unCBC decrypts AES in CBC mode: 16 bytes of IV in front, padding at the end.
type unCBC struct {
	r     io.Reader
	block cipher.Block
	mode  cipher.BlockMode
	buf   [4096]byte
	rest  []byte
	held  []byte // the last block, whose padding is only known at the end
	err   error
}

func (u *unCBC) Read(p []byte) (int, error) {
	for len(u.rest) == 0 {
		if u.err != nil {
			return 0, u.err
		}
		u.fill()
	}
	n := copy(p, u.rest)
	u.rest = u.rest[n:]
	return n, nil
}

func (u *unCBC) fill() {
	if u.mode == nil {
		iv := make([]byte, 16)
		if _, u.err = io.ReadFull(u.r, iv); u.err != nil {
			u.err = io.EOF
			return
		}
		u.mode = cipher.NewCBCDecrypter(u.block, iv)
	}
	n, err := io.ReadFull(u.r, u.buf[:4080])
	whole := u.buf[:n/16*16]
	u.mode.CryptBlocks(whole, whole)
	out := append(bytes.Clone(u.held), whole...)
	u.held = nil
	switch {
	case err == nil:
		u.held = bytes.Clone(out[len(out)-16:])
		out = out[:len(out)-16]
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		u.err = io.EOF
		if len(out) > 0 {
			if pad := int(out[len(out)-1]); pad >= 1 && pad <= 16 {
				out = out[:len(out)-pad]
			}
		}
	default:
		u.err = err
	}
	u.rest = out
}
