package store

import (
	"encoding/binary"
	"errors"

	"semblance"
	"semblance/hashing"
)

// A signal is one perceptual hash as a row.
type signal struct {
	algorithm hashing.Algorithm
	value     []byte
	quality   int
	turned    []byte
	provider  semblance.ProviderName // of a supplied value
	version   string
}

// signalsOf lists the hashes of a frame. Of a PDQ's sets the one that is compared is
// kept, Turned; Dihedral is not.
func signalsOf(h semblance.FrameHashes) []signal {
	var list []signal
	if h.PDQ != nil {
		list = append(list, signal{hashing.AlgorithmPDQ, h.PDQ.Hash[:], h.PDQ.Quality, turnedBytes(h.PDQ.Turned), "", ""})
	}
	for _, p := range []struct {
		algorithm hashing.Algorithm
		hash      *hashing.Hash64
	}{{hashing.AlgorithmPHash, h.PHash}, {hashing.AlgorithmDHash, h.DHash}, {hashing.AlgorithmAHash, h.AHash}} {
		if p.hash != nil {
			list = append(list, signal{p.algorithm, p.hash.Bytes(), -1, nil, "", ""})
		}
	}
	for _, s := range h.Supplied {
		list = append(list, signal{s.Algorithm, s.Value, -1, nil, s.Provider, s.Version})
	}
	return list
}

// put sets the hash in a frame. An algorithm that this version does not know is
// left out: a later version, or an earlier one, recorded it.
func (s signal) put(h *semblance.FrameHashes) error {
	if want := s.algorithm.Bits() / 8; want != 0 && want != len(s.value) {
		return errors.New("a stored hash has the wrong length")
	}
	switch s.algorithm {
	case hashing.AlgorithmPDQ:
		h.PDQ = &hashing.PDQResult{Hash: hashing.PDQ(s.value), Quality: s.quality, Turned: bytesTurned(s.turned)}
	case hashing.AlgorithmPHash:
		h.PHash = s.hash64()
	case hashing.AlgorithmDHash:
		h.DHash = s.hash64()
	case hashing.AlgorithmAHash:
		h.AHash = s.hash64()
	default:
		if s.algorithm.IsSupplied() {
			h.Supplied = append(h.Supplied, semblance.SuppliedHash{Algorithm: s.algorithm, Value: s.value, Provider: s.provider, Version: s.version})
		}
	}
	return nil
}

func (s signal) hash64() *hashing.Hash64 {
	v := hashing.Hash64(binary.BigEndian.Uint64(s.value))
	return &v
}

// turnedBytes returns the eight hashes one after the other, nil when they were
// not made.
func turnedBytes(d [8]hashing.PDQ) []byte {
	if d == ([8]hashing.PDQ{}) {
		return nil
	}
	b := make([]byte, 0, 256)
	for i := range d {
		b = append(b, d[i][:]...)
	}
	return b
}

func bytesTurned(b []byte) (d [8]hashing.PDQ) {
	for i := range d {
		b = b[copy(d[i][:], b):]
	}
	return d
}
