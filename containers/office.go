package containers

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"encoding/xml"
	"hash"
	"io"
	"unicode/utf16"

	"semblance"
)

// An encrypted Office document ([MS-OFFCRYPTO]) is an OLE file with the stream
// "EncryptedPackage": once decrypted it is a zip.

const (
	maxSpins      = 1_000_000         // rounds of hashing for a password; Office makes 100,000
	packageStep   = 4096              // bytes that are encrypted by themselves
	maxCryptInfo  = 1 << 20           // bytes of the stream that describes the encryption
	officeDefault = "VelvetSweatshop" // with it Excel encrypts what it only protects against changes
)

// An officeKey decrypts a package.
type officeKey struct {
	block cipher.Block
	iv    func(segment uint32) []byte // nil: block by block, without chaining
}

// encrypted opens an encrypted document: its one entry is the package.
func (f *oleFile) encrypted(o Options) (Reader, error) {
	var info, pack oleStream
	for _, e := range f.entries {
		switch {
		case e.kind == 2 && e.name == "EncryptionInfo":
			info = f.stream(e)
		case e.kind == 2 && e.name == "EncryptedPackage":
			pack = f.stream(e)
		}
	}
	head := make([]byte, 8)
	if _, err := pack.ReadAt(head, 0); err != nil {
		return nil, semblance.Errorf(semblance.MediaDamaged, "the encrypted document is cut short").WithCause(err)
	}
	size := int64(min(binary.LittleEndian.Uint64(head), uint64(pack.size-8)))
	open := officeLock(info.bytes(maxCryptInfo))
	if open == nil {
		return nil, semblance.Errorf(semblance.MediaEncrypted, "the Office document is encrypted by a method that is not read")
	}
	for i, pw := range append([]string{officeDefault}, o.Passwords...) {
		o.progress(int64(i), int64(len(o.Passwords)+1)) // a try takes a tenth of a second
		key := open(pw)
		if key == nil {
			continue
		}
		f.facts.Password = i
		e := semblance.Entry{Name: []byte("document.zip"), Kind: semblance.EntryFile, Size: size, Offset: -1}
		return walked(f.facts, func(emit func(item) error) error {
			return emit(item{e, func() (io.Reader, error) { return &packageReader{key: key, in: pack, left: size}, nil }})
		}), nil
	}
	return nil, semblance.Errorf(semblance.MediaEncrypted, "the Office document is encrypted, and no password that was given opens it").WithHint("add its password to the list of passwords")
}

// officeLock reads what describes the encryption; nil when it is not known.
func officeLock(info []byte) func(pw string) *officeKey {
	if len(info) < 12 {
		return nil
	}
	major, minor := binary.LittleEndian.Uint16(info), binary.LittleEndian.Uint16(info[2:])
	switch {
	case major == 4 && minor == 4:
		return agileLock(info[8:])
	case major >= 2 && major <= 4 && minor == 2:
		return standardLock(info[8:])
	}
	return nil
}

// officeHash is a password's hash before the block's key is mixed in.
func officeHash(h hash.Hash, salt []byte, pw string, spins uint32) []byte {
	h.Write(salt)
	for _, u := range utf16.Encode([]rune(pw)) {
		h.Write([]byte{byte(u), byte(u >> 8)})
	}
	sum := h.Sum(nil)
	for i := range spins {
		h.Reset()
		h.Write(binary.LittleEndian.AppendUint32(nil, i))
		h.Write(sum)
		sum = h.Sum(sum[:0])
	}
	return sum
}

