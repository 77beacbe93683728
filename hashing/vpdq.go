package hashing

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// A VPDQFrame is the PDQ of one frame of a video.
type VPDQFrame struct {
	Frame   int           // position among the video's frames, from 0
	Time    time.Duration // when it is shown, from the first frame on
	Quality int           // 0 to 100; see PDQMinQuality
	Hash    PDQ
}

// A VPDQ is a video as the PDQ of some of its frames, in the order they are shown.
type VPDQ []VPDQFrame

// The limits of what is read: foreign files say anything.
const (
	MaxVPDQFrames = 1 << 20 // twelve days at a frame a second
	MaxVPDQTime   = 1000 * time.Hour
	MaxVPDQLine   = 200
	maxVPDQNumber = math.MaxInt32
)

// AppendText appends the reference's text form: a line "frame,quality,hash,seconds"
// with three decimals for each frame.
func (v VPDQ) AppendText(b []byte) ([]byte, error) {
	for _, f := range v {
		b = fmt.Appendf(b, "%d,%d,%s,%s\n", f.Frame, f.Quality, f.Hash, seconds(f.Time))
	}
	return b, nil
}

// seconds writes a time as the reference does.
func seconds(t time.Duration) string {
	return strconv.FormatFloat(t.Seconds(), 'f', 3, 64)
}

// ParseVPDQ reads the reference's text form, one frame a line. Lines without the
// time, as the reference's oldest files have them, are refused: without times
// nothing can be aligned. Empty lines, upper case and CRLF are accepted. The error
// is a *SyntaxError that names the line and repeats no hash.
func ParseVPDQ(text []byte) (VPDQ, error) {
	var v VPDQ
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		line = strings.TrimSpace(strings.TrimPrefix(line, "\ufeff"))
		if line == "" {
			continue
		}
		f, err := parseVPDQLine(line)
		if err == nil {
			err = v.follows(f)
		}
		if err != nil {
			return nil, &SyntaxError{Msg: fmt.Sprintf("line %d: %s", number, err.Error())}
		}
		v = append(v, f)
	}
	return v, nil
}

func parseVPDQLine(line string) (VPDQFrame, error) {
	var f VPDQFrame
	if len(line) > MaxVPDQLine {
		return f, &SyntaxError{Msg: fmt.Sprintf("a line of %d bytes is not a frame of a vPDQ", len(line))}
	}
	parts := strings.Split(line, ",")
	if len(parts) != 4 {
		return f, &SyntaxError{Msg: fmt.Sprintf("%d fields; a frame of a vPDQ is frame,quality,hash,seconds", len(parts))}
	}
	n, err := strconv.ParseInt(parts[0], 10, 32)
	if err != nil || n < 0 {
		return f, &SyntaxError{Msg: "the number of the frame is not one"}
	}
	f.Frame = int(n)
	return f, f.parse(parts[2], parts[1], parts[3])
}

// parse reads the three texts that all forms have.
func (f *VPDQFrame) parse(hash, quality, at string) error {
	q, err := strconv.ParseUint(quality, 10, 8)
	if err != nil || q > 100 {
		return &SyntaxError{Msg: "the quality is not a number from 0 to 100"}
	}
	f.Quality = int(q)
	if f.Hash, err = ParsePDQ(hash); err != nil {
		return err
	}
	s, err := strconv.ParseFloat(at, 64)
	if err != nil || !(s >= 0 && s <= MaxVPDQTime.Seconds()) {
		return &SyntaxError{Msg: "the time is not a number of seconds"}
	}
	f.Time = time.Duration(math.Round(s * float64(time.Second)))
	return nil
}

// follows refuses a frame that cannot come after those that are there.
func (v VPDQ) follows(f VPDQFrame) error {
	switch {
	case len(v) == MaxVPDQFrames:
		return &SyntaxError{Msg: fmt.Sprintf("more than %d frames", MaxVPDQFrames)}
	case len(v) == 0:
		return nil
	case f.Frame <= v[len(v)-1].Frame:
		return &SyntaxError{Msg: fmt.Sprintf("frame %d comes after frame %d", f.Frame, v[len(v)-1].Frame)}
	case f.Time < v[len(v)-1].Time:
		return &SyntaxError{Msg: fmt.Sprintf("frame %d is shown before the one in front of it", f.Frame)}
	}
	return nil
}

// The binary form, which is what stores and workers keep: a head of eight bytes,
// then 48 for each frame, little endian.
const (
	vpdqMagic = "vPDQ\x01\x00\x00\x00"
	vpdqSize  = 4 + 8 + 4 + 32 // frame, nanoseconds, quality, hash
)

// AppendBinary appends the compact form that ParseVPDQBinary reads. A value of
// AlgorithmVPDQ or AlgorithmVPDQKeyframes is this.
func (v VPDQ) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, vpdqMagic...)
	for _, f := range v {
		b = binary.LittleEndian.AppendUint32(b, uint32(f.Frame))
		b = binary.LittleEndian.AppendUint64(b, uint64(f.Time))
		b = binary.LittleEndian.AppendUint32(b, uint32(f.Quality))
		b = append(b, f.Hash[:]...)
	}
	return b, nil
}

// MarshalBinary returns what AppendBinary appends.
func (v VPDQ) MarshalBinary() ([]byte, error) { return v.AppendBinary(nil) }

// ParseVPDQBinary reads what AppendBinary wrote. The error is a *SyntaxError.
func ParseVPDQBinary(b []byte) (VPDQ, error) {
	rest, ok := strings.CutPrefix(string(b), vpdqMagic)
	if !ok || len(rest)%vpdqSize != 0 {
		return nil, &SyntaxError{Msg: fmt.Sprintf("%d bytes are not the frames of a vPDQ", len(b))}
	}
	v := make(VPDQ, 0, min(len(rest)/vpdqSize, MaxVPDQFrames))
	for b := b[len(vpdqMagic):]; len(b) > 0; b = b[vpdqSize:] {
		n, at, q := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint64(b[4:]), binary.LittleEndian.Uint32(b[12:])
		if n > maxVPDQNumber || at > uint64(MaxVPDQTime) || q > 100 {
			return nil, &SyntaxError{Msg: fmt.Sprintf("frame %d of a vPDQ is out of range", len(v))}
		}
		f := VPDQFrame{Frame: int(n), Time: time.Duration(at), Quality: int(q), Hash: PDQ(b[16:vpdqSize])}
		if err := v.follows(f); err != nil {
			return nil, err
		}
		v = append(v, f)
	}
	return v, nil
}
