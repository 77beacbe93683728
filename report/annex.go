package report

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"

	"semblance"
)

// Pictures are those that were kept of a scan: originals never are.
type Pictures interface {
	// Thumbnail returns a media's JPEG, NotFound when none was kept.
	Thumbnail(ctx context.Context, media semblance.SHA256) ([]byte, error)
	// FaceCrop returns the JPEG of a face, NotFound when none was kept.
	FaceCrop(ctx context.Context, media semblance.SHA256, engine semblance.EngineName, face int) ([]byte, error)
}

// An Annex says for whom pixels are: whose key reads them, and in which role that person
// asked for them.
type Annex struct {
	Role      string
	Recipient string // an age public key: "age1..."
	Pictures  Pictures
}

// An AnnexManifest lists what is in an annex. It lies in it as manifest.json.
type AnnexManifest struct {
	Case      string       `json:"case"`
	Agency    string       `json:"agency"`
	Purpose   string       `json:"purpose"`
	Basis     string       `json:"basis"`
	Role      string       `json:"role"`
	Recipient string       `json:"recipient"`
	Program   string       `json:"program"`
	Media     []AnnexMedia `json:"media"`
	Files     int          `json:"files"`   // pictures
	Without   int          `json:"without"` // media of which no picture was kept
}

// An AnnexMedia is a media with findings.
type AnnexMedia struct {
	SHA256   semblance.SHA256       `json:"sha256"`
	Items    []semblance.NoticeItem `json:"items"`
	Findings *semblance.Findings    `json:"findings"`
	Files    []AnnexFile            `json:"files"`
}

// An AnnexFile is a picture of a media.
type AnnexFile struct {
	Name   string           `json:"name"`
	What   string           `json:"what"` // "thumbnail", "face 3 of yunet-mobilefacenet"
	SHA256 semblance.SHA256 `json:"sha256"`
	Size   int              `json:"size"`
}

// Check says what is missing (Invalid), before anything is read.
func (a Annex) Check() error {
	if strings.TrimSpace(a.Role) == "" {
		return semblance.Errorf(semblance.Invalid, "an annex has pictures of illegal material, and needs the role of whom it is for").WithHint("Name it with --role, such as --role \"case examiner\".")
	}
	if a.Recipient == "" {
		return semblance.Errorf(semblance.Invalid, "an annex is only written encrypted, and needs the public key of whom it is for").WithHint("Give it with --recipient age1...; age-keygen makes a pair of keys.")
	}
	if _, err := age.ParseX25519Recipient(a.Recipient); err != nil {
		return semblance.Errorf(semblance.Invalid, "the recipient is not an age public key").WithHint("It begins with age1; a key that begins with AGE-SECRET-KEY- is the private one and stays where it is.").WithCause(err)
	}
	return nil
}

// WriteAnnex writes a ZIP of the pictures that were kept of media with hits, near matches
// or candidates, encrypted for one recipient, and returns what is in it. Nothing is written
// in the clear. The error has code Invalid when role or recipient are missing.
func WriteAnnex(ctx context.Context, w io.Writer, s Source, a Annex) (AnnexManifest, error) {
	m := AnnexManifest{Case: s.Case.Number, Agency: s.Case.Agency, Purpose: s.Case.Purpose, Basis: s.Case.Basis, Role: a.Role, Recipient: a.Recipient, Program: s.Program, Media: []AnnexMedia{}}
	if err := a.Check(); err != nil {
		return m, err
	}
	media, err := annexMedia(s)
	if err != nil {
		return m, err
	}
	recipient, err := age.ParseX25519Recipient(a.Recipient)
	if err != nil {
		return m, err
	}
	sealed, err := age.Encrypt(w, recipient)
	if err != nil {
		return m, err
	}
	z := zip.NewWriter(sealed)
	for _, x := range media {
		if err := a.pictures(ctx, z, x); err != nil {
			return m, err
		}
		m.Media, m.Files = append(m.Media, *x), m.Files+len(x.Files)
		if len(x.Files) == 0 {
			m.Without++
		}
	}
	f, err := z.CreateHeader(plainHeader("manifest.json"))
	if err != nil {
		return m, err
	}
	enc := json.NewEncoder(f)
	enc.SetIndent("", "  ")
	for _, last := range []func() error{func() error { return enc.Encode(m) }, z.Close, sealed.Close} {
		if err := last(); err != nil {
			return m, err
		}
	}
	return m, nil
}

// annexMedia lists the media with findings, in the order of the rows.
func annexMedia(s Source) (list []*AnnexMedia, err error) {
	known := map[semblance.SHA256]*AnnexMedia{}
	for row, err := range s.Rows {
		if err != nil {
			return nil, err
		}
		f := row.Findings
		if f == nil || row.Item.SHA256 == nil || len(f.Hits)+len(f.NearMatches)+len(f.Candidates) == 0 {
			continue
		}
		m := known[*row.Item.SHA256]
		if m == nil {
			m = &AnnexMedia{SHA256: *row.Item.SHA256, Findings: f, Files: []AnnexFile{}}
			known[m.SHA256], list = m, append(list, m)
		}
		m.Items = append(m.Items, semblance.NoticeItem{Exhibit: row.Exhibit, Path: row.Item.Path})
	}
	return list, nil
}

// pictures adds the thumbnail of a media, and the crops of the faces that are candidates.
func (a Annex) pictures(ctx context.Context, z *zip.Writer, m *AnnexMedia) error {
	jpeg, err := a.Pictures.Thumbnail(ctx, m.SHA256)
	if err := m.add(z, m.SHA256.String()+".jpg", "thumbnail", jpeg, err); err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, c := range m.Findings.Candidates {
		what := fmt.Sprintf("face %d of %s", c.Face, c.Engine)
		if c.Face < 0 || seen[what] {
			continue
		}
		seen[what] = true
		jpeg, err := a.Pictures.FaceCrop(ctx, m.SHA256, c.Engine, c.Face)
		if err := m.add(z, fmt.Sprintf("%s-%s-%d.jpg", m.SHA256, c.Engine, c.Face), what, jpeg, err); err != nil {
			return err
		}
	}
	return nil
}

// add puts a picture into the ZIP; one that was not kept is none.
func (m *AnnexMedia) add(z *zip.Writer, name, what string, jpeg []byte, err error) error {
	if errors.Is(err, semblance.NotFound) || err == nil && len(jpeg) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	h := plainHeader(name)
	h.Method = zip.Store // a JPEG does not get smaller
	f, err := z.CreateHeader(h)
	if err != nil {
		return err
	}
	m.Files = append(m.Files, AnnexFile{Name: name, What: what, SHA256: sha256.Sum256(jpeg), Size: len(jpeg)})
	_, err = f.Write(jpeg)
	return err
}