func hashed(h hash.Hash, parts ...[]byte) []byte {
	h.Reset()
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// standardLock is standard encryption (2.3.4.5 to 2.3.4.9): AES without chaining.
func standardLock(b []byte) func(pw string) *officeKey {
	n := int64(binary.LittleEndian.Uint32(b))
	if n < 32 || n+4+72 > int64(len(b)) {
		return nil
	}
	bits := binary.LittleEndian.Uint32(b[4+16:])
	v := b[4+n:]
	salt, verifier, digest := v[4:20], v[20:36], v[40:72]
	if alg := binary.LittleEndian.Uint32(b[4+8:]); alg < 0x660e || alg > 0x6610 || bits != 128 && bits != 192 && bits != 256 {
		return nil
	}
	return func(pw string) *officeKey {
		h := sha1.New()
		sum := hashed(h, officeHash(sha1.New(), salt, pw, 50_000), make([]byte, 4))
		pad := func(c byte) []byte {
			p := bytes.Repeat([]byte{c}, 64)
			for i := range sum {
				p[i] ^= sum[i]
			}
			return hashed(h, p)
		}
		block, err := aes.NewCipher(append(pad(0x36), pad(0x5c)...)[:bits/8])
		if err != nil {
			return nil
		}
		k := &officeKey{block: block}
		plain, check := bytes.Clone(verifier), bytes.Clone(digest)
		k.decrypt(plain, 0)
		k.decrypt(check, 0)
		if !bytes.Equal(hashed(h, plain), check[:20]) {
			return nil
		}
		return k
	}
}

// A base64Attr is a value in base64.
type base64Attr []byte

func (b *base64Attr) UnmarshalXMLAttr(attr xml.Attr) (err error) {
	*b, err = base64.StdEncoding.DecodeString(attr.Value)
	return err
}

// An agileInfo is the XML of agile encryption (2.3.4.10).
type agileInfo struct {
	KeyData struct {
		Salt   base64Attr `xml:"saltValue,attr"`
		Hash   string     `xml:"hashAlgorithm,attr"`
		Cipher string     `xml:"cipherAlgorithm,attr"`
	} `xml:"keyData"`
	Keys []agileKey `xml:"keyEncryptors>keyEncryptor>encryptedKey"`
}

// An agileKey is the package's key, encrypted with a password.
type agileKey struct {
	Spins  uint32     `xml:"spinCount,attr"`
	Bits   int        `xml:"keyBits,attr"`
	Salt   base64Attr `xml:"saltValue,attr"`
	Hash   string     `xml:"hashAlgorithm,attr"`
	Input  base64Attr `xml:"encryptedVerifierHashInput,attr"`
	Digest base64Attr `xml:"encryptedVerifierHashValue,attr"`
	Key    base64Attr `xml:"encryptedKeyValue,attr"`
}

func officeHasher(name string) hash.Hash {
	switch name {
	case "SHA1":
		return sha1.New()
	case "SHA256":
		return sha256.New()
	case "SHA384":
		return sha512.New384()
	case "SHA512":
		return sha512.New()
	}
	return nil
}

func agileLock(b []byte) func(pw string) *officeKey {
	var info agileInfo
	if err := xml.Unmarshal(b, &info); err != nil || info.KeyData.Cipher != "AES" || len(info.KeyData.Salt) < 16 || officeHasher(info.KeyData.Hash) == nil {
		return nil
	}
	for _, k := range info.Keys {
		whole := len(k.Input)%16 == 0 && len(k.Digest)%16 == 0 && len(k.Key)%16 == 0 && len(k.Key) > 0
		if whole && k.Spins <= maxSpins && len(k.Salt) == 16 && officeHasher(k.Hash) != nil && (k.Bits == 128 || k.Bits == 192 || k.Bits == 256) {
			return func(pw string) *officeKey { return k.open(pw, &info) }
		}
	}
	return nil
}

// open is 2.3.4.11 to 2.3.4.13.
func (k *agileKey) open(pw string, info *agileInfo) *officeKey {
	h := officeHasher(k.Hash)
	sum := officeHash(officeHasher(k.Hash), k.Salt, pw, k.Spins)
	unlock := func(sealed []byte, purpose string) []byte {
		key := append(hashed(h, sum, []byte(purpose)), bytes.Repeat([]byte{0x36}, 32)...)[:k.Bits/8]
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil
		}
		out := make([]byte, len(sealed))
		cipher.NewCBCDecrypter(block, k.Salt).CryptBlocks(out, sealed)
		return out
	}
	input, digest := unlock(k.Input, "\xfe\xa7\xd2\x76\x3b\x4b\x9e\x79"), unlock(k.Digest, "\xd7\xaa\x0f\x6d\x30\x61\x34\x4e")
	if len(digest) < h.Size() || !bytes.Equal(hashed(h, input), digest[:h.Size()]) {
		return nil
	}
	key := unlock(k.Key, "\x14\x6e\x0b\xe7\xab\xac\xd0\xd6")
	block, err := aes.NewCipher(key[:min(len(key), k.Bits/8)])
	if err != nil {
		return nil
	}
	of := officeHasher(info.KeyData.Hash)
	return &officeKey{block: block, iv: func(segment uint32) []byte {
		return hashed(of, info.KeyData.Salt, binary.LittleEndian.AppendUint32(nil, segment))[:16]
	}}
}

// decrypt decrypts a segment in place.
func (k *officeKey) decrypt(b []byte, segment uint32) {
	if k.iv != nil {
		cipher.NewCBCDecrypter(k.block, k.iv(segment)).CryptBlocks(b, b)
		return
	}
	for ; len(b) >= 16; b = b[16:] {
		k.block.Decrypt(b, b)
	}
}

// A packageReader decrypts a package segment by segment.
type packageReader struct {
	key     *officeKey
	in      oleStream
	segment uint32
	left    int64
	rest    []byte
}

func (r *packageReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		if r.left <= 0 {
			return 0, io.EOF
		}
		b := make([]byte, packageStep)
		n, err := r.in.ReadAt(b, 8+int64(r.segment)*packageStep)
		if b = b[:n/16*16]; len(b) == 0 {
			if err == nil || err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return 0, err
		}
		r.key.decrypt(b, r.segment)
		r.segment++
		r.rest = b[:min(int64(len(b)), r.left)]
		r.left -= int64(len(r.rest))
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}
