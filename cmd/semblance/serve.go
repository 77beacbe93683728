package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"semblance"
	"semblance/api"
	"semblance/docs"
	"semblance/report"
	"semblance/store"
	"semblance/web"
)

// A serveOptions is what serve is told.
type serveOptions struct {
	cert, key string
	base      string
	ready     func(addr string) // called when requests are answered; tests
}

func newServe(e *env) *cobra.Command {
	var o serveOptions
	cmd := &cobra.Command{Use: "serve", Short: "Answer the API under /v1 and the page at /, on this machine only unless --addr says otherwise", Args: cobra.NoArgs,
		Long: `The API is under /v1, its description at /openapi.json, the page at /, whether it is
alive at /healthz, counters at /metrics. Every call under /v1 and /metrics needs a
token: the first start makes one and shows it once. Uploads wait in the data folder
until they are examined; what was not done when the service stops goes on at its
next start. Other commands on the same data folder go through the service.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if e.shared != nil {
				return semblance.Errorf(semblance.Conflict, "the data folder is served already")
			}
			return e.serve(cmd.Context(), o)
		}}
	f := cmd.Flags()
	f.String("addr", "127.0.0.1:8080", "address to listen on (SEMBLANCE_ADDR); port 0 chooses one")
	f.StringVar(&o.cert, "tls-cert", "", "certificate chain, PEM; with --tls-key the service speaks HTTPS")
	f.StringVar(&o.key, "tls-key", "", "private key, PEM")
	f.StringVar(&o.base, "base-url", "", "what links in problem details begin with, such as https://semblance.example")
	return cmd
}

// serve opens the data folder and answers until it is interrupted.
func (e *env) serve(ctx context.Context, o serveOptions) error {
	if (o.cert == "") != (o.key == "") {
		return semblance.Errorf(semblance.Invalid, "--tls-cert and --tls-key go together")
	}
	p, err := openProgram(ctx, e.cfg, e.note)
	if err != nil {
		return err
	}
	err = e.serveProgram(ctx, p, o)
	return errors.Join(err, p.Close())
}

// serveProgram serves an open program: the socket for commands, the jobs, HTTP.
func (e *env) serveProgram(ctx context.Context, p *program, o serveOptions) error {
	log := slog.New(slog.NewTextHandler(e.err, nil))
	if e.quiet {
		log = slog.New(slog.NewTextHandler(e.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	if err := e.bootstrap(ctx, p); err != nil {
		return err
	}
	spool, err := api.OpenSpool(filepath.Join(p.cfg.Data, "spool"), p.cfg.UploadBytes, 0)
	if err != nil {
		return err
	}
	jobs := p.jobs
	if err := jobs.serve(ctx, spool, log); err != nil {
		return err
	}
	listener, err := e.listen(p.cfg.Addr, o)
	if err != nil {
		return errors.Join(err, jobs.Close())
	}
	addr := listener.Addr().String()
	server, err := api.New(p.parts(spool, jobs, log), api.Options{Version: version, Base: strings.TrimSuffix(o.base, "/"), Local: api.IsLoopback(addr), MediaBytes: p.cfg.Limits.Bytes})
	if err != nil {
		return errors.Join(err, listener.Close(), jobs.Close())
	}
	socket, err := listenSocket(p.cfg.Data)
	if err != nil {
		return errors.Join(err, listener.Close(), jobs.Close())
	}
	p.background = jobs.Reenroll
	p.lookback = func(ctx context.Context, who semblance.Actor) error { return jobs.lookBackIfDue(ctx, who) }
	commands, stopCommands := context.WithCancel(ctx)
	defer stopCommands()
	go serveCommands(commands, socket, p)
	h := server.HTTP()
	h.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelWarn)
	failed := make(chan error, 1)
	go func() { failed <- h.Serve(listener) }()
	e.announce(addr, o)
	if o.ready != nil {
		o.ready(addr)
	}
	select {
	case err = <-failed:
	case <-ctx.Done():
		e.note("stopping: requests are finished, what is left of the jobs goes on at the next start")
	}
	stopCommands()
	return errors.Join(ignoreClosed(err), e.shutdown(h), socket.Close(), jobs.Close())
}

// shutdownGrace is how long requests may take to end: longer than a picture takes.
const shutdownGrace = 30 * time.Second

func (e *env) shutdown(h *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownGrace)
	defer cancel()
	if err := h.Shutdown(ctx); err != nil {
		return h.Close() // those that did not end are cut
	}
	return nil
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// listen opens the address, with TLS when there is a certificate.
func (e *env) listen(addr string, o serveOptions) (net.Listener, error) {
	var config *tls.Config
	if o.cert != "" {
		pair, err := tls.LoadX509KeyPair(e.path(o.cert), e.path(o.key))
		if err != nil {
			return nil, semblance.Errorf(semblance.Invalid, "the certificate or its key cannot be used: %v", err)
		}
		config = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, semblance.Errorf(semblance.Unavailable, "the address %s cannot be listened on: %v", addr, err).
			WithHint("Give another with --addr; port 0 chooses a free one.")
	}
	if config != nil {
		l = tls.NewListener(l, config)
	}
	return l, nil
}

// announce tells where the service is, and warns when others can listen in.
func (e *env) announce(addr string, o serveOptions) {
	scheme := "http"
	if o.cert != "" {
		scheme = "https"
	}
	if !api.IsLoopback(addr) && o.cert == "" {
		e.warn("WARNING: %s can be reached from other machines and there is no TLS: tokens, pictures and findings cross the network in the clear. "+
			"Give --tls-cert and --tls-key, or put a proxy with TLS in front.", addr)
	}
	if e.json {
		_ = e.emit(map[string]string{"event": "serving", "url": scheme + "://" + addr})
		return
	}
	e.note("serving %s://%s  (the page at /, the API under /v1, its description at /openapi.json)", scheme, addr)
}

// warn prints a line that --quiet does not hide.
func (e *env) warn(format string, a ...any) {
	quiet := e.quiet
	e.quiet = false
	e.note(format, a...)
	e.quiet = quiet
}

// bootstrapFile holds the first token, for the person who starts the service.
const bootstrapFile = "bootstrap-token"

// bootstrap makes the first token of an installation, shows it once and leaves it in
// the data folder. When that token has been revoked or rotated, the file is removed
// at the next start: it would be of no use, and looks as if it were.
func (e *env) bootstrap(ctx context.Context, p *program) error {
	path := filepath.Join(p.cfg.Data, bootstrapFile)
	tokens, err := p.store.Tokens(ctx)
	if err != nil {
		return err
	}
	for _, t := range tokens {
		if t.Name == bootstrapToken && t.Revoked != nil {
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	if len(tokens) > 0 {
		return nil
	}
	secret, hash := newSecret()
	// The file first: a token that is stored and in nobody's hands is of no use.
	if err := os.WriteFile(path, []byte(secret+"\n"), 0o600); err != nil {
		return err
	}
	if _, err := p.store.CreateToken(ctx, bootstrapToken, hash, e.audit("token.create", bootstrapToken)); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	e.warn("the first token, named %s; it is shown once, and lies in %s until it is rotated:\n%s", bootstrapToken, path, secret)
	return nil
}

// parts are what the service is made of.
func (p *program) parts(spool *api.Spool, jobs *runner, log *slog.Logger) api.Parts {
	return api.Parts{
		Cases: p.store, Collections: p.store, Keeper: watchedEngine{p.engine, jobs}, Filler: watchedEngine{p.engine, jobs}, Lookbacker: p.engine, Stacker: p.engine, Linker: p.engine, LookbackJobs: jobs, Curator: p.engine, Categories: p.store, References: p.store, Reenroller: jobs, Calibrator: p.engine, Searcher: p.engine, Requests: p.store, Media: p.store,
		Grouper: p.engine, GroupEditor: p.engine,
		Pictures: p.store, Records: records{p.store}, Jobs: jobs, Pauser: jobs, Scans: jobs, Audit: p.store, Spool: spool, Engines: p.engine.Engines,
		Report: func(ctx context.Context, w io.Writer, format, number string, who semblance.Actor) error {
			return p.report(ctx, w, report.Format(format), number, who)
		},
		Token: func(ctx context.Context, hash [32]byte) (string, error) {
			t, err := p.store.TokenByHash(ctx, hash)
			return t.Name, err
		},
		Pages: web.Files(), Problems: docs.Problems, Log: log,
	}
}

// records shows the store's rows as the API has them.
type records struct{ s *store.Store }

// Exhibits implements api.Records.
func (r records) Exhibits(ctx context.Context, c semblance.CaseID) ([]semblance.Exhibit, error) {
	return r.s.Exhibits(ctx, c)
}

// Items implements api.Records.
func (r records) Items(ctx context.Context, c semblance.CaseID, p api.Page) ([]api.ItemRow, error) {
	rows, err := r.s.ItemRows(ctx, c, p.Exhibit, store.Position(p.After), p.Limit)
	out := make([]api.ItemRow, len(rows))
	for i, row := range rows {
		out[i] = api.ItemRow{Exhibit: row.Exhibit, Item: row.Item}
	}
	return out, err
}

// Findings implements api.Records.
func (r records) Findings(ctx context.Context, c semblance.CaseID, kind, collection string, p api.Page) ([]api.FindingRow, error) {
	f := store.FindingFilter{Exhibit: p.Exhibit, Collection: collection, After: store.Position(p.After), Limit: p.Limit}
	if kind != "" {
		f.Kinds = []store.FindingKind{store.FindingKind(kind)}
	}
	rows, err := r.s.FindingRows(ctx, c, f)
	out := make([]api.FindingRow, len(rows))
	for i, row := range rows {
		out[i] = api.FindingRow(row)
	}
	return out, err
}

// MediaFindings implements api.Records.
func (r records) MediaFindings(ctx context.Context, c semblance.CaseID, media semblance.SHA256) (*semblance.Findings, bool, error) {
	has, err := r.s.HasMedia(ctx, c, media)
	if err != nil || !has {
		return nil, false, err
	}
	found, err := r.s.Findings(ctx, c, media)
	if err != nil {
		return nil, false, err
	}
	return found[0], true, nil
}

// newHealth asks a running service whether it is alive: the container's health
// check.
func newHealth(e *env) *cobra.Command {
	cmd := &cobra.Command{Use: "health", Short: "Ask a running service whether it is alive", Hidden: true, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		ctx, cancel := context.WithTimeout(cmd.Context(), 5*time.Second)
		defer cancel()
		return health(ctx, e.cfg.Addr)
	}}
	cmd.Flags().String("addr", "127.0.0.1:8080", "address the service listens on (SEMBLANCE_ADDR)")
	return cmd
}

func health(ctx context.Context, addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return semblance.Errorf(semblance.Invalid, "%q is not an address", addr).WithHint("Write it as 127.0.0.1:8080.")
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	var last error
	for _, scheme := range []string{"http", "https"} {
		if last = alive(ctx, scheme+"://"+net.JoinHostPort(host, port)+"/healthz"); last == nil {
			return nil
		}
	}
	return semblance.Errorf(semblance.Unavailable, "no service answers at %s", addr).WithHint("Start it with `semblance serve`.").WithCause(last)
}

// alive asks once. The certificate is not checked: the question holds no secret and
// is asked of this machine.
func alive(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} //nolint:gosec // see above
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var answer struct{ Status string }
	if err := json.NewDecoder(io.LimitReader(res.Body, 1<<10)).Decode(&answer); err != nil || answer.Status != "ok" {
		return errors.New("not the service")
	}
	return nil
}
