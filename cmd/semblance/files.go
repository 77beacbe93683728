package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"semblance"
	"semblance/hashing"
)

// told is an error whose line of JSON is printed already.
type told struct{ error }

// local runs f with an Engine that has workers and nothing stored.
func (e *env) local(f func(*semblance.Engine) error) error {
	if e.shared != nil {
		return f(e.shared.engine)
	}
	d := newDecoder(e.cfg)
	engines, err := d.engineSet()
	if err != nil {
		return err
	}
	err = f(semblance.New(semblance.Parts{Analyzer: d, Engines: engines, CheckEngine: d.check, Limits: e.cfg.Limits}))
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	return err
}

// A hashLine is what `semblance hash` says of one file.
type hashLine struct {
	Path    string `json:"path"`
	Size    int64  `json:"size"`
	Type    string `json:"media_type,omitempty"`
	Width   int    `json:"width,omitempty"`
	Height  int    `json:"height,omitempty"`
	MD5     string `json:"md5,omitempty"`
	SHA1    string `json:"sha1,omitempty"`
	SHA256  string `json:"sha256,omitempty"`
	PDQ     string `json:"pdq,omitempty"`
	Quality *int   `json:"pdq_quality,omitempty"`
	PHash   string `json:"phash,omitempty"`
	DHash   string `json:"dhash,omitempty"`
	AHash   string `json:"ahash,omitempty"`
	Decoder string `json:"decoder,omitempty"`
	Partial string `json:"partial,omitempty"`
	videoLine
	Audio []semblance.AudioStream `json:"audio,omitempty"`
	Error string                  `json:"error,omitempty"`
	Code  semblance.Code          `json:"code,omitempty"`
}

