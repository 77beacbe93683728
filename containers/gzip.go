package containers

import (
	"bufio"
	"compress/gzip"
	"io"
	"path"
	"strings"
	"time"

	"semblance"
)

func isGzip(head []byte, _ Part) bool {
	return len(head) > 10 && head[0] == 0x1f && head[1] == 0x8b && head[2] == 8 && head[3]&0xe0 == 0
}

// A stream is a container of one entry: what a compressor made of one file.
type stream struct {
	entry semblance.Entry
	facts semblance.ContainerFacts
	r     io.Reader
	given bool
}

func openGzip(parts []Part, _ Options) (Reader, error) {
	p := parts[0]
	z, err := gzip.NewReader(bufio.NewReaderSize(io.NewSectionReader(p.R, 0, p.Size), 1<<16))
	if err != nil {
		return nil, semblance.Errorf(semblance.MediaDamaged, "the gzip header is damaged").WithCause(err)
	}
	e := semblance.Entry{Name: []byte(z.Name), Kind: semblance.EntryFile, Size: -1, Offset: -1}
	if e.Name = []byte(path.Base(strings.ReplaceAll(z.Name, "\\", "/"))); z.Name == "" {
		e.Name = []byte(streamName(p.Name))
	}
	if !z.ModTime.IsZero() {
		e.Times = []semblance.FileTime{{What: "modified", Time: z.ModTime.UTC().Format(time.RFC3339), Source: "gzip header"}}
	}
	return &stream{entry: e, facts: semblance.ContainerFacts{Format: "gzip"}, r: z}, nil
}

// streamName is what the one entry of a compressed file is called when it does not say.
func streamName(name string) string {
	ext := strings.ToLower(path.Ext(name))
	if ext == ".tgz" {
		return strings.TrimSuffix(name, path.Ext(name)) + ".tar"
	}
	if base := strings.TrimSuffix(name, path.Ext(name)); base != "" && base != name {
		return base
	}
	return "content"
}

func (s *stream) Next() (semblance.Entry, error) {
	if s.given {
		return semblance.Entry{}, io.EOF
	}
	s.given = true
	return s.entry, nil
}

func (s *stream) Open() (io.Reader, error) { return damageReader{s.r, "the compressed data"}, nil }

func (s *stream) Facts() semblance.ContainerFacts { return s.facts }

func (s *stream) Close() error { return nil }

// A damageReader turns a decompressor's error into a sentence.
type damageReader struct {
	r    io.Reader
	what string
}

func (d damageReader) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	if err != nil && err != io.EOF {
		if _, ok := err.(*semblance.Error); !ok {
			err = semblance.Errorf(semblance.MediaDamaged, "%s is damaged or cut short; what could be read of it was examined", d.what).WithCause(err)
		}
	}
	return n, err
}
