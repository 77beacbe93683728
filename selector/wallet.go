package selector

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha3"
	"encoding/base32"
	"encoding/hex"
	"math/big"
	"strings"

	keccak "golang.org/x/crypto/sha3"
)

// normalizeWallet returns the address of a wallet and whether its checksum agrees. An
// Ethereum address in one case has none.
func normalizeWallet(raw string) (value string, verified bool, err error) {
	s := raw
	if i := strings.IndexByte(s, ':'); i > 0 && i < 12 { // bitcoin:ADDRESS?amount=1
		s, _, _ = strings.Cut(s[i+1:], "?")
	}
	for i := range len(s) {
		if !isAlnum(s[i]) {
			return "", false, bad("%q is not the address of a wallet", clip(raw))
		}
	}
	switch {
	case len(s) == 42 && (s[:2] == "0x" || s[:2] == "0X"):
		value, verified, ok := ethereum(s)
		if !ok {
			return "", false, bad("%q is not the address of an Ethereum wallet: its digits or its checksum (EIP-55) are wrong", clip(raw))
		}
		return value, verified, nil
	case len(s) >= 14 && strings.EqualFold(s[:3], "bc1"):
		if !bech32(s) {
			return "", false, bad("the checksum of the Bitcoin address %q is wrong", clip(raw))
		}
		return strings.ToLower(s), true, nil
	case len(s) >= 26 && len(s) <= 35 && (s[0] == '1' || s[0] == '3'):
		if !base58check(s) {
			return "", false, bad("the checksum of the Bitcoin address %q is wrong", clip(raw))
		}
		return s, true, nil
	case (len(s) == 95 || len(s) == 106) && (s[0] == '4' || s[0] == '8'):
		if !monero(s) {
			return "", false, bad("the checksum of the Monero address %q is wrong", clip(raw))
		}
		return s, true, nil
	}
	return "", false, bad("%q is not the address of a Bitcoin, Ethereum or Monero wallet", clip(raw))
}

func keccak256(b []byte) []byte {
	h := keccak.NewLegacyKeccak256()
	_, _ = h.Write(b) // never fails
	return h.Sum(nil)
}

// ethereum reads 0x and 40 digits. Where upper and lower case are mixed, they are the
// checksum of EIP-55 and have to agree.
func ethereum(s string) (value string, verified, ok bool) {
	digits := s[2:]
	lower := strings.ToLower(digits)
	if b, err := hex.DecodeString(lower); err != nil || bytes.Count(b, []byte{0}) == len(b) {
		return "", false, false
	}
	if digits == lower || digits == strings.ToUpper(digits) {
		return "0x" + lower, false, true
	}
	sum := hex.EncodeToString(keccak256([]byte(lower)))
	for i := range len(lower) {
		upper := digits[i] >= 'A' && digits[i] <= 'F'
		if is(lower[i], isLetter) && upper != (sum[i] >= '8') {
			return "", false, false
		}
	}
	return "0x" + lower, true, true
}

const base58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

// base58check verifies a Bitcoin address of the first kinds: a version byte (0 or 5), 20
// bytes of hash, and the first four bytes of their double SHA-256.
func base58check(s string) bool {
	n, fifty8 := new(big.Int), big.NewInt(58)
	for i := range len(s) {
		d := strings.IndexByte(base58, s[i])
		if d < 0 {
			return false
		}
		n.Add(n.Mul(n, fifty8), big.NewInt(int64(d)))
	}
	if n.BitLen() > 8*25 {
		return false
	}
	b := n.FillBytes(make([]byte, 25))
	zeros := len(s) - len(strings.TrimLeft(s, "1")) // each is a leading zero byte
	for i := range min(zeros, 25) {
		if b[i] != 0 {
			return false
		}
	}
	if zeros < 25 && b[zeros] == 0 || b[0] != 0 && b[0] != 5 {
		return false
	}
	first := sha256.Sum256(b[:21])
	second := sha256.Sum256(first[:])
	return bytes.Equal(second[:4], b[21:])
}

// bech32 verifies a Bitcoin address by BIP 173, and by BIP 350 from witness version 1 on.
func bech32(s string) bool {
	const digits = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
	lower := strings.ToLower(s)
	if len(s) < 14 || len(s) > 90 || s != lower && s != strings.ToUpper(s) {
		return false
	}
	sum := uint32(1)
	step := func(v uint32) {
		top := sum >> 25
		sum = sum&0x1ffffff<<5 ^ v
		for i, g := range [5]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
			if top>>i&1 == 1 {
				sum ^= g
			}
		}
	}
	for _, v := range [5]uint32{3, 3, 0, 'b' & 31, 'c' & 31} { // "bc", expanded
		step(v)
	}
	version := strings.IndexByte(digits, lower[3])
	for i := 3; i < len(lower); i++ {
		v := strings.IndexByte(digits, lower[i])
		if v < 0 {
			return false
		}
		step(uint32(v))
	}
	if version == 0 {
		return sum == 1 && (len(s) == 42 || len(s) == 62) // 20 or 32 bytes
	}
	return sum == 0x2bc830a3 && version <= 16
}

// monero verifies an address of the main network: standard (18), integrated (19) or
// subaddress (42). Base58 is in blocks of 8 bytes to 11 digits; the last four bytes are
// of the Keccak-256 of those before.
func monero(s string) bool {
	tail := map[int]int{7: 5, 0: 0, 2: 1, 3: 2, 5: 3, 6: 4, 9: 6, 10: 7} // digits of the last block to bytes
	var raw []byte
	for len(s) > 0 {
		n, size := 11, 8
		if len(s) < 11 {
			n, size = len(s), tail[len(s)]
		}
		v := new(big.Int)
		for i := range n {
			d := strings.IndexByte(base58, s[i])
			if d < 0 {
				return false
			}
			v.Add(v.Mul(v, big.NewInt(58)), big.NewInt(int64(d)))
		}
		if size == 0 || v.BitLen() > 8*size {
			return false
		}
		raw = append(raw, v.FillBytes(make([]byte, size))...)
		s = s[n:]
	}
	n := len(raw) - 4
	standard := n == 65 && (raw[0] == 18 || raw[0] == 42)
	integrated := n == 73 && raw[0] == 19
	return (standard || integrated) && bytes.Equal(keccak256(raw[:n])[:4], raw[n:])
}

var onionText = base32.StdEncoding.WithPadding(base32.NoPadding)

// normalizeOnion returns the address of an onion service, without subdomains, scheme and
// path, and whether its checksum agrees: one of version 3 must, one of version 2 has none.
func normalizeOnion(raw string) (value string, verified bool, err error) {
	name := strings.TrimSuffix(hostOf(raw), ".onion")
	name = name[strings.LastIndexByte(name, '.')+1:]
	if !strings.Contains(strings.ToLower(raw), ".onion") {
		return "", false, bad("%q is not an onion address: those end in .onion", clip(raw))
	}
	b, bad32 := onionText.DecodeString(strings.ToUpper(name))
	switch {
	case bad32 == nil && len(name) == 16:
		return name + ".onion", false, nil
	case bad32 == nil && len(name) == 56:
		// rend-spec-v3, 6: public key, two bytes of checksum, version 3.
		sum := sha3.Sum256([]byte(".onion checksum" + string(b[:32]) + "\x03"))
		if b[34] == 3 && bytes.Equal(sum[:2], b[32:34]) {
			return name + ".onion", true, nil
		}
		return "", false, bad("the checksum of the onion address %q is wrong", clip(raw))
	}
	return "", false, bad("%q is not an onion address: those have 56 characters before .onion, or 16", clip(raw))
}
