package index

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// within appends the entries within the radius of value by comparing with each.
func (l *list) within(value []byte, radius int, out []near) []near {
	if radius == 0 {
		return l.equal(value, out)
	}
	scan(l.values, value, radius, func(i, distance int) {
		out = append(out, near{l.ids[i], distance})
	})
	return out
}

func (l *list) equal(value []byte, out []near) []near {
	for i, id := range l.ids {
		if bytes.Equal(l.value(i), value) {
			out = append(out, near{id, 0})
		}
	}
	return out
}

// scan calls found for every packed value within the radius of value, which is 8
// or 32 bytes long.
func scan(values, value []byte, radius int, found func(i, distance int)) {
	if len(value) == 8 {
		scan64(values, value, radius, found)
		return
	}
	q := load256(value)
	for i := 0; len(values) >= 32; i++ {
		v := values[:32]
		values = values[32:]
		// Half of the bits rule out nearly everything that is not near.
		d := bits.OnesCount64(binary.LittleEndian.Uint64(v)^q[0]) + bits.OnesCount64(binary.LittleEndian.Uint64(v[8:])^q[1])
		if d > radius {
			continue
		}
		d += bits.OnesCount64(binary.LittleEndian.Uint64(v[16:])^q[2]) + bits.OnesCount64(binary.LittleEndian.Uint64(v[24:])^q[3])
		if d <= radius {
			found(i, d)
		}
	}
}

func scan64(values, value []byte, radius int, found func(i, distance int)) {
	q := binary.LittleEndian.Uint64(value)
	for i := 0; len(values) >= 8; i++ {
		d := bits.OnesCount64(binary.LittleEndian.Uint64(values) ^ q)
		values = values[8:]
		if d <= radius {
			found(i, d)
		}
	}
}

// load256 reads 32 bytes as words. Which bit is which does not matter to a
// distance, as long as every value is read alike.
func load256(v []byte) [4]uint64 {
	v = v[:32]
	return [4]uint64{
		binary.LittleEndian.Uint64(v), binary.LittleEndian.Uint64(v[8:]),
		binary.LittleEndian.Uint64(v[16:]), binary.LittleEndian.Uint64(v[24:]),
	}
}
