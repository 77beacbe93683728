package store

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"semblance"
)

// A FindingKind names one of the lists of semblance.Findings.
type FindingKind string

// The kinds.
const (
	KindHit           FindingKind = "hit"
	KindNearMatch     FindingKind = "near-match"
	KindCandidate     FindingKind = "candidate"
	KindContradiction FindingKind = "contradiction"
	KindKnownGood     FindingKind = "known-good"
)

// A finding is one row: a value of one of the lists.
type finding struct {
	kind       FindingKind
	collection string
	other      string
	weak       bool
	value      any
}

// findingsOf lists all findings in the order of their lists.
func findingsOf(f *semblance.Findings) []finding {
	var list []finding
	for _, h := range f.Hits {
		v := finding{kind: KindHit, collection: h.Collection, weak: h.Weak, value: h}
		if h.Item != "" {
			v.other = itemKey(h.Exhibit, h.Item)
		}
		list = append(list, v)
	}
	for _, n := range f.NearMatches {
		list = append(list, finding{kind: KindNearMatch, collection: n.Collection, value: n})
	}
	for _, c := range f.Candidates {
		list = append(list, finding{kind: KindCandidate, collection: c.Collection, value: c})
	}
	for _, c := range f.Contradictions {
		list = append(list, finding{kind: KindContradiction, collection: c.KnownGood, other: c.Other, value: c})
	}
	for _, h := range f.KnownGood {
		list = append(list, finding{kind: KindKnownGood, collection: h.Collection, weak: h.Weak, value: h})
	}
	return list
}

// put appends a stored finding to its list.
func put(f *semblance.Findings, kind FindingKind, data []byte) error {
	switch kind {
	case KindHit:
		return appendJSON(&f.Hits, data)
	case KindNearMatch:
		return appendJSON(&f.NearMatches, data)
	case KindCandidate:
		return appendJSON(&f.Candidates, data)
	case KindContradiction:
		return appendJSON(&f.Contradictions, data)
	case KindKnownGood:
		return appendJSON(&f.KnownGood, data)
	}
	return nil // of a later version
}

func appendJSON[T any](list *[]T, data []byte) error {
	var v T
	err := json.Unmarshal(data, &v)
	*list = append(*list, v)
	return err
}

// findings replaces those of the case and media in the plan's collections. A
// contradiction goes when both of its collections are compared again.
func (c *commit) findings(sum semblance.SHA256, f *semblance.Findings) error {
	list := findingsOf(f)
	var has bool
	if err := c.ask(`SELECT EXISTS (SELECT 1 FROM findings WHERE case_key = ? AND media = ?)`, []any{c.caseKey, sum[:]}, &has); err != nil {
		return err
	}
	if has {
		if err := c.dropFindings(sum, list); err != nil {
			return err
		}
	}
	for i, v := range list {
		if err := c.finding(sum, i, v); err != nil {
			return err
		}
	}
	return nil
}

