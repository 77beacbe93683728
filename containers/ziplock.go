package containers

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/binary"
	"hash"
	"io"
	"slices"
)

// maxTrial is how much of an entry is read to see whether a password is the right one.
const maxTrial = 64 << 20

// zipPasswords are tried on every encrypted entry: one archive can have several.
type zipPasswords struct {
	list   []string
	proven []int // those that opened an entry, the last one first
}

// order is that in which passwords are tried: what opened an entry before comes first.
func (p *zipPasswords) order() []int {
	all := slices.Clone(p.proven)
	for i := range p.list {
		if !slices.Contains(p.proven, i) {
			all = append(all, i)
		}
	}
	return all
}

func (p *zipPasswords) prove(i int) {
	p.proven = append([]int{i}, slices.DeleteFunc(p.proven, func(j int) bool { return j == i })...)
}

// A zipLock is how an entry is encrypted.
type zipLock struct {
	aes    int  // key bytes; 0: zip's own encryption
	hasCRC bool // AE-2 leaves the checksum away: the authentication code serves
}

// zipLockOf tells encryption and the compression method beneath it.
func zipLockOf(h *zipHeader) (l zipLock, method uint16, err error) {
	l.hasCRC = true
	if h.method != zipAES {
		return l, h.method, nil
	}
	x := zipExtra(h.extra, 0x9901)
	if len(x) < 7 || x[4] < 1 || x[4] > 3 {
		return l, 0, damaged("its AES header is damaged")
	}
	l.aes = 8 + 8*int(x[4])
	l.hasCRC = le.Uint16(x) == 1
	return l, le.Uint16(x[5:]), nil
}

// A zipKey makes the decrypted bytes of an entry; made anew for each reading.
type zipKey func() (r io.Reader, end func() error)

// unlock finds the password of the entry.
func (z *zipReader) unlock(l zipLock, method uint16) (zipKey, bool) {
	var fallback zipKey
	for n, i := range z.passwords.order() {
		z.o.progress(int64(n), int64(len(z.passwords.list)))
		key := z.key(l, z.passwords.list[i])
		if key == nil {
			continue
		}
		known := slices.Contains(z.passwords.proven, i)
		if (!known || l.aes == 0) && z.entry.packed <= maxTrial && !z.opens(l, key, method) {
			// The password passes the short check. It may still be the right one, of
			// an entry that is damaged: one that opened others is believed.
			if known && fallback == nil {
				fallback = key
			}
			continue
		}
		if l.aes == 0 && z.entry.size == 0 && !known {
			return key, true // one wrong password in 256 opens nothing: it proves nothing
		}
		z.passwords.prove(i)
		if z.facts.Password == 0 {
			z.facts.Password = i + 1
		}
		return key, true
	}
	return fallback, fallback != nil
}

// opens reports whether the whole content, decrypted, is what it should be.
func (z *zipReader) opens(l zipLock, key zipKey, method uint16) bool {
	if l.aes != 0 {
		r, end := key()
		return intact(r) && end() == nil
	}
	r, err := z.locked(l, key, method)
	return err == nil && intact(r)
}

// locked is the content of an encrypted entry.
func (z *zipReader) locked(l zipLock, key zipKey, method uint16) (io.Reader, error) {
	h := &z.entry
	in, end := key()
	r, err := z.unpack.zip(method, in, h.flags, h.size)
	if err != nil {
		return nil, err
	}
	c := newContent(r, h.size, h.crc)
	if !l.hasCRC || h.unstated() {
		c.sum = nil
	}
	c.rest = func() error {
		if _, err := io.Copy(io.Discard, in); err != nil {
			return err
		}
		return end()
	}
	return c, nil
}

// key checks the short check value of a password; nil when it is a wrong one.
func (z *zipReader) key(l zipLock, password string) zipKey {
	if l.aes == 0 {
		return z.oldKey(password)
	}
	return z.aesKey(l.aes, password)
}

// A zipCipher is zip's own stream cipher (APPNOTE 6.1).
type zipCipher struct {
	k0, k1, k2 uint32
	r          io.Reader
}

func newZipCipher(password string, r io.Reader) *zipCipher {
	c := &zipCipher{0x12345678, 0x23456789, 0x34567890, r}
	for i := range len(password) {
		c.update(password[i])
	}
	return c
}

func (c *zipCipher) update(b byte) {
	c.k0 = crcOf(c.k0, b)
	c.k1 = (c.k1+c.k0&0xff)*134775813 + 1
	c.k2 = crcOf(c.k2, byte(c.k1>>24))
}

