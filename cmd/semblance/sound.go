package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"semblance"
	"semblance/hashing"
	"semblance/scan"
)

// A soundOrder says what sound is to be taken out of what.
type soundOrder struct {
	number, file, out string
	track             int
	force             bool
}

// soundWritten is what --json tells of it.
type soundWritten struct {
	Event   string `json:"event"`
	Path    string `json:"path"`
	Track   int    `json:"track"`
	SHA256  string `json:"sha256"`            // of the file that was written
	Partial string `json:"partial,omitempty"` // what the file lacks that the sound was taken from
}

func newSound(e *env) *cobra.Command {
	o := soundOrder{}
	cmd := &cobra.Command{Use: "sound FILE --case N -o OUT.mka [--track K]", Short: "Take the sound out of a video, as it is coded", Args: exactly(1, "the file of which the sound is wanted"),
		Long: `FILE has the content of an item of the case. One of its audio streams is written to a
Matroska file, packet by packet: nothing is decoded, and nothing is played. Who took it is
in the audit chain.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.file = args[0]
			switch {
			case o.number == "":
				return semblance.Errorf(semblance.Invalid, "no case is named").WithHint("Name it with --case.")
			case o.out == "" || o.out == "-":
				return semblance.Errorf(semblance.Invalid, "sound is written to a file").WithHint("Name it with -o.")
			case o.track < 1:
				return semblance.Errorf(semblance.Invalid, "%d is no audio stream; the first is 1", o.track)
			}
			if err := e.writable(o.out, o.force); err != nil {
				return err
			}
			return e.stored(cmd.Context(), func(p *program) error { return e.sound(cmd.Context(), p, o) })
		}}
	cmd.Flags().StringVar(&o.number, "case", "", "number of the case")
	cmd.Flags().StringVarP(&o.out, "out", "o", "", "the file to write")
	cmd.Flags().IntVar(&o.track, "track", 1, "which audio stream, from 1")
	forceFlag(cmd, &o.force)
	return cmd
}

// sound takes the sound out of a file, and audits that it will and that it has.
func (e *env) sound(ctx context.Context, p *program, o soundOrder) error {
	c, err := p.store.Case(ctx, o.number)
	if err != nil {
		return err
	}
	f, err := e.open(o.file)
	if err != nil {
		return err
	}
	defer f.Close()
	d, err := hashing.Digest(ctx, f)
	if err != nil {
		return err
	}
	sum := semblance.SHA256(d.SHA256)
	exhibit, path, err := p.itemWith(ctx, c, sum)
	if err != nil {
		return err
	}
	ev := semblance.AuditEvent{Actor: e.who(), Action: "sound", Case: c.Number, Purpose: c.Purpose, Basis: c.Basis,
		Detail: map[string]any{"media": sum.String(), "exhibit": exhibit, "item": path, "track": o.track}}
	if err := p.store.Append(ctx, ev); err != nil {
		return err
	}
	written, partial := sha256.New(), ""
	err = e.writeFile(o.out, o.force, func(w io.Writer) error {
		tracks, err := p.decoder.OpenContainer(ctx, []semblance.ContainerFile{{Name: filepath.Base(o.file), File: f}}, semblance.ContainerOptions{Sound: true}, nil)
		if err != nil {
			return err
		}
		if tracks == nil {
			return semblance.Errorf(semblance.Unavailable, "the worker does not open sound").WithHint("Install semblance and semblance-worker of one version.")
		}
		defer tracks.Close()
		n, err := copyTrack(tracks, o.track, io.MultiWriter(w, written))
		if semblance.CodeOf(err) == semblance.MediaDamaged && n > 0 { // what there is of it is wanted
			partial, err = err.Error(), nil
		}
		if err != nil {
			return err
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
		if again, err := hashing.Digest(ctx, f); err != nil || again.SHA256 != d.SHA256 {
			return semblance.Errorf(semblance.Conflict, "the file changed while its sound was taken").WithCause(err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	ev.Action = "sound.written"
	ev.Detail["sha256"], ev.Detail["partial"] = hex.EncodeToString(written.Sum(nil)), partial
	if err := p.store.Append(ctx, ev); err != nil {
		return err
	}
	if partial != "" {
		e.note("only a part: %s", printable(partial))
	}
	if e.json {
		return e.emit(soundWritten{Event: "sound", Path: o.out, Track: o.track, SHA256: hex.EncodeToString(written.Sum(nil)), Partial: partial})
	}
	return nil
}

// copyTrack writes the track-th entry of a container, from 1.
func copyTrack(c scan.Container, track int, w io.Writer) (int64, error) {
	for i := 1; ; i++ {
		_, err := c.Next()
		if err == io.EOF {
			return 0, semblance.Errorf(semblance.NotFound, "the file has no audio stream %d; it has %d", track, i-1)
		}
		if err != nil {
			return 0, err
		}
		if i == track {
			return c.Copy(w)
		}
	}
}

// itemWith finds an item of a case that has a content.
func (p *program) itemWith(ctx context.Context, c semblance.Case, sum semblance.SHA256) (exhibit, path string, err error) {
	for row, err := range p.rows(ctx, c.ID) {
		if err != nil {
			return "", "", err
		}
		if row.Item.SHA256 != nil && *row.Item.SHA256 == sum {
			return row.Exhibit, row.Item.Path, nil
		}
	}
	return "", "", semblance.Errorf(semblance.NotFound, "no item of case %s has the content of this file (sha256 %s)", c.Number, sum).
		WithHint("Scan the exhibit first, and give the file as it is there.")
}
