package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"semblance"
	"semblance/models"
)

func newModels(e *env) *cobra.Command {
	return group("models", "Weights and the library that runs them: pull, list, verify, export, import, example",
		newModelsPull(e), newModelsList(e), newModelsVerify(e), newModelsExport(e), newModelsImport(e), newModelsExample(e))
}

func newModelsPull(e *env) *cobra.Command {
	return &cobra.Command{Use: "pull [NAME|ENGINE|all]...", Short: "Fetch weights from the manifest's sources in order, verify and convert them; without a name, the default engine's",
		RunE: func(cmd *cobra.Command, args []string) error {
			lib, err := openModels(e.cfg)
			if err != nil {
				return err
			}
			view := newPullView(e)
			err = lib.Pull(cmd.Context(), models.PullOptions{Progress: view.progress, Note: func(s string) { view.note(s) }}, args...)
			view.wait()
			if err != nil {
				return err
			}
			e.note("models are in %s", lib.Dir())
			return nil
		}}
}

// A pullView shows a bar for each artifact, or a line where nobody watches.
type pullView struct {
	e    *env
	c    *mpb.Progress
	bars map[string]*mpb.Bar
	done map[string]bool
}

func newPullView(e *env) *pullView {
	v := &pullView{e: e, bars: map[string]*mpb.Bar{}, done: map[string]bool{}}
	if terminal(e.err) && !e.quiet && !e.json {
		v.c = mpb.New(mpb.WithOutput(e.err), mpb.WithWidth(40), mpb.WithRefreshRate(200*time.Millisecond))
	}
	return v
}

func (v *pullView) progress(p models.Progress) {
	complete := p.Total > 0 && p.Done >= p.Total
	switch {
	case v.e.json && complete && !v.done[p.Name]:
		_ = v.e.emit(map[string]any{"event": "model", "name": p.Name, "bytes": p.Total, "source": p.Source})
	case v.c == nil && complete && !v.done[p.Name]:
		v.e.note("%s: %s from %s", p.Name, size(p.Total), p.Source)
	case v.c != nil:
		b := v.bars[p.Name]
		if b == nil {
			b = v.c.AddBar(p.Total, mpb.PrependDecorators(decor.Name(p.Name, decor.WC{W: 22, C: decor.DindentRight})),
				mpb.AppendDecorators(decor.CountersKiloByte("% .1f / % .1f"), decor.Name(" "+p.Source)))
			v.bars[p.Name] = b
		}
		b.SetTotal(p.Total, complete)
		b.SetCurrent(p.Done)
	}
	v.done[p.Name] = v.done[p.Name] || complete
}

func (v *pullView) note(s string) {
	if v.c != nil {
		fmt.Fprintln(v.c, s)
		return
	}
	v.e.note("%s", s)
}

func (v *pullView) wait() {
	if v.c == nil {
		return
	}
	for name, b := range v.bars {
		if !v.done[name] {
			b.Abort(false)
		}
	}
	v.c.Wait()
}

func newModelsList(e *env) *cobra.Command {
	return &cobra.Command{Use: "list", Short: "List weights: which are there, their license, which engines need them", Args: none, RunE: func(cmd *cobra.Command, _ []string) error {
		lib, err := openModels(e.cfg)
		if err != nil {
			return err
		}
		list, err := lib.List(cmd.Context())
		if err != nil {
			return err
		}
		return e.printModels(list)
	}}
}

func (e *env) printModels(list []models.Status) error {
	t := newTable("NAME", "STATE", "SIZE", "LICENSE", "ENGINES", "SHA-256")
	for _, s := range list {
		if e.json {
			if err := e.emit(map[string]any{"name": s.Name, "state": s.State, "path": s.Path, "sha256": s.SHA256, "size": s.Size, "license": s.License, "engines": s.Engines}); err != nil {
				return err
			}
			continue
		}
		t.row(s.Name, s.State, size(s.Size), s.License, strings.Join(s.Engines, ", "), s.SHA256[:16])
	}
	if !e.json {
		t.print(e.out)
	}
	return nil
}

func newModelsVerify(e *env) *cobra.Command {
	return &cobra.Command{Use: "verify", Short: "Hash every weight anew and compare with the manifest", Args: none, RunE: func(cmd *cobra.Command, _ []string) error {
		lib, err := openModels(e.cfg)
		if err != nil {
			return err
		}
		list, err := lib.Verify(cmd.Context())
		if perr := e.printModels(list); err == nil {
			err = perr
		}
		return err
	}}
}

func newModelsExport(e *env) *cobra.Command {
	var force bool
	cmd := &cobra.Command{Use: "export FILE [NAME|ENGINE|all]...", Short: "Write weights as one bundle, for a machine without a network; FILE may be - for standard output",
		Args: atLeast(1, "the file to write"), RunE: func(cmd *cobra.Command, args []string) error {
			lib, err := openModels(e.cfg)
			if err != nil {
				return err
			}
			return e.writeFile(args[0], force, func(w io.Writer) error { return lib.Export(cmd.Context(), w, args[1:]...) })
		}}
	forceFlag(cmd, &force)
	return cmd
}

func newModelsImport(e *env) *cobra.Command {
	return &cobra.Command{Use: "import FILE", Short: "Read a bundle that export wrote; every file is verified", Args: exactly(1, "the bundle"), RunE: func(cmd *cobra.Command, args []string) error {
		lib, err := openModels(e.cfg)
		if err != nil {
			return err
		}
		return e.importModels(cmd.Context(), lib, args[0])
	}}
}

func newModelsExample(e *env) *cobra.Command {
	return &cobra.Command{Use: "example FOLDER", Short: "Write an example of an own engine: the manifest, and a tiny network that is not trained", Args: exactly(1, "the folder to make"),
		Long: `FOLDER is made, and names the engine: data/engines/NAME makes it known to every
command, and so does its path in SEMBLANCE_ENGINES. Put your own network in the place of
the example's and say in engine.json what it wants; docs/engines.md explains each field,
and ` + "`semblance doctor`" + ` says whether it works.`,
		RunE: func(cmd *cobra.Command, args []string) error { return e.exampleEngine(e.path(args[0])) }}
}

// exampleEngine writes the example's folder. One that is there is left alone.
func (e *env) exampleEngine(dir string) error {
	manifest, network, err := models.ExampleEngine(filepath.Base(dir))
	if err != nil {
		return err
	}
	if err = os.MkdirAll(filepath.Dir(dir), 0o700); err == nil {
		err = os.Mkdir(dir, 0o700)
	}
	if err == nil {
		err = errors.Join(os.WriteFile(filepath.Join(dir, "network.onnx"), network, 0o600), os.WriteFile(filepath.Join(dir, models.EngineFile), manifest, 0o600))
	}
	if err != nil {
		return semblance.Errorf(semblance.Invalid, "the folder %q cannot be made", dir).WithHint("Name a folder that is not there yet, in one that this user may write.").WithCause(err)
	}
	e.note("written: %s; `semblance doctor` says whether it works", dir)
	return nil
}

func (e *env) importModels(ctx context.Context, lib *models.Library, path string) error {
	var r io.Reader = e.stdin(ctx)
	if path != "-" {
		f, err := e.open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		r = f
	}
	got, err := lib.Import(ctx, r)
	if err != nil {
		return err
	}
	if e.json {
		return e.emit(map[string]any{"imported": got})
	}
	e.say("imported: %s", strings.Join(got, ", "))
	return nil
}