func (c *zipCipher) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	for i, b := range p[:n] {
		t := c.k2 | 2
		p[i] = b ^ byte(t*(t^1)>>8)
		c.update(p[i])
	}
	return n, err
}

const zipOldHeader = 12 // random bytes before the content, the last of which is known

func (z *zipReader) oldKey(password string) zipKey {
	start := func() (*zipCipher, []byte) {
		c := newZipCipher(password, z.section())
		b := make([]byte, zipOldHeader)
		if _, err := io.ReadFull(c, b); err != nil {
			return c, nil
		}
		return c, b
	}
	_, b := start()
	const descriptor = 8
	h := &z.entry
	if b == nil || b[11] != byte(h.crc>>24) && (h.flags&descriptor == 0 || b[11] != byte(h.dos>>8)) {
		return nil
	}
	return func() (io.Reader, func() error) {
		c, _ := start()
		return c, func() error { return nil }
	}
}

const aesCode = 10 // bytes of the authentication code after the content

func (z *zipReader) aesKey(bytes int, password string) zipKey {
	s := z.section()
	salt := make([]byte, bytes/2+2)
	if _, err := io.ReadFull(s, salt); err != nil || s.Size() < int64(len(salt)+aesCode) {
		return nil
	}
	salt, check := salt[:bytes/2], salt[bytes/2:]
	// The check value is at the end of what is derived: one block of it instead of four.
	size := sha1.Size
	block := (2*bytes + 1) / size
	d := pbkdf2Block([]byte(password), salt, block+1)
	for i := range check {
		at := 2*bytes + i
		if at/size != block {
			d, block = pbkdf2Block([]byte(password), salt, at/size+1), at/size
		}
		if d[at%size] != check[i] {
			return nil
		}
	}
	var derived []byte
	for i := 1; len(derived) < 2*bytes; i++ {
		derived = append(derived, pbkdf2Block([]byte(password), salt, i)...)
	}
	return func() (io.Reader, func() error) {
		s := z.section()
		head := int64(len(salt) + len(check))
		r := newAESReader(derived[:bytes], derived[bytes:2*bytes], io.NewSectionReader(s, head, s.Size()-head-aesCode))
		return r, func() error {
			code := make([]byte, aesCode)
			if readAt(s, code, s.Size()-aesCode) != nil || subtle.ConstantTimeCompare(code, r.mac.Sum(nil)[:aesCode]) == 0 {
				return damaged("the content does not have its authentication code: it was cut short or changed; it was examined as it is")
			}
			return nil
		}
	}
}

// pbkdf2Block is the nth block of PBKDF2 with HMAC-SHA1 and WinZip's 1000 rounds.
// crypto/pbkdf2 derives from the beginning, and what tells a wrong password is at the
// end.
func pbkdf2Block(password, salt []byte, n int) []byte {
	m := hmac.New(sha1.New, password)
	m.Write(salt)
	m.Write(binary.BigEndian.AppendUint32(nil, uint32(n)))
	u := m.Sum(nil)
	sum := slices.Clone(u)
	for range 999 {
		m.Reset()
		m.Write(u)
		u = m.Sum(u[:0])
		subtle.XORBytes(sum, sum, u)
	}
	return sum
}

// An aesReader decrypts what WinZip encrypted: AES in counter mode, the counter little
// endian and from one, authenticated by HMAC-SHA1 over the encrypted bytes.
type aesReader struct {
	block   cipher.Block
	mac     hash.Hash
	r       io.Reader
	counter uint64
	stream  [aes.BlockSize]byte
	used    int
}

func newAESReader(key, macKey []byte, r io.Reader) *aesReader {
	b, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // the key has one of the three lengths
	}
	return &aesReader{block: b, mac: hmac.New(sha1.New, macKey), r: r, used: aes.BlockSize}
}

func (a *aesReader) Read(p []byte) (int, error) {
	n, err := a.r.Read(p)
	p = p[:n]
	a.mac.Write(p)
	for len(p) > 0 {
		if a.used == aes.BlockSize {
			a.counter++
			a.stream = [aes.BlockSize]byte{}
			le.PutUint64(a.stream[:], a.counter)
			a.block.Encrypt(a.stream[:], a.stream[:])
			a.used = 0
		}
		k := subtle.XORBytes(p, p, a.stream[a.used:])
		a.used += k
		p = p[k:]
	}
	return n, err
}
