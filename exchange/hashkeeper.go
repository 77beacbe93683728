package exchange

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"semblance"
	"semblance/hashing"
)

// A hashKeeper reads HashKeeper's CSV: its first line names the columns, "hash" is an MD5.
type hashKeeper struct {
	count, hash, size, comment int
	md5                        [16]byte
}

// hashKeeperHeader returns a reader for the columns of a first line, nil when they are others.
func hashKeeperHeader(columns []string) *hashKeeper {
	at := func(name string) int {
		return slices.IndexFunc(columns, func(c string) bool { return strings.EqualFold(strings.TrimSpace(c), name) })
	}
	h := &hashKeeper{count: len(columns), hash: at("hash"), size: at("file_size"), comment: at("comments")}
	if h.hash < 0 || at("hashset_id") < 0 {
		return nil
	}
	return h
}

func newHashKeeper(b *base) (Source, error) {
	line, _, _ := bytes.Cut(bytes.TrimPrefix(b.head, []byte("\xef\xbb\xbf")), []byte("\n"))
	h := hashKeeperHeader(splitCSV(line))
	if h == nil {
		return nil, notOf(b.about.Name, HashKeeper, "its first line does not name hashset_id and hash")
	}
	b.is(HashKeeper, "line")
	return b.lines(h.parse), nil
}

func (h *hashKeeper) parse(line []byte, r *semblance.DigestRow) error {
	if r.Row == 1 || len(bytes.TrimSpace(line)) == 0 {
		return semblance.ErrBlankRow
	}
	cols := splitCSV(line)
	if len(cols) != h.count {
		return fmt.Errorf("the line has %d columns, not the %d of the heading", len(cols), h.count)
	}
	var err error
	if r.MD5, err = hexDigest(h.md5[:], hashing.AlgorithmMD5, []byte(strings.TrimSpace(cols[h.hash]))); err != nil {
		return err
	}
	if r.MD5 == nil {
		return errNoDigest
	}
	if h.size >= 0 {
		if size := strings.TrimSpace(cols[h.size]); size != "" {
			if r.Size, err = strconv.ParseInt(size, 10, 64); err != nil || r.Size < 0 {
				return fmt.Errorf("%q is no size of a file", clip([]byte(size)))
			}
		}
	}
	if h.comment >= 0 {
		r.Text = strings.TrimSpace(cols[h.comment])
	}
	return nil
}
