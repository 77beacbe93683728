package worker

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"semblance"
	"semblance/worker/cage"
)

// connFD is where a child finds its end of the socket pair.
const connFD = 3

// A Program is what a worker program does between the frames. Its functions are
// called one at a time, on one goroutine, after the cage has closed; a panic ends
// the child, which the parent replaces.
type Program struct {
	Facts    Facts    // Version and Cage are filled in by Serve
	Read     []string // files it must be able to open, besides the models
	ReadDirs []string // folders of public files, such as system libraries

	// Start gets the parent's hello before the cage closes. It may be nil.
	Start func(Hello) error
	// Analyze is the child's side of semblance.Analyzer. It reads f with pread only;
	// Serve closes it.
	Analyze func(f *os.File, req semblance.AnalyzeRequest) (semblance.Analysis, error)
	// IsVideo reports whether a file is a video, or sound, by its first bytes, and
	// AnalyzeVideo is Analyze for those. IsVideo may be nil: then nothing is a video.
	IsVideo      func(f *os.File) bool
	AnalyzeVideo func(f *os.File, req semblance.AnalyzeRequest) (semblance.Analysis, error)
	// Open opens a container; nil, without an error, is the answer for what is none. It is
	// read with pread only, and Serve closes it and its parts. progress may be called from
	// any work that takes long. Open may be nil: then nothing is a container.
	Open func(parts []Part, o semblance.ContainerOptions, progress func(done, total int64)) (ContainerReader, error)
	// IsContainer reports whether Open would open a file. It may be nil: then that is not
	// known beforehand.
	IsContainer func(p Part) (bool, error)
	// Check opens an engine, runs it once and returns the sha256 of its models.
	Check func(engine semblance.EngineName) (models map[string]string, err error)
}

// Serve closes the cage around this process and answers the parent until the
// parent is gone. It returns an error when this process was not started by a
// pool or the two programs do not fit; when the parent closes or dies the process
// ends, whatever it is doing.
func Serve(p Program) error {
	file := os.NewFile(connFD, "parent")
	generic, err := net.FileConn(file)
	if err != nil {
		return semblance.Errorf(semblance.Invalid, "this program is started by semblance and does nothing on its own").
			WithHint("Run semblance instead.").WithCause(err)
	}
	file.Close()
	conn, ok := generic.(*net.UnixConn)
	if !ok {
		return semblance.Errorf(semblance.Invalid, "this program is started by semblance over a Unix socket pair")
	}
	if err := greet(conn, p); err != nil {
		return err
	}
	var open session
	for in := range incoming(conn) {
		if open.takes(in) {
			err = open.serve(conn, &p, in)
		} else {
			err = send(conn, p.answer(in))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// greet answers the hello, after the cage has closed.
func greet(conn *net.UnixConn, p Program) error {
	in, err := receive(conn)
	if err != nil {
		return fmt.Errorf("read the hello: %w", err)
	}
	h := in.Hello
	if h == nil {
		return errors.New("the first request is not a hello")
	}
	p.Facts.Version = protocolVersion
	if h.Version == protocolVersion {
		if p.Start != nil {
			if err := p.Start(*h); err != nil {
				return send(conn, &reply{Error: remote(err)})
			}
		}
		policy := cage.Policy{Read: p.Read, ReadDirs: p.ReadDirs, Memory: h.Memory}
		for _, m := range h.Models {
			policy.Read = append(policy.Read, m.Path)
		}
		p.Facts.Cage = cage.Apply(policy)
	}
	return send(conn, &reply{Facts: &p.Facts})
}

// An arrival is a request with its descriptor.
type arrival struct {
	request
	file *os.File
}

// incoming reads ahead, so that a parent that goes away ends this process even in
// the middle of a file.
func incoming(conn *net.UnixConn) <-chan arrival {
	out := make(chan arrival)
	go func() {
		for {
			in, err := receive(conn)
			if err != nil {
				if !errors.Is(err, io.EOF) {
					fmt.Fprintln(os.Stderr, "semblance-worker:", err)
				}
				os.Exit(0)
			}
			out <- in
		}
	}()
	return out
}

func receive(conn *net.UnixConn) (arrival, error) {
	frame, file, err := receiveFrame(conn, maxRequest)
	if err != nil {
		return arrival{}, err
	}
	in := arrival{file: file}
	return in, json.Unmarshal(frame, &in.request)
}

func send(conn *net.UnixConn, r *reply) error {
	frame, err := marshalFrame(r, maxReply)
	if err != nil {
		// A NaN among the numbers, most likely; the parent must get an answer.
		r = &reply{Error: remote(err)}
		frame, err = marshalFrame(r, maxReply)
	}
	if err != nil {
		return err
	}
	if err := sendFrame(conn, frame, nil); err != nil || r.Analysis == nil {
		return err
	}
	return sendPixels(conn, r.Analysis.Pictures)
}

func (p *Program) answer(in arrival) *reply {
	if in.file != nil {
		defer in.file.Close()
	}
	switch {
	case in.Analyze != nil && in.file != nil:
		analyze := p.Analyze
		if len(in.Analyze.Videos) > 0 && p.IsVideo != nil && p.IsVideo(in.file) {
			if !in.Long {
				return &reply{Video: true}
			}
			analyze = p.AnalyzeVideo
		}
		a, err := analyze(in.file, *in.Analyze)
		if err != nil {
			return &reply{Error: remote(err), Plain: semblance.CodeOf(err) == semblance.MediaUnsupported && p.plain(in)}
		}
		tidy(&a)
		return &reply{Analysis: &a, Plain: (a.IsText() || a.IsSound()) && p.plain(in)}
	case in.Check != "" && p.Check != nil:
		start := time.Now()
		models, err := p.Check(in.Check)
		if err != nil {
			return &reply{Error: remote(err)}
		}
		return &reply{Engine: &EngineCheck{Models: models, Millis: float64(time.Since(start).Microseconds()) / 1000}}
	case in.Probe != nil:
		return &reply{Findings: cage.Probe(*in.Probe)}
	}
	return &reply{Error: &remoteError{Code: semblance.Internal, Msg: "the worker got a request it does not know"}}
}

// plain reports whether a file that was analyzed is known to be no container. What cannot
// be told now is asked again by opening it.
func (p *Program) plain(in arrival) bool {
	if in.Analyze.Name == "" || p.IsContainer == nil {
		return false
	}
	info, err := in.file.Stat()
	if err != nil {
		return false
	}
	is, err := p.IsContainer(Part{in.Analyze.Name, in.file, info.Size()})
	return err == nil && !is
}

// remote makes err fit for the journey.
func remote(err error) *remoteError {
	var e *semblance.Error
	if !errors.As(err, &e) {
		return &remoteError{Code: semblance.Internal, Msg: "the worker failed on this file", Cause: clip(err.Error(), maxText)}
	}
	r := &remoteError{Code: e.Code, Msg: clip(e.Msg, maxText), Hint: clip(semblance.HintOf(err), maxText)}
	if e.Err != nil {
		r.Cause = clip(e.Err.Error(), maxText)
	}
	return r
}
