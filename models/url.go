package models

import (
	"compress/bzip2"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Times after which a silent server counts as gone. A site without network must
// learn so in seconds; a slow line must not be cut while bytes still arrive.
const (
	dialTimeout   = 10 * time.Second
	headerTimeout = 30 * time.Second
	stallTimeout  = 60 * time.Second
)

const partial = ".partial"

func newClient() *http.Client {
	dialer := &net.Dialer{Timeout: dialTimeout}
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           dialer.DialContext,
			TLSHandshakeTimeout:   dialTimeout,
			ResponseHeaderTimeout: headerTimeout,
			DisableCompression:    true,
		},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) > 5 || !trusted(req.URL) {
				return errors.New("it redirects to an address that is not trusted")
			}
			return nil
		},
	}
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return u.Host
}

// fromURL downloads an address into a partial file that survives interruptions, and
// makes a verified copy once it is whole.
func (p *pull) fromURL(a Artifact, src Source) (string, error) {
	host := hostOf(src.URL)
	if err := p.dead[host]; err != nil {
		return "", errors.New("it did not answer before")
	}
	dir := filepath.Join(p.stage.l.dir, partial)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", local(err)
	}
	tag := sha256.Sum256([]byte(src.URL + " " + a.SHA256)) // a partial file belongs to one address and one content
	part := filepath.Join(dir, a.File+"."+hex.EncodeToString(tag[:6])+".part")
	before, _ := os.Stat(part)
	path, err := p.whole(a, src, part)
	if wrong, _ := errors.AsType[*contentError](err); wrong != nil && before != nil && before.Size() > 0 {
		p.note("%s: %s: the part that was here did not fit; downloading all of it", a.Name, host)
		path, err = p.whole(a, src, part)
	}
	return path, err
}

// whole downloads the rest of part and verifies the whole. A part that turned out
// right or wrong is removed; one that is not complete is kept.
func (p *pull) whole(a Artifact, src Source, part string) (string, error) {
	if err := p.download(a, src, part); err != nil {
		if info, _ := os.Stat(part); info != nil && info.Size() == 0 {
			os.Remove(part)
		}
		return "", err
	}
	path, err := p.unpack(a, src, part)
	if err == nil || !isLocal(err) && p.ctx.Err() == nil {
		os.Remove(part)
	}
	return path, err
}

// attempts is how often a download that breaks off is continued at once.
const attempts = 4

// download continues part until it is whole. A server that refuses to continue is
// asked from the beginning.
func (p *pull) download(a Artifact, src Source, part string) error {
	f, err := os.OpenFile(part, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return local(err)
	}
	defer f.Close()
	for try := 1; ; try++ {
		done, err := p.fetch(a, src, f)
		if err == nil && done {
			return local(f.Sync())
		}
		if isLocal(err) || p.ctx.Err() != nil || try == attempts {
			return err
		}
		if _, refused := errors.AsType[*statusError](err); refused || p.dead[hostOf(src.URL)] != nil {
			return err
		}
	}
}

// A statusError is an answer other than success; asking again is no use.
type statusError struct{ status string }

func (e *statusError) Error() string { return "it answers " + e.status }

// fetch makes one request for what is missing. It reports whether the file is whole.
func (p *pull) fetch(a Artifact, src Source, f *os.File) (bool, error) {
	have, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return false, local(err)
	}
	if src.Unpack == "" && have == a.Size {
		return true, nil
	}
	ctx, cancel := context.WithCancelCause(p.ctx)
	defer cancel(nil)
	resp, err := p.request(ctx, src, have)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	total, err := p.position(resp, f, &have)
	if err != nil {
		return false, err
	}
	if total > a.Size+1<<20 {
		return false, &statusError{fmt.Sprintf("with %d bytes, more than the %d it should hold", total, a.Size)}
	}
	stall := time.AfterFunc(stallTimeout, func() { cancel(errors.New("it stopped sending")) })
	defer stall.Stop()
	body := io.LimitReader(resp.Body, a.Size+1<<20-have)
	n, err := p.stage.l.copy(ctx, p.stage.l.sink(f), body, func(n int64) {
		stall.Reset(stallTimeout)
		p.progress(a, hostOf(src.URL), min(have+n, a.Size))
	})
	if err != nil {
		if cause := context.Cause(ctx); cause != nil && p.ctx.Err() == nil {
			err = cause
		}
		return false, fmt.Errorf("it broke off after %d bytes: %w", have+n, err)
	}
	if total >= 0 && have+n != total {
		return false, fmt.Errorf("it broke off after %d of %d bytes", have+n, total)
	}
	return true, nil
}

// request asks for the bytes from have on.
func (p *pull) request(ctx context.Context, src Source, have int64) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, src.URL, nil)
	if err != nil {
		return nil, err
	}
	if have > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
	}
	resp, err := p.client.Do(req)
	if err != nil {
		if p.ctx.Err() == nil {
			err = fmt.Errorf("it cannot be reached (%w)", rootCause(err))
			p.dead[req.URL.Host] = err
		}
		return nil, err
	}
	return resp, nil
}

// rootCause leaves out the address, which the line names already.
func rootCause(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// position prepares f for the body of resp and returns the length of the whole
// content, -1 when the server does not say.
func (p *pull) position(resp *http.Response, f *os.File, have *int64) (int64, error) {
	switch resp.StatusCode {
	case http.StatusPartialContent:
		var from, to, total int64
		n, _ := fmt.Sscanf(resp.Header.Get("Content-Range"), "bytes %d-%d/%d", &from, &to, &total)
		if n == 3 && from == *have {
			return total, nil
		}
		return 0, errors.Join(&statusError{"with another part than the one asked for"}, restart(f, have))
	case http.StatusOK:
		return resp.ContentLength, restart(f, have)
	case http.StatusRequestedRangeNotSatisfiable:
		var total int64
		if n, _ := fmt.Sscanf(resp.Header.Get("Content-Range"), "bytes */%d", &total); n == 1 && total == *have && total > 0 {
			resp.Body = http.NoBody
			return total, nil // a compressed file that is whole already
		}
		return 0, errors.Join(errors.New("it does not continue the download"), restart(f, have))
	}
	return 0, &statusError{strings.ToLower(resp.Status)}
}

// restart empties a partial file.
func restart(f *os.File, have *int64) error {
	*have = 0
	if err := f.Truncate(0); err != nil {
		return local(err)
	}
	_, err := f.Seek(0, io.SeekStart)
	return local(err)
}

// unpack makes the verified copy of a whole download.
func (p *pull) unpack(a Artifact, src Source, part string) (string, error) {
	f, err := os.Open(part)
	if err != nil {
		return "", local(err)
	}
	defer f.Close()
	var r io.Reader = f
	if src.Unpack == "bz2" {
		r = bzip2.NewReader(f)
	}
	path, err := p.stage.receive(p.ctx, a, r, nil)
	if _, damaged := errors.AsType[bzip2.StructuralError](err); damaged {
		err = &contentError{"it is not a bzip2 file, or a damaged one"}
	}
	return path, err
}
