package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"semblance"
	"semblance/store"
)

func newAudit(e *env) *cobra.Command {
	var after int64
	var limit int
	show := &cobra.Command{Use: "list", Short: "List events of the audit chain, the oldest first", Args: none, RunE: func(cmd *cobra.Command, _ []string) error {
		return e.stored(cmd.Context(), func(p *program) error {
			events, err := p.store.AuditEvents(cmd.Context(), after, limit)
			if err != nil {
				return err
			}
			t := newTable("SEQ", "TIME", "ACTOR", "ACTION", "CASE", "COLLECTIONS", "DETAIL")
			for _, ev := range events {
				if e.json {
					if err := e.emit(ev); err != nil {
						return err
					}
					continue
				}
				t.row(ev.Seq, ev.Time.Format("2006-01-02 15:04:05"), ev.Actor.Name, ev.Action, ev.Case, strings.Join(ev.Collections, ", "), details(ev.Detail))
			}
			if !e.json {
				t.print(e.out)
			}
			last, err := p.store.LastAudit(cmd.Context())
			if err != nil {
				return err
			}
			told := after
			if n := len(events); n > 0 {
				told = events[n-1].Seq
			}
			if more := last - told; more > 0 {
				e.note("%s not listed: --after %d goes on, --limit %d lists all that come after it at once", count(more, "later event is", "later events are"), told, more)
			}
			return nil
		})
	}}
	show.Flags().Int64Var(&after, "after", 0, "begin after this number")
	show.Flags().IntVar(&limit, "limit", 100, "how many")
	return group("audit", "The audit chain: every search, change, export and erasure", newAuditVerify(e), show)
}

// details are an event's, in the order of their names.
func details(m map[string]any) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if sub, ok := m[k].(map[string]any); ok {
			out = append(out, fmt.Sprintf("%s={%s}", k, details(sub)))
			continue
		}
		out = append(out, fmt.Sprintf("%s=%v", k, m[k]))
	}
	return strings.Join(out, " ")
}

func newAuditVerify(e *env) *cobra.Command {
	return &cobra.Command{Use: "verify", Short: "Recompute the audit chain: nothing was changed, removed, reordered or cut off", Args: none, RunE: func(cmd *cobra.Command, _ []string) error {
		return e.stored(cmd.Context(), func(p *program) error {
			r, err := p.store.VerifyAudit(cmd.Context())
			if err != nil {
				return err
			}
			if e.json {
				if err := e.emit(r); err != nil {
					return err
				}
			} else if r.OK {
				e.say("the audit chain is whole: %s, head %s", count(r.Events, "event", "events"), r.Head)
			}
			if !r.OK {
				return semblance.Errorf(semblance.Conflict, "the audit chain is broken at event %d: %s", r.BrokenAt, r.Why).
					WithHint("Keep the data folder as it is, and compare it with a backup made before.")
			}
			return nil
		})
	}}
}

// newSecret makes a token: 256 bits that are seen once and kept only as a hash.
func newSecret() (token string, hash [32]byte) {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails: it crashes the program instead
	token = "smb_" + base64.RawURLEncoding.EncodeToString(b[:])
	return token, sha256.Sum256([]byte(token))
}

// bootstrapToken is the name of the token made at the first start.
const bootstrapToken = "bootstrap"

