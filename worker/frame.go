package worker

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
)

// A violation is an answer that no honest child gives.
type violation struct{ what string }

func (v *violation) Error() string { return "protocol violation: " + v.what }

func violate(format string, args ...any) error { return &violation{fmt.Sprintf(format, args...)} }

// header is the length of a frame's length.
const header = 4

// marshalFrame returns v as a frame of at most limit bytes after the header.
func marshalFrame(v any, limit int) ([]byte, error) {
	var b bytes.Buffer
	b.Write(make([]byte, header))
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encode a frame: %w", err)
	}
	n := b.Len() - header
	if n > limit {
		return nil, fmt.Errorf("a frame of %d bytes is over the limit of %d", n, limit)
	}
	binary.BigEndian.PutUint32(b.Bytes(), uint32(n))
	return b.Bytes(), nil
}

// readBody reads the rest of a frame whose header says n. Memory grows with what
// really arrives, not with what the header claims.
func readBody(r io.Reader, n uint32, limit int) ([]byte, error) {
	if n == 0 || int64(n) > int64(limit) {
		return nil, violate("a frame of %d bytes, where 1 to %d are possible", n, limit)
	}
	var b bytes.Buffer
	b.Grow(min(int(n), 64<<10))
	if _, err := io.CopyN(&b, r, int64(n)); err != nil {
		return nil, fmt.Errorf("read a frame of %d bytes: %w", n, err)
	}
	return b.Bytes(), nil
}

// readFrame reads one frame without descriptors.
func readFrame(r io.Reader, limit int) ([]byte, error) {
	var h [header]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return nil, err
	}
	return readBody(r, binary.BigEndian.Uint32(h[:]), limit)
}

// parseReply decodes an answer of a child, which may be any bytes.
func parseReply(frame []byte, b budget) (*reply, error) {
	if n := bytes.Count(frame, []byte("{")) + bytes.Count(frame, []byte("[")); n > b.objects {
		return nil, violate("%d objects, where %d are possible", n, b.objects)
	}
	if n := bytes.Count(frame, []byte(",")); n > b.values {
		return nil, violate("%d values, where %d are possible", n, b.values)
	}
	var r reply
	d := json.NewDecoder(bytes.NewReader(frame))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return nil, violate("not an answer: %v", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, violate("more than one answer")
	}
	return &r, nil
}

// sendFrame writes a frame, with f's descriptor when f is not nil.
func sendFrame(c *net.UnixConn, frame []byte, f *os.File) error {
	if f == nil {
		_, err := c.Write(frame)
		return err
	}
	var n int
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	// Control keeps the descriptor from being closed while it is sent.
	ctlErr := raw.Control(func(fd uintptr) {
		n, _, err = c.WriteMsgUnix(frame, syscall.UnixRights(int(fd)), nil)
	})
	if err = errors.Join(ctlErr, err); err != nil {
		return err
	}
	_, err = c.Write(frame[n:])
	return err
}

// receiveFrame reads one frame and the descriptor that came with it, nil when
// none did. The caller closes it.
func receiveFrame(c *net.UnixConn, limit int) (frame []byte, f *os.File, err error) {
	var h [header]byte
	oob := make([]byte, syscall.CmsgSpace(4*4))
	for got := 0; got < header; {
		n, oobn, _, _, err := c.ReadMsgUnix(h[got:], oob)
		if err == nil && n == 0 {
			err = io.EOF
		}
		if err != nil {
			return nil, nil, err
		}
		got += n
		if oobn > 0 {
			if f, err = descriptor(oob[:oobn]); err != nil {
				return nil, nil, err
			}
		}
	}
	frame, err = readBody(c, binary.BigEndian.Uint32(h[:]), limit)
	if err != nil && f != nil {
		f.Close()
		f = nil
	}
	return frame, f, err
}

// descriptor takes the one descriptor out of a control message.
func descriptor(oob []byte) (*os.File, error) {
	messages, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, fmt.Errorf("parse a control message: %w", err)
	}
	var fds []int
	for _, m := range messages {
		more, err := syscall.ParseUnixRights(&m)
		if err != nil {
			return nil, fmt.Errorf("parse passed descriptors: %w", err)
		}
		fds = append(fds, more...)
	}
	if len(fds) != 1 {
		for _, fd := range fds {
			syscall.Close(fd)
		}
		return nil, violate("%d descriptors with one request", len(fds))
	}
	return os.NewFile(uintptr(fds[0]), "item"), nil
}
