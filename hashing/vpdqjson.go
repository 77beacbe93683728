package hashing

import (
	"encoding/json"
	"fmt"
	"strings"
)

// AppendJSON appends the form of the Python package threatexchange: a list of
// texts "hash,quality,seconds". It has no frame numbers.
func (v VPDQ) AppendJSON(b []byte) []byte {
	b = append(b, '[')
	for i, f := range v {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = fmt.Appendf(b, `"%s,%d,%s"`, f.Hash, f.Quality, seconds(f.Time))
	}
	return append(b, ']')
}

// ParseVPDQJSON reads the form of the Python package threatexchange. It has no frame
// numbers: frames are numbered by their place in the list. Threatexchange does not
// insist that times grow, and here they must. The error is a *SyntaxError.
func ParseVPDQJSON(text []byte) (VPDQ, error) {
	var list []string
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, &SyntaxError{Msg: "this is not a JSON list of frames: " + err.Error()}
	}
	var v VPDQ
	for i, s := range list {
		f := VPDQFrame{Frame: i}
		parts := strings.Split(s, ",")
		var err error
		if len(s) > MaxVPDQLine || len(parts) != 3 {
			err = &SyntaxError{Msg: fmt.Sprintf("%d fields; a frame is hash,quality,seconds", len(parts))}
		} else {
			err = f.parse(parts[0], parts[1], parts[2])
		}
		if err == nil {
			err = v.follows(f)
		}
		if err != nil {
			return nil, &SyntaxError{Msg: fmt.Sprintf("frame %d of the list: %s", i, err.Error())}
		}
		v = append(v, f)
	}
	return v, nil
}
