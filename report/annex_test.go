package report_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"semblance"
	"semblance/report"
)

// kept gives one picture for each that is asked for, but for those of one media.
type kept struct{ without semblance.SHA256 }

var _ report.Pictures = kept{}

func (k kept) Thumbnail(_ context.Context, m semblance.SHA256) ([]byte, error) {
	if m == k.without {
		return nil, semblance.Errorf(semblance.NotFound, "no such picture was kept")
	}
	return []byte("thumbnail of " + m.String()), nil
}

func (kept) FaceCrop(_ context.Context, m semblance.SHA256, _ semblance.EngineName, _ int) ([]byte, error) {
	return []byte("face of " + m.String()), nil
}

// TestAnnex: only media with findings, readable with the one key, each picture with its sum.
func TestAnnex(t *testing.T) {
	t.Parallel()
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	m, err := report.WriteAnnex(t.Context(), &b, many(), report.Annex{Role: "examiner", Recipient: key.Recipient().String(), Pictures: kept{}})
	if err != nil {
		t.Fatal(err)
	}
	if m.Files != 3 || len(m.Media) != 2 || m.Without != 0 || m.Role != "examiner" {
		t.Errorf("%+v", m)
	}
	if bytes.Contains(b.Bytes(), []byte("thumbnail of")) || bytes.Contains(b.Bytes(), []byte("manifest")) {
		t.Error("something is in the clear")
	}
	clear, err := age.Decrypt(bytes.NewReader(b.Bytes()), key)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(clear)
	if err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range z.File { // the first day there is in a ZIP: one of zeros is none
		if f.ModifiedDate != 1<<5|1 || !f.Modified.Equal(time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("%s is of %v", f.Name, f.Modified)
		}
	}
	read := func(name string) []byte {
		f, err := z.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		b, err := io.ReadAll(f)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var inside report.AnnexManifest
	if err := json.Unmarshal(read("manifest.json"), &inside); err != nil || inside.Files != m.Files || len(z.File) != m.Files+1 {
		t.Errorf("%+v, %v", inside, err)
	}
	for _, media := range inside.Media {
		for _, f := range media.Files {
			if got := read(f.Name); semblance.SHA256(sha256.Sum256(got)) != f.SHA256 || !strings.HasSuffix(string(got), media.SHA256.String()) {
				t.Errorf("%s is %q", f.Name, got)
			}
		}
	}
	other, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := age.Decrypt(bytes.NewReader(b.Bytes()), other); err == nil {
		t.Error("another key reads it")
	}
	if m, err := report.WriteAnnex(t.Context(), io.Discard, many(), report.Annex{Role: "examiner", Recipient: key.Recipient().String(), Pictures: kept{inside.Media[1].SHA256}}); err != nil || m.Without != 1 {
		t.Errorf("of a media without pictures: %+v, %v", m, err)
	}
	for name, a := range map[string]report.Annex{"no role": {Recipient: key.Recipient().String()}, "blank role": {Role: " ", Recipient: key.Recipient().String()}, "no key": {Role: "r"}, "private key": {Role: "r", Recipient: key.String()}} {
		var b bytes.Buffer
		if _, err := report.WriteAnnex(t.Context(), &b, many(), a); !errors.Is(err, semblance.Invalid) || semblance.HintOf(err) == "" || b.Len() > 0 {
			t.Errorf("%s: %v, %d bytes", name, err, b.Len())
		}
		if name == "private key" && strings.Contains(a.Check().Error(), key.String()) {
			t.Error("a private key is shown")
		}
	}
	if _, err := report.WriteAnnex(t.Context(), full{}, many(), report.Annex{Role: "r", Recipient: key.Recipient().String(), Pictures: kept{}}); err == nil || !strings.Contains(err.Error(), errFull.Error()) { // age does not wrap it
		t.Errorf("a full disk: %v", err)
	}
}