func newToken(e *env) *cobra.Command {
	create := &cobra.Command{Use: "create NAME", Short: "Make a token for the API; it is shown once", Args: exactly(1, "a name"), RunE: func(cmd *cobra.Command, args []string) error {
		return e.stored(cmd.Context(), func(p *program) error { return e.makeToken(cmd.Context(), p, args[0]) })
	}}
	rotate := &cobra.Command{Use: "rotate NAME", Short: "Revoke a token and make its successor, NAME-2 and so on", Args: exactly(1, "a name"), RunE: func(cmd *cobra.Command, args []string) error {
		return e.stored(cmd.Context(), func(p *program) error {
			next, err := nextName(cmd.Context(), p, args[0])
			if err != nil {
				return err
			}
			if err := p.store.RevokeToken(cmd.Context(), args[0], e.audit("token.revoke", args[0])); err != nil {
				return err
			}
			return e.makeToken(cmd.Context(), p, next)
		})
	}}
	revoke := &cobra.Command{Use: "revoke NAME", Short: "Revoke a token", Args: exactly(1, "a name"), RunE: func(cmd *cobra.Command, args []string) error {
		return e.stored(cmd.Context(), func(p *program) error {
			if err := p.store.RevokeToken(cmd.Context(), args[0], e.audit("token.revoke", args[0])); err != nil {
				return err
			}
			e.note("token %s revoked", args[0])
			return nil
		})
	}}
	list := &cobra.Command{Use: "list", Short: "List tokens, without their secrets", Args: none, RunE: func(cmd *cobra.Command, _ []string) error {
		return e.stored(cmd.Context(), func(p *program) error { return e.listTokens(cmd.Context(), p) })
	}}
	return group("token", "Tokens of the API: create, rotate, revoke, list", create, rotate, revoke, list)
}

func (e *env) audit(action, what string) semblance.AuditEvent {
	return semblance.AuditEvent{Actor: e.who(), Action: action, Detail: map[string]any{"name": what}}
}

func (e *env) makeToken(ctx context.Context, p *program, name string) error {
	secret, hash := newSecret()
	if _, err := p.store.CreateToken(ctx, name, hash, e.audit("token.create", name)); err != nil {
		return err
	}
	if e.json {
		return e.emit(map[string]string{"name": name, "token": secret})
	}
	e.note("token %s; it is not shown again:", name)
	e.say("%s", secret)
	return nil
}

// nextName is the name of a token's successor: names are never used twice,
// because the audit chain tells actors by them.
func nextName(ctx context.Context, p *program, name string) (string, error) {
	tokens, err := p.store.Tokens(ctx)
	if err != nil {
		return "", err
	}
	base := regexp.MustCompile(`-\d+$`).ReplaceAllString(name, "")
	for n := 2; ; n++ {
		next := fmt.Sprintf("%s-%d", base, n)
		if !slices.ContainsFunc(tokens, func(t store.Token) bool { return t.Name == next }) {
			return next, nil
		}
	}
}

func (e *env) listTokens(ctx context.Context, p *program) error {
	tokens, err := p.store.Tokens(ctx)
	if err != nil {
		return err
	}
	t := newTable("NAME", "CREATED", "REVOKED")
	for _, tok := range tokens {
		if e.json {
			if err := e.emit(tok); err != nil {
				return err
			}
			continue
		}
		revoked := ""
		if tok.Revoked != nil {
			revoked = day(*tok.Revoked)
		}
		t.row(tok.Name, day(tok.Created), revoked)
	}
	if !e.json {
		t.print(e.out)
	}
	return nil
}

func newConfig(e *env) *cobra.Command {
	long := "Configuration is read from defaults, then semblance.toml in the data folder, then variables, then flags.\n\nKey, variable, meaning:\n"
	for _, s := range settings() {
		long += fmt.Sprintf("  %-22s %-32s %s\n", s.key, s.env, s.help)
	}
	return &cobra.Command{Use: "config", Short: "Print the effective configuration and where each value comes from", Long: long, Args: none, RunE: func(*cobra.Command, []string) error {
		all := settings()
		slices.SortFunc(all, func(a, b setting) int { return strings.Compare(a.key, b.key) })
		t := newTable("KEY", "VALUE", "FROM")
		for _, s := range all {
			v := e.cfg.values.String(s.key)
			switch {
			case s.key == "data":
				v = e.cfg.Data
			case s.key == "models.dir":
				v = e.cfg.Models
			case s.secret && v != "":
				v = "***"
			}
			if e.json {
				if err := e.emit(map[string]string{"key": s.key, "value": v, "from": e.cfg.origin[s.key]}); err != nil {
					return err
				}
				continue
			}
			t.row(s.key, v, e.cfg.origin[s.key])
		}
		if !e.json {
			t.print(e.out)
		}
		return nil
	}}
}
