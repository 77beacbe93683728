package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"semblance"
	"semblance/provider"
)

// openProviders reads the providers of the data folder. log gets what their programs die
// of; nil: nobody does.
func openProviders(cfg *config, log *slog.Logger) (*provider.Host, error) {
	o := provider.Options{Dir: filepath.Join(cfg.Data, "providers"), Processes: cfg.Workers, Log: log}
	if self, err := os.Executable(); err == nil {
		o.Stub = []string{self, cagedCommand}
	}
	return provider.Open(o)
}

func newProvider(e *env) *cobra.Command {
	return group("provider", "Look after providers: the agency's own PhotoDNA, classifier, age estimator or face engine",
		newProviderList(e), newProviderCheck(e))
}

// A providerLine is a provider as `provider list` tells of it.
type providerLine struct {
	Name    semblance.ProviderName  `json:"name"`
	Enabled bool                    `json:"enabled"`
	OK      bool                    `json:"ok"` // its folder is what its manifest says
	Spec    *semblance.ProviderSpec `json:"provider,omitempty"`
	Read    []string                `json:"read,omitempty"`
	Why     string                  `json:"why,omitempty"`
	Mend    string                  `json:"mend,omitempty"`
}

func newProviderList(e *env) *cobra.Command {
	return &cobra.Command{Use: "list", Short: "List the providers of the data folder, and verify their files", Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := openProviders(e.cfg, nil)
			if err != nil {
				return err
			}
			defer h.Close()
			t := newTable("NAME", "VERSION", "GIVES", "ENABLED", "FOUND")
			for _, l := range h.List() {
				line := describeProvider(cmd.Context(), h, l)
				if e.json {
					if err := e.emit(line); err != nil {
						return err
					}
					continue
				}
				found := "as its manifest says"
				if !line.OK {
					found = line.Why
				}
				t.row(line.Name, l.Manifest.Version, gifts(line.Spec), line.Enabled, found)
			}
			if e.json {
				return nil
			}
			if len(t.rows) == 0 {
				e.say("no providers; each is a folder in %s", filepath.Join(e.cfg.Data, "providers"))
				return nil
			}
			t.print(e.out)
			return nil
		}}
}

func describeProvider(ctx context.Context, h *provider.Host, l provider.Listing) providerLine {
	line := providerLine{Name: l.Name, Enabled: l.Enabled, Read: l.Manifest.Read}
	err := l.Err
	if err == nil {
		spec := l.Manifest.Spec()
		line.Spec = &spec
		err = h.Verify(ctx, l.Name)
	}
	if line.OK = err == nil; !line.OK {
		line.Why, line.Mend = message(err), semblance.HintOf(err)
	}
	return line
}

// gifts says what a provider gives.
func gifts(s *semblance.ProviderSpec) string {
	if s == nil {
		return ""
	}
	var out []string
	if s.Algorithm != "" {
		out = append(out, string(s.Algorithm))
	}
	if len(s.Labels) > 0 {
		out = append(out, count(int64(len(s.Labels)), "label", "labels"))
	}
	if s.Ages {
		out = append(out, "ages")
	}
	if s.Engine != "" {
		out = append(out, "faces")
	}
	return strings.Join(out, ", ")
}

func newProviderCheck(e *env) *cobra.Command {
	return &cobra.Command{Use: "check NAME", Short: "Verify a provider's files, start it in its cage and ask it about a generated picture", Args: exactly(1, "the provider's name"),
		Long: `The program is asked twice about one generated picture, which contains nobody and
nothing. What it answers is shown; nothing is stored.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := openProviders(e.cfg, slog.New(slog.NewTextHandler(e.err, nil)))
			if err != nil {
				return err
			}
			defer h.Close()
			t, err := h.Try(cmd.Context(), semblance.ProviderName(args[0]))
			if err != nil {
				return err
			}
			return e.sayTrial(t)
		}}
}

func (e *env) sayTrial(t provider.Trial) error {
	if e.json {
		return e.emit(struct {
			provider.Trial
			First  int64 `json:"first_ms"`
			Second int64 `json:"second_ms"`
		}{t, t.First.Milliseconds(), t.Second.Milliseconds()})
	}
	e.say("provider %s %s works: its files are those of its manifest, and it answered in its cage", t.Provider, t.Version)
	e.say("  started and answered in %d ms, answered again in %d ms", t.First.Milliseconds(), t.Second.Milliseconds())
	if t.Value != "" {
		e.say("  %s: %s", t.Algorithm, printable(shorten(t.Value, 60)))
	}
	if t.Trivial {
		e.say("  warning: this value is all zeros or all ones; such values are never compared")
	}
	for _, l := range t.Statement.Labels {
		e.say("  label %s: %.4f", l.Name, l.Score)
	}
	for _, a := range t.Statement.Ages {
		e.say("  age %.0f to %.0f", a.Low, a.High)
	}
	if t.Faces != nil {
		e.say("  %s (the picture has none)", count(int64(*t.Faces), "face", "faces"))
	}
	if t.Statement.None != "" {
		e.say("  it gives nothing of this picture: %s", t.Statement.None)
	}
	if !t.Same {
		e.say("  warning: the same picture got two different answers; scans will not give the same findings twice")
	}
	return nil
}

// diagnoseProviders verifies the enabled providers and runs each once.
func (e *env) diagnoseProviders(ctx context.Context) []diagnosis {
	h, err := openProviders(e.cfg, nil)
	if err != nil {
		return []diagnosis{bad("provider", "providers", true, err)}
	}
	defer h.Close()
	var out []diagnosis
	for _, l := range h.List() {
		if !l.Enabled && l.Err == nil {
			out = append(out, diagnosis{Area: "provider", Name: string(l.Name), OK: true, Says: "disabled"})
			continue
		}
		t, err := h.Try(ctx, l.Name)
		if err != nil {
			out = append(out, bad("provider", string(l.Name), true, err))
			continue
		}
		spec := l.Manifest.Spec()
		out = append(out, diagnosis{Area: "provider", Name: string(l.Name), OK: true, Need: true,
			Says: fmt.Sprintf("version %s gives %s, up in its cage and answered in %d ms", t.Version, gifts(&spec), t.First.Milliseconds())})
	}
	return out
}
