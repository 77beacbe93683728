package digestset

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"

	"semblance"
	"semblance/hashing"
)

// A journal says how far the building of a set is: lines of a checksum and JSON, each
// synced. The first is what is built; what comes after the last whole line never
// happened.
const journalName = "journal"

type journalHead struct {
	Format int                 `json:"format"`
	Set    semblance.DigestSet `json:"set"` // with ID; its source says what is read
}

const journalFormat = 1

// A checkpoint is everything up to a place in the source.
type checkpoint struct {
	At         semblance.SourcePosition  `json:"at"`
	Counts     semblance.SetCounts       `json:"counts"`           // so far
	Texts      []string                  `json:"texts,omitempty"`  // new ones
	Quarantine int64                     `json:"quarantine"`       // bytes of the file so far
	Runs       map[hashing.Algorithm]run `json:"runs,omitempty"`   // new ones
	End        bool                      `json:"end,omitempty"`    // the source is read
	File       *semblance.SetFile        `json:"file,omitempty"`   // an algorithm that is finished
	Merged     *semblance.SetCounts      `json:"merged,omitempty"` // what merging it added to the counts
	Source     *semblance.SHA256         `json:"source,omitempty"` // the source's
}

// A progress is what a journal says altogether.
type progress struct {
	head       journalHead
	at         semblance.SourcePosition
	counts     semblance.SetCounts
	texts      []string
	quarantine int64
	runs       map[hashing.Algorithm][]run
	end        bool
	files      []semblance.SetFile
	source     *semblance.SHA256
	length     int64 // of the journal's whole lines
}

func (p *progress) follow(c checkpoint) {
	switch {
	case c.File != nil:
		p.files = append(p.files, *c.File)
		if c.Merged != nil {
			p.counts = *c.Merged
		}
	case c.Source != nil:
		p.source = c.Source
	default:
		p.at, p.counts, p.quarantine, p.end = c.At, c.Counts, c.Quarantine, c.End
		p.texts = append(p.texts, c.Texts...)
		for a, r := range c.Runs {
			p.runs[a] = append(p.runs[a], r)
		}
	}
}

func journalLine(v any) ([]byte, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "%08x %s\n", crc32.Checksum(body, castagnoli), body), nil
}

// errNoJournal says that a folder has no journal of a set under way.
var errNoJournal = errors.New("no journal")

// readJournal reads the journal of a folder. A torn end is left out.
func readJournal(dir string) (*progress, error) {
	content, err := os.ReadFile(filepath.Join(dir, journalName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNoJournal
	}
	if err != nil {
		return nil, err
	}
	return parseJournal(content)
}

func parseJournal(content []byte) (*progress, error) {
	p := &progress{runs: map[hashing.Algorithm][]run{}}
	for first := true; ; first = false {
		line, rest, whole := bytes.Cut(content, []byte{'\n'})
		body, ok := checkedLine(line)
		if !whole || !ok {
			if first {
				return nil, errNoJournal
			}
			return p, nil
		}
		if first {
			if err := json.Unmarshal(body, &p.head); err != nil || p.head.Format != journalFormat || len(p.head.Set.Sources) != 1 {
				return nil, errNoJournal
			}
		} else {
			var c checkpoint
			if err := json.Unmarshal(body, &c); err != nil {
				return p, nil
			}
			p.follow(c)
		}
		p.length += int64(len(line)) + 1
		content = rest
	}
}

// checkedLine returns the JSON of a line whose checksum is right.
func checkedLine(line []byte) ([]byte, bool) {
	if len(line) < 10 || line[8] != ' ' {
		return nil, false
	}
	var sum uint32
	if n, err := fmt.Sscanf(string(line[:8]), "%08x", &sum); n != 1 || err != nil {
		return nil, false
	}
	return line[9:], sum == crc32.Checksum(line[9:], castagnoli)
}
