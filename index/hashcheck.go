package index

import (
	"semblance"
	"semblance/hashing"
)

// checkHash refuses values that are not of the algorithm.
func checkHash(a hashing.Algorithm, value []byte) error {
	switch bits := a.Bits(); {
	case bits == 0:
		return semblance.Errorf(semblance.Invalid, "no hash algorithm is called %q", string(a))
	case len(value)*8 != bits:
		return semblance.Errorf(semblance.Invalid, "a value of %s has %d bytes, not %d", string(a), bits/8, len(value))
	}
	return nil
}

// checkHashQuery refuses what has no answer.
func checkHashQuery(q semblance.HashQuery) error {
	bits := q.Algorithm.Bits()
	if bits == 0 {
		return semblance.Errorf(semblance.Invalid, "no hash algorithm is called %q", string(q.Algorithm))
	}
	for _, v := range q.Values {
		if err := checkHash(q.Algorithm, v); err != nil {
			return err
		}
	}
	if q.Radius < 0 || q.Radius > bits {
		return semblance.Errorf(semblance.Invalid, "a radius of %s is between 0 and %d, not %d", string(q.Algorithm), bits, q.Radius)
	}
	if q.Algorithm.IsDigest() && q.Radius != 0 {
		return semblance.Errorf(semblance.Invalid, "digests are equal or not; %s has no radius %d", string(q.Algorithm), q.Radius)
	}
	return nil
}