// dropFindings deletes what list takes the place of.
func (c *commit) dropFindings(sum semblance.SHA256, list []finding) error {
	names := slices.Clone(c.collections)
	for _, v := range list {
		names = append(names, v.collection)
		if v.kind == KindContradiction {
			names = append(names, v.other)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	of := `other = ''`
	if c.allNames {
		of = `(other = '' OR kind = '` + string(KindHit) + `')`
	}
	for _, name := range names {
		err := c.run(`DELETE FROM findings WHERE case_key = ? AND media = ? AND collection = ? AND `+of, c.caseKey, sum[:], name)
		if err != nil {
			return err
		}
	}
	return c.dropContradictions(sum, names)
}

func (c *commit) finding(sum semblance.SHA256, position int, v finding) error {
	data, err := json.Marshal(v.value)
	if err != nil {
		return err
	}
	return c.run(`INSERT INTO findings (case_key, media, kind, collection, other, position, weak, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		c.caseKey, sum[:], v.kind, v.collection, v.other, position, v.weak, string(data))
}

// rebind keeps the candidates of every case at the faces that they are about when a face
// set takes the place of another: a candidate beside somebody else's face would be the
// worst that can be shown. One whose face is not in the new set gets no face.
func (c *commit) rebind(sum []byte, set *semblance.FaceSet) error {
	rows, err := c.tx.QueryContext(c.ctx, `SELECT f.case_key, f.collection, f.position, f.data FROM cases c
		JOIN findings f ON f.case_key = c.key AND f.media = ? AND f.kind = ?`, sum, KindCandidate)
	if err != nil {
		return err
	}
	defer rows.Close()
	type place struct {
		caseKey    int64
		collection string
		position   int64
		candidate  semblance.Candidate
	}
	var moved []place
	for rows.Next() {
		var p place
		var data []byte
		if err := rows.Scan(&p.caseKey, &p.collection, &p.position, &data); err != nil {
			return err
		}
		if err := json.Unmarshal(data, &p.candidate); err != nil {
			return err
		}
		if p.candidate.Engine != set.Engine {
			continue
		}
		now := slices.IndexFunc(set.Faces, func(f semblance.Face) bool {
			return set.Version == p.candidate.Version && f.Frame == p.candidate.Frame && f.Box == p.candidate.Box
		})
		if now != p.candidate.Face {
			p.candidate.Face = now
			moved = append(moved, p)
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	for _, p := range moved {
		data, err := json.Marshal(p.candidate)
		if err != nil {
			return err
		}
		if err := c.run(`UPDATE findings SET data = ? WHERE case_key = ? AND media = ? AND kind = ? AND collection = ? AND other = '' AND position = ?`,
			string(data), p.caseKey, sum, KindCandidate, p.collection, p.position); err != nil {
			return err
		}
	}
	return nil
}

func (c *commit) dropContradictions(sum semblance.SHA256, names []string) error {
	if len(names) == 0 {
		return nil
	}
	args := []any{c.caseKey, sum[:]}
	for range 2 {
		for _, name := range names {
			args = append(args, name)
		}
	}
	in := `(` + marks(len(names)) + `)`
	return c.run(`DELETE FROM findings WHERE case_key = ? AND media = ? AND collection IN `+in+` AND other IN `+in, args...)
}

// loadFindings returns the findings of media in a case, each list by collection
// and in the order it was given in. Kinds narrows them; none means all.
func loadFindings(ctx context.Context, q querier, caseKey int64, digests []semblance.SHA256, kinds []FindingKind) (map[semblance.SHA256]*semblance.Findings, error) {
	found := map[semblance.SHA256]*semblance.Findings{}
	for part := range slices.Chunk(digests, chunk) {
		args := []any{caseKey}
		for i := range part {
			args = append(args, part[i][:])
		}
		where, more := kindCondition(kinds)
		rows, err := q.QueryContext(ctx, `SELECT media, kind, data FROM findings WHERE case_key = ? AND media IN (`+marks(len(part))+`)`+where+
			` ORDER BY media, kind, collection, other, position`, append(args, more...)...)
		if err != nil {
			return nil, err
		}
		if err := each(rows, func(scan scanner) error { return scanFinding(scan, found) }); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func scanFinding(scan scanner, found map[semblance.SHA256]*semblance.Findings) error {
	var sum semblance.SHA256
	var kind FindingKind
	var data []byte
	if err := scan(fixed(sum[:]), &kind, &data); err != nil {
		return err
	}
	if found[sum] == nil {
		found[sum] = new(semblance.Findings)
	}
	return put(found[sum], kind, data)
}

// kindCondition returns the rest of a WHERE clause and its arguments.
func kindCondition(kinds []FindingKind) (string, []any) {
	if len(kinds) == 0 {
		return "", nil
	}
	var args []any
	for _, k := range kinds {
		args = append(args, k)
	}
	return ` AND kind IN (` + marks(len(kinds)) + `)`, args
}