func newHash(e *env) *cobra.Command {
	var videos []string
	cmd := &cobra.Command{Use: "hash FILE...", Short: "Print digests and perceptual hashes of files", Args: atLeast(1, "at least one file"),
		Long: `Of a video, vPDQ and what --video names; frames and TMK+PDQF are printed with --json.
Documented in docs/hashing.md.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			algs, err := videoNames(videos)
			if err != nil {
				return err
			}
			return e.local(func(eng *semblance.Engine) error {
				return e.eachFile(args, func(path string, f *os.File) error { return e.hash(cmd.Context(), eng, path, f, algs) })
			})
		}}
	cmd.Flags().StringSliceVar(&videos, "video", []string{"vpdq"}, "signals of videos: vpdq, vpdq-keyframes, vpdq-upright (of those that are shown turned), vpdq-mirrored, tmk; none leaves videos out")
	return cmd
}

// A fileError is what a file that failed gives.
type fileError struct {
	Event  string         `json:"event,omitempty"`
	Path   string         `json:"path"`
	Error  string         `json:"error,omitempty"`
	Reason string         `json:"reason,omitempty"`
	Code   semblance.Code `json:"code"`
	Hint   string         `json:"hint,omitempty"`
}

// eachFile calls f for every file, tells of those that fail and goes on.
func (e *env) eachFile(paths []string, f func(path string, file *os.File) error) error {
	failed := 0
	for _, path := range paths {
		about := printable(path) + ": "
		file, err := e.open(path)
		if err == nil {
			err = f(path, file)
			file.Close()
		} else {
			about = "" // the error names the file
		}
		if err == nil {
			continue
		}
		if stopsAll(err) {
			return err
		}
		failed++
		var t told
		if errors.As(err, &t) {
			continue
		}
		if e.json {
			if err := e.emit(fileError{Path: path, Error: err.Error(), Code: semblance.CodeOf(err), Hint: semblance.HintOf(err)}); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(e.err, "semblance: error: %s%s\n", about, printable(message(err)))
		if h := semblance.HintOf(err); h != "" {
			fmt.Fprintf(e.err, "semblance: hint: %s\n", h)
		}
	}
	switch {
	case failed == len(paths):
		return errReported
	case failed > 0:
		return errSomeFailed
	}
	return nil
}

func (e *env) hash(ctx context.Context, eng *semblance.Engine, path string, f *os.File, videos []hashing.Algorithm) error {
	d, a, err := eng.Signals(ctx, f, semblance.AnalyzeRequest{Videos: videos, Hashes: []hashing.Algorithm{hashing.AlgorithmPDQ, hashing.AlgorithmPHash, hashing.AlgorithmDHash, hashing.AlgorithmAHash}})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	l := hashLine{Path: path, Size: d.Size, MD5: hex.EncodeToString(d.MD5[:]), SHA1: hex.EncodeToString(d.SHA1[:]), SHA256: hex.EncodeToString(d.SHA256[:])}
	if err != nil { // the digests stand by themselves
		l.Error, l.Code = err.Error(), semblance.CodeOf(err)
	} else {
		l.Type, l.Width, l.Height, l.Decoder, l.Partial = a.Type, a.Width, a.Height, a.Decoder, a.Partial
		if len(a.Hashes) > 0 && a.Hashes[0].PDQ != nil {
			h := a.Hashes[0]
			l.PDQ, l.Quality, l.PHash, l.DHash, l.AHash = h.PDQ.Hash.String(), &h.PDQ.Quality, h.PHash.String(), h.DHash.String(), h.AHash.String()
		}
	}
	if err == nil {
		err = l.videoLine.fill(&a)
	}
	if err == nil && a.Metadata.Video != nil {
		l.Audio = a.Metadata.Video.Audio
	}
	if e.json {
		if jerr := e.emit(l); jerr != nil {
			return jerr
		}
		if err != nil {
			return told{err}
		}
		return nil
	}
	e.say("%s", printable(path))
	switch {
	case a.IsSound():
		e.say("  %s, %s, %s", l.Type, size(l.Size), l.Decoder)
	case l.Type != "":
		e.say("  %s, %d by %d, %s, %s", l.Type, l.Width, l.Height, size(l.Size), l.Decoder)
	}
	e.say("  md5    %s\n  sha1   %s\n  sha256 %s", l.MD5, l.SHA1, l.SHA256)
	if l.PDQ != "" {
		e.say("  pdq    %s quality %d\n  phash  %s  dhash %s  ahash %s", l.PDQ, *l.Quality, l.PHash, l.DHash, l.AHash)
	}
	e.sayVideo(&l.videoLine)
	for _, s := range l.Audio {
		e.say("  sound  %s", soundOf(s))
	}
	if l.Partial != "" {
		e.say("  only a part: %s", l.Partial)
	}
	return err
}

// soundOf says what an audio stream is.
func soundOf(s semblance.AudioStream) string {
	text := fmt.Sprintf("%s, %s, %s, %d Hz", s.Codec, s.Duration.Round(100*time.Millisecond), count(int64(s.Channels), "channel", "channels"), s.Rate)
	if s.Language != "" && s.Language != "und" {
		text += ", " + s.Language
	}
	switch {
	case s.SHA256 != nil && s.Silent:
		text += ", silence"
	case s.SHA256 != nil:
		text += ", sha256 of its packets " + s.SHA256.String()
	case s.Partial != "":
		text += ", no digest: " + s.Partial
	}
	return printable(text)
}

// A faceLine is what `semblance faces` says of one file.
type faceLine struct {
	Path   string               `json:"path"`
	Engine semblance.EngineName `json:"engine"`
	Faces  []shownFace          `json:"faces"`
	semblance.Detection
	Dropped  int      `json:"dropped,omitempty"` // faces over the limit on them
	Warnings []string `json:"warnings,omitempty"`
}

type shownFace struct {
	Box         [4]float32            `json:"box"`
	Landmarks   [][2]float32          `json:"landmarks"`
	Score       float32               `json:"score"`
	Quality     float32               `json:"quality"`
	Reasons     []string              `json:"reasons,omitempty"`
	Components  *semblance.Components `json:"components,omitempty"`
	Reliability []string              `json:"reliability,omitempty"`
	Frame       int                   `json:"frame,omitempty"`
	Turn        int                   `json:"turn,omitempty"` // degrees clockwise by which the upright picture was turned to find it
	Embedding   []float32             `json:"embedding,omitempty"`
}

func newFaces(e *env) *cobra.Command {
	var engine string
	var embedding bool
	var look semblance.Detection
	cmd := &cobra.Command{Use: "faces FILE...", Short: "Find the faces of pictures", Args: atLeast(1, "at least one file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := look.Validate(); err != nil {
				return err
			}
			return e.local(func(eng *semblance.Engine) error {
				spec, err := eng.Engines.ByName(semblance.EngineName(engine))
				if err != nil {
					return err
				}
				if err := eng.CheckEngine(cmd.Context(), spec.Name); err != nil {
					return err
				}
				req := semblance.AnalyzeRequest{Engines: []semblance.EngineName{spec.Name}, NoEmbed: !embedding, Detection: look}
				return e.eachFile(args, func(path string, f *os.File) error {
					return e.faces(cmd.Context(), eng, path, f, req)
				})
			})
		}}
	cmd.Flags().StringVar(&engine, "engine", "", "face engine; empty is "+string(semblance.DefaultEngine))
	cmd.Flags().BoolVar(&embedding, "embedding", false, "print the embeddings as well")
	detectionFlags(cmd, &look)
	return cmd
}

func (e *env) faces(ctx context.Context, eng *semblance.Engine, path string, f *os.File, req semblance.AnalyzeRequest) error {
	_, a, err := eng.Signals(ctx, f, req)
	if err != nil {
		return err
	}
	engine := req.Engines[0]
	set, ran := a.Faces(engine)
	if !ran {
		return semblance.Errorf(semblance.Internal, "engine %s did not run", engine)
	}
	line := faceLine{Path: path, Engine: engine, Faces: []shownFace{}, Dropped: set.Dropped, Warnings: a.Warnings, Detection: set.Detection}
	for _, x := range set.Faces {
		s := shownFace{Box: [4]float32{x.Box.X, x.Box.Y, x.Box.W, x.Box.H}, Score: x.Score, Quality: x.Quality, Reasons: x.Reasons,
			Components: x.Components, Reliability: x.Reliability(), Frame: x.Frame, Turn: x.Turn}
		for _, p := range x.Landmarks {
			s.Landmarks = append(s.Landmarks, [2]float32{p.X, p.Y})
		}
		s.Embedding = x.Embedding // none unless it was asked for
		line.Faces = append(line.Faces, s)
	}
	if e.json {
		return e.emit(line)
	}
	e.say("%s: %s", printable(path), count(int64(len(line.Faces)), "face", "faces"))
	for i, s := range line.Faces {
		e.say("  face %d at %.0f,%.0f, %.0f by %.0f pixels, score %.2f, quality %.0f%s", i, s.Box[0], s.Box[1], s.Box[2], s.Box[3], s.Score, s.Quality, s.judgement())
	}
	for _, w := range line.Warnings {
		e.say("  note: %s", printable(w))
	}
	return nil
}

// judgement is what a person reads after the quality: the labels, what lowers the
// quality, and the lowest components.
func (s *shownFace) judgement() string {
	var b strings.Builder
	if s.Turn != 0 {
		fmt.Fprintf(&b, ", upright when the picture is turned clockwise by %d degrees", s.Turn)
	}
	if len(s.Reliability) > 0 {
		fmt.Fprintf(&b, " (%s)", strings.Join(s.Reliability, ", "))
	}
	if len(s.Reasons) > 0 {
		fmt.Fprintf(&b, "\n    lowered by: %s", strings.Join(s.Reasons, "; "))
	}
	if low := s.Components.Lowest(3, 60); len(low) > 0 {
		fmt.Fprintf(&b, "\n    lowest components: %s", strings.Join(low, ", "))
	}
	return b.String()
}

func newCompare(e *env) *cobra.Command {
	var engine string
	var faceA, faceB int
	var look semblance.Detection
	cmd := &cobra.Command{Use: "compare A B", Short: "Compare two pictures: the distance of a face of each, and their PDQ distance", Args: exactly(2, "two pictures"),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := e.open(args[0])
			if err != nil {
				return err
			}
			defer a.Close()
			b, err := e.open(args[1])
			if err != nil {
				return err
			}
			defer b.Close()
			which := func(name string, n *int) *int {
				if cmd.Flags().Changed(name) {
					return n
				}
				return nil
			}
			return e.local(func(eng *semblance.Engine) error {
				c, err := eng.Compare(cmd.Context(), semblance.EngineName(engine), look, a, b, which("face-a", &faceA), which("face-b", &faceB))
				if err != nil {
					return err
				}
				return e.printComparison(c)
			})
		}}
	f := cmd.Flags()
	f.StringVar(&engine, "engine", "", "face engine; empty is "+string(semblance.DefaultEngine))
	f.IntVar(&faceA, "face-a", 0, "which face of A, from 0")
	f.IntVar(&faceB, "face-b", 0, "which face of B, from 0")
	detectionFlags(cmd, &look)
	return cmd
}

func (e *env) printComparison(c semblance.Comparison) error {
	if e.json {
		return e.emit(c)
	}
	if c.Distance != nil {
		e.say("face distance %.4f (%s, engine %s; collections of this engine list candidates up to %.4f)", *c.Distance, c.Metric, c.Engine, c.Threshold)
	} else {
		e.say("no face distance: %s (%d and %d faces)", c.Why, c.FacesA, c.FacesB)
	}
	if c.PDQDistance != nil {
		e.say("PDQ distance %d of 256 bits, A %s (the nearest of its turns and mirrors; near up to %d, unrelated pictures are about 128 apart)", *c.PDQDistance, c.Transform, semblance.DefaultPDQDistance)
	}
	return nil
}
