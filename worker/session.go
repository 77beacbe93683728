package worker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"semblance"
)

// A Part is one of the files a container lies in, as a child has it.
type Part struct {
	Name string
	File *os.File
	Size int64
}

// A ContainerReader goes through the entries of a container; containers.Reader says how.
type ContainerReader interface {
	Next() (semblance.Entry, error)
	Open() (io.Reader, error)
	Facts() semblance.ContainerFacts
	Close() error
}

// chunk is how much content travels at once.
const chunk = 1 << 20

// A session is the child's side of an open container.
type session struct {
	parts  []Part
	reader ContainerReader
	conn   *net.UnixConn
	told   time.Time // when the parent last heard
	quiet  bool      // content is on its way: no frame may come between
	buf    []byte
	broken error // a frame could not be sent
}

// takes reports whether a request is about a container.
func (s *session) takes(in arrival) bool {
	return in.Part != nil || in.Open != nil || in.Next || in.Read || in.Close
}

// serve answers one request. The error is the connection's.
func (s *session) serve(conn *net.UnixConn, p *Program, in arrival) error {
	s.conn, s.told = conn, time.Now()
	switch {
	case in.Part != nil:
		if in.file == nil {
			return send(conn, &reply{Error: remote(errors.New("a part without a descriptor"))})
		}
		s.parts = append(s.parts, Part{in.Part.Name, in.file, in.Part.Size})
		return nil
	case in.file != nil:
		in.file.Close()
	}
	var r reply
	switch {
	case in.Open != nil:
		r = s.open(p, *in.Open)
	case in.Close:
		s.close()
		r.Container = &containerReply{}
	case s.reader == nil:
		r.Error = &remoteError{Code: semblance.Internal, Msg: "the worker has no container open"}
	case in.Next:
		r = s.next()
	case in.Read:
		r = s.read()
	}
	if s.broken != nil {
		return s.broken
	}
	return send(conn, &r)
}

// working tells the parent that the child is not hanging, now and then.
func (s *session) working(done, total int64) {
	if s.quiet || s.broken != nil || time.Since(s.told) < 200*time.Millisecond {
		return
	}
	s.told = time.Now()
	s.broken = send(s.conn, &reply{Working: &working{done, total}})
}

func (s *session) open(p *Program, o semblance.ContainerOptions) (r reply) {
	if p.Open == nil || len(s.parts) == 0 {
		s.close()
		return reply{Container: &containerReply{}}
	}
	reader, err := p.Open(s.parts, o, s.working)
	if err != nil || reader == nil {
		s.close()
		if err != nil {
			return reply{Error: remote(err)}
		}
		return reply{Container: &containerReply{}}
	}
	s.reader = reader
	return reply{Container: &containerReply{Facts: s.facts()}}
}

func (s *session) facts() *semblance.ContainerFacts {
	f := s.reader.Facts()
	f.Format, f.Notes = clean(f.Format, maxText), tidyTexts(f.Notes)
	return &f
}

func (s *session) next() reply {
	e, err := s.reader.Next()
	switch {
	case err == io.EOF: // as a cause it is damage
		return reply{Container: &containerReply{End: true, Facts: s.facts()}}
	case err != nil:
		return reply{Error: remote(err), Container: &containerReply{Facts: s.facts()}}
	}
	tidyEntry(&e)
	return reply{Container: &containerReply{Entry: &e}}
}

// read answers that there is content, sends it, as frames of bytes and an empty one, and
// then says how it ended.
func (s *session) read() reply {
	in, err := s.reader.Open()
	if err != nil {
		return reply{Error: remote(err)}
	}
	if s.broken = errors.Join(s.broken, send(s.conn, &reply{Container: &containerReply{}})); s.broken != nil {
		return reply{}
	}
	s.quiet = true
	err = s.content(in)
	s.quiet = false
	if _, werr := s.conn.Write(make([]byte, header)); werr != nil {
		s.broken = errors.Join(s.broken, werr)
	}
	if err != nil {
		return reply{Error: remote(err)}
	}
	return reply{Container: &containerReply{}}
}

func (s *session) content(in io.Reader) error {
	if s.buf == nil {
		s.buf = make([]byte, header+chunk)
	}
	for {
		n, err := fill(in, s.buf[header:])
		if n > 0 {
			binary.BigEndian.PutUint32(s.buf, uint32(n))
			if _, werr := s.conn.Write(s.buf[:header+n]); werr != nil {
				s.broken = werr
				return nil
			}
		}
		if err != nil {
			if err == io.EOF { // as a cause it is damage
				err = nil
			}
			return err
		}
	}
}

// fill reads until buf is full or the reader ends, and keeps what came before an error.
func fill(r io.Reader, buf []byte) (n int, err error) {
	for idle := 0; n < len(buf) && err == nil; {
		var got int
		got, err = r.Read(buf[n:])
		n += got
		if idle++; got > 0 {
			idle = 0
		}
		if idle > 100 {
			err = io.ErrNoProgress
		}
	}
	return n, err
}

func (s *session) close() {
	if s.reader != nil {
		if err := s.reader.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "semblance-worker: close a container:", err)
		}
		s.reader = nil
	}
	for _, p := range s.parts {
		p.File.Close()
	}
	s.parts = nil
}

// The most an entry can hold.
const (
	maxEntryName  = 32 << 10
	maxEntryTimes = 8
)

// tidyEntry makes an honest entry fit the parent's rules.
func tidyEntry(e *semblance.Entry) {
	if len(e.Name) > maxEntryName {
		e.Name, e.Code, e.Reason = e.Name[:maxEntryName], semblance.MediaUnsupported, fmt.Sprintf("the name is longer than %d bytes; it is cut and the content is not read", maxEntryName)
	}
	kept := e.Times[:0:0]
	for _, t := range e.Times {
		t.What, t.Source = clean(t.What, maxText), clean(t.Source, maxText)
		if len(kept) < maxEntryTimes && checkFileTime(t) == nil {
			kept = append(kept, t)
		}
	}
	e.Times = kept
	e.Origin = clip(strings.ToValidUTF8(e.Origin, "\ufffd"), maxEntryName)
	e.Target, e.Reason = clean(e.Target, maxText), clean(e.Reason, maxText)
	if e.Code != "" && e.Reason == "" {
		e.Reason = "it cannot be read"
	}
	if e.Size < 0 {
		e.Size = -1
	}
	if e.Offset < 0 {
		e.Offset = -1
	}
}
