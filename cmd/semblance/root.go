package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"semblance"
)

// run runs one command of this process and returns its exit code.
func run(ctx context.Context, args []string, s streams) int { return runWith(ctx, args, s, nil) }

// runWith runs a command, inside a server with its program.
func runWith(ctx context.Context, args []string, s streams, shared *program) int {
	e := &env{streams: s, args: args, shared: shared}
	root := newRoot(e)
	root.SetArgs(args)
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	err := root.ExecuteContext(ctx)
	var remote errRemote // the server has told already
	if err != nil && ctx.Err() != nil && !errors.As(err, &remote) {
		err = semblance.Errorf(semblance.Canceled, "interrupted").WithCause(err)
	}
	return exitCode(err, s.err)
}

// newRoot is the whole command line.
func newRoot(e *env) *cobra.Command {
	var data string
	root := &cobra.Command{
		Use:   "semblance",
		Short: "Compare seized media with reference collections: which files are known, whose face may be where, and why",
		Long: `Semblance takes in seized pictures, finds faces, computes embeddings and hashes, and
returns the nearest neighbours in reference collections, each with the reason it
was returned. A face candidate is a lead for a trained examiner, never an
identification; a near match becomes a hit when a person has verified it.

Everything of an installation is in one folder (--data). While "semblance serve"
runs, the commands go through it.

Exit codes: 0 done, 1 failed, 3 done but some items failed (each is reported), 130 interrupted.`,
		Version:      version,
		SilenceUsage: true, SilenceErrors: true,
		Args: cobra.ArbitraryArgs, RunE: subcommand,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			flags := map[string]any{}
			if cmd.Flags().Changed("data") {
				flags["data"] = data
			}
			if f := cmd.Flags().Lookup("addr"); f != nil && f.Changed {
				flags["serve.addr"] = f.Value.String()
			}
			if f := cmd.Flags().Lookup("workers"); f != nil && f.Changed {
				flags["worker.count"] = f.Value.String()
			}
			if e.shared != nil { // the server's configuration is the one that counts
				e.cfg = e.shared.cfg
				return nil
			}
			var err error
			e.cfg, err = loadConfig(e.streams, flags)
			return err
		},
	}
	f := root.PersistentFlags()
	f.StringVar(&data, "data", "", "folder that holds everything of this installation (SEMBLANCE_DATA)")
	f.BoolVar(&e.json, "json", false, "print NDJSON on standard output, for programs")
	f.BoolVarP(&e.quiet, "quiet", "q", false, "no progress on standard error")
	root.SetVersionTemplate("semblance {{.Version}}\n")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return semblance.Errorf(semblance.Invalid, "%v", err).WithHint("`%s --help` lists the flags.", c.CommandPath())
	})
	root.AddGroup(&cobra.Group{ID: "work", Title: "Cases and collections:"}, &cobra.Group{ID: "file", Title: "Files, nothing stored:"},
		&cobra.Group{ID: "admin", Title: "This installation:"})
	add := func(group string, cs ...*cobra.Command) {
		for _, c := range cs {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	root.SetHelpCommandGroupID("admin")
	add("work", newCase(e), newCollection(e), newCategory(e), newScan(e), newJobs(e), newSearch(e), newLookup(e), newLookback(e), newNotices(e), newStack(e), newLinks(e), newSelectors(e), newGroup(e), newReport(e), newItem(e), newSound(e))
	add("file", newHash(e), newFaces(e), newCompare(e), newEvaluate(e))
	add("admin", newServe(e), newModels(e), newProvider(e), newDoctor(e), newAudit(e), newToken(e), newConfig(e), newDemo(e), newVersion(e), newHealth(e))
	return root
}

// exactly, atMost and atLeast are cobra.Args that speak in sentences.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == n {
			return nil
		}
		return wrongArgs(c, what)
	}
}

func atMost(n int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) <= n {
			return nil
		}
		return semblance.Errorf(semblance.Invalid, "%s takes %s; %q is too much", c.CommandPath(), what, args[n]).WithHint("Usage: %s", c.UseLine())
	}
}

// none takes no arguments.
func none(c *cobra.Command, args []string) error { return atMost(0, "no arguments")(c, args) }

func atLeast(n int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) >= n {
			return nil
		}
		return wrongArgs(c, what)
	}
}

func wrongArgs(c *cobra.Command, what string) error {
	return semblance.Errorf(semblance.Invalid, "%s needs %s", c.CommandPath(), what).WithHint("Usage: %s", c.UseLine())
}

// group is a command that only has others.
func group(use, short string, subs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, RunE: subcommand, Args: cobra.ArbitraryArgs}
	c.AddCommand(subs...)
	return c
}

// subcommand is what runs when none of a command's commands was named.
func subcommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return c.Help()
	}
	mean := ""
	c.SuggestionsMinimumDistance = 2
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		mean = "Is " + strings.Join(near, " or ") + " meant? "
	}
	return semblance.Errorf(semblance.Invalid, "%s has no command %q", c.CommandPath(), args[0]).WithHint("%s`%s --help` lists them.", mean, c.CommandPath())
}

// list splits a flag of names separated by commas.
func list(names []string) []string {
	var out []string
	for _, n := range names {
		for _, s := range strings.Split(n, ",") {
			if s = strings.TrimSpace(s); s != "" && !slices.Contains(out, s) {
				out = append(out, s)
			}
		}
	}
	return out
}

func newVersion(e *env) *cobra.Command {
	return &cobra.Command{Use: "version", Short: "Print the version", Args: none, RunE: func(*cobra.Command, []string) error {
		if e.json {
			return e.emit(map[string]string{"version": version})
		}
		e.say("semblance %s", version)
		return nil
	}}
}
