package digestset

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"sort"

	"semblance"
)

// NotFound is what Find says of a digest that is not in the set.
const NotFound = -1

// lane is how many digests are looked up side by side: each step of a lookup waits for
// memory, and the waits of different digests overlap.
const lane = 32

// walk is how far from the guessed place a digest is looked for step by step; places
// where more records share their leading bits are searched by halves.
const walk = 64

// A lookup is one digest on its way.
type lookup struct {
	key      uint64 // its first eight bytes
	from, to uint32 // the records that share its leading bits
}

// Find looks digests up, one after the other in values, and sets found, which has room
// for each, to the number of its record or NotFound. The error says that the file is
// damaged; found is then worth nothing.
func (s *Set) Find(values []byte, found []int64) error {
	if len(values) != len(found)*s.digest {
		return semblance.Errorf(semblance.Internal, "%d bytes are not %d digests of %s", len(values), len(found), s.Algorithm())
	}
	err := guarded(func() error {
		for at := 0; at < len(found); at += lane {
			n := min(lane, len(found)-at)
			if err := s.find(values[at*s.digest:][:n*s.digest], found[at:][:n]); err != nil {
				return err
			}
		}
		return nil
	})
	runtime.KeepAlive(s)
	if err != nil {
		return unreadable(s.path, err)
	}
	return nil
}

func (s *Set) find(values []byte, found []int64) error {
	var all [lane]lookup
	for i := range found {
		l := &all[i]
		l.key = binary.BigEndian.Uint64(values[i*s.digest:])
		p := int(l.key >> 32 >> (32 - s.Bits))
		if err := s.check(s.blocks + 4*p/pieceBytes); err != nil {
			return err
		}
		if err := s.check(s.blocks + 4*(p+1)/pieceBytes); err != nil {
			return err
		}
		pair := binary.LittleEndian.Uint64(s.start[4*p:])
		l.from, l.to = uint32(pair), uint32(pair>>32)
		if l.from > l.to || uint64(l.to) > s.Records {
			return errDamaged
		}
	}
	var first [lane]uint64 // of the record at the guessed place; loads that do not wait for each other
	for i := range found {
		if l := &all[i]; l.from < l.to {
			guess := l.guess(s.Bits)
			if err := s.check(guess / blockRecords); err != nil {
				return err
			}
			first[i] = binary.BigEndian.Uint64(s.digestAt(guess))
		}
	}
	for i := range found {
		at, err := s.settle(&all[i], first[i], values[i*s.digest:][:s.digest])
		if err != nil {
			return err
		}
		found[i] = at
	}
	return nil
}

// guess is where the record would be if digests were spread evenly, as they are.
func (l *lookup) guess(bits uint32) int {
	rest := uint32(l.key << bits >> 32)
	return int(l.from) + int(uint64(l.to-l.from)*uint64(rest)>>32)
}

// digestAt returns the bytes from a digest on; they are at least a digest's.
func (s *Set) digestAt(n int) []byte {
	b := n / blockRecords
	return s.image[headBytes+int64(b)*int64(blockRecords*s.stride)+int64(n%blockRecords*s.digest):]
}

// settle finds the record of a digest among those that share its leading bits.
func (s *Set) settle(l *lookup, first uint64, value []byte) (int64, error) {
	if l.from >= l.to {
		return NotFound, nil
	}
	at := l.guess(s.Bits)
	if l.to-l.from > walk {
		return s.halve(l, value)
	}
	for step, here := 0, first; ; {
		switch {
		case here < l.key:
			if step < 0 {
				return NotFound, nil
			}
			step = 1
		case here > l.key:
			if step > 0 {
				return NotFound, nil
			}
			step = -1
		default:
			if bytes.Equal(s.digestAt(at)[:s.digest], value) {
				return int64(at), nil
			}
			return s.halve(l, value) // eight bytes are the same: the whole digests decide
		}
		if at += step; at < int(l.from) || at >= int(l.to) {
			return NotFound, nil
		}
		if err := s.check(at / blockRecords); err != nil {
			return NotFound, err
		}
		here = binary.BigEndian.Uint64(s.digestAt(at))
	}
}

// halve finds a digest by binary search.
func (s *Set) halve(l *lookup, value []byte) (int64, error) {
	var damage error
	from, n := int(l.from), int(l.to-l.from)
	k := sort.Search(n, func(i int) bool {
		if err := s.check((from + i) / blockRecords); err != nil {
			damage = err
			return true
		}
		return bytes.Compare(s.digestAt(from + i)[:s.digest], value) >= 0
	})
	if damage != nil || k == n {
		return NotFound, damage
	}
	if err := s.check((from + k) / blockRecords); err != nil {
		return NotFound, err
	}
	if !bytes.Equal(s.digestAt(from + k)[:s.digest], value) {
		return NotFound, nil
	}
	return int64(from + k), nil
}
