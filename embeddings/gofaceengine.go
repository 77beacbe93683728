//go:build cgo && native

package embeddings

/*
#cgo LDFLAGS: -lturbojpeg
#include <stdlib.h>
#include <turbojpeg.h>
*/
import "C"

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"unsafe"

	face "github.com/Kagami/go-face"

	"semblance"
)

// DlibHOG is go-face as it is: dlib's HOG detector, landmarks and network in one
// call. It holds native memory until Close and is used by one goroutine at a time.
//
// go-face takes JPEG only, so each frame is compressed once more (quality 98, full
// color resolution) after it was reduced to at most 1600 pixels. It gives no
// detector score; Score is 1. Landmarks are eyes and nose only. Faces under 80
// pixels in the reduced picture are not found.
type DlibHOG struct {
	recognizer *face.Recognizer
	models     map[string]string
}

// DlibFiles lists the files that OpenDlibHOG needs in its folder. go-face loads
// all three, the detector that is not used included.
func DlibFiles() []string {
	return []string{
		"shape_predictor_5_face_landmarks.dat",
		"dlib_face_recognition_resnet_model_v1.dat",
		"mmod_human_face_detector.dat",
	}
}

// OpenDlibHOG loads dlib's models from a folder that has DlibFiles. The sha256 of
// each must be the one that sums gives in hexadecimal; files that sums lacks are
// not compared. The error has code Unavailable.
func OpenDlibHOG(dir string, sums map[string]string) (*DlibHOG, error) {
	models := map[string]string{}
	for _, name := range DlibFiles() {
		sum, err := fileSum(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, semblance.Errorf(semblance.Unavailable, "the dlib model %s is not there", name).
				WithHint("Fetch it with `semblance models pull`.").WithCause(err)
		}
		if err != nil {
			return nil, semblance.Errorf(semblance.Unavailable, "the dlib model %s could not be read", name).
				WithHint("Look at the permissions of the models folder.").WithCause(err)
		}
		if want := sums[name]; want != "" && want != sum {
			return nil, semblance.Errorf(semblance.Unavailable, "the dlib model %s is not the one expected: sha256 %s instead of %s", name, sum, want).
				WithHint("Fetch it again with `semblance models pull`.")
		}
		models[name] = sum
	}
	r, err := face.NewRecognizer(dir)
	if err != nil {
		return nil, semblance.Errorf(semblance.Unavailable, "dlib could not load its models").
			WithHint("Run `semblance models verify`.").WithCause(err)
	}
	return &DlibHOG{recognizer: r, models: models}, nil
}

func fileSum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Spec returns the engine's spec and the sha256 of each model loaded.
func (d *DlibHOG) Spec() (semblance.EngineSpec, map[string]string) {
	spec, _ := semblance.EngineByName(semblance.DlibHOG) // a name of our own list
	return spec, d.models
}

// Close frees native memory.
func (d *DlibHOG) Close() error {
	d.recognizer.Close()
	return nil
}

// Find returns the faces of a frame, the largest first, with box, eyes and nose,
// and unless DetectOnly embeddings. Quality is left 0. go-face always computes
// embeddings, so DetectOnly is no faster. No face is an empty slice and a nil
// error.
func (d *DlibHOG) Find(f *semblance.Frame, o semblance.FindOptions) ([]semblance.Face, error) {
	if f == nil || f.Width < 1 || f.Height < 1 || len(f.RGB)/3/f.Width < f.Height {
		return nil, semblance.Errorf(semblance.Invalid, "the frame has no pixels or fewer than its size says")
	}
	w, h := dlibSize(f.Width, f.Height)
	small := shrink(f, w, h)
	jpeg, err := compress(small)
	if err != nil {
		return nil, err
	}
	// Recognize passes 0 for the most faces, which is no limit; any other number
	// would turn a group with more faces into no faces and no error.
	found, err := d.recognizer.Recognize(jpeg)
	if err != nil {
		return nil, semblance.Errorf(semblance.Internal, "dlib failed on this picture").WithCause(err)
	}
	faces := make([]semblance.Face, 0, len(found))
	sx, sy := float32(f.Width)/float32(w), float32(f.Height)/float32(h)
	for i := range found {
		one, err := convert(&found[i], sx, sy, o.DetectOnly)
		if err != nil {
			return nil, err
		}
		one.Frame = f.Index
		faces = append(faces, one)
	}
	slices.SortFunc(faces, func(a, b semblance.Face) int {
		return cmp.Or(cmp.Compare(b.Box.W*b.Box.H, a.Box.W*a.Box.H), cmp.Compare(a.Box.X, b.Box.X), cmp.Compare(a.Box.Y, b.Box.Y))
	})
	return faces, nil
}

// convert moves a face of go-face to the frame's pixels.
func convert(in *face.Face, sx, sy float32, detectOnly bool) (semblance.Face, error) {
	r := in.Rectangle
	out := semblance.Face{Score: 1, Box: semblance.Box{X: float32(r.Min.X) * sx, Y: float32(r.Min.Y) * sy,
		W: float32(r.Dx()+1) * sx, H: float32(r.Dy()+1) * sy}} // dlib's right and bottom are included
	points := make([]semblance.Point, len(in.Shapes))
	for i, p := range in.Shapes {
		points[i] = semblance.Point{X: (float32(p.X)+0.5)*sx - 0.5, Y: (float32(p.Y)+0.5)*sy - 0.5}
	}
	out.Landmarks = dlibLandmarks(points)
	if detectOnly {
		return out, nil
	}
	var err error
	out.Embedding, err = DlibResNet().vector(in.Descriptor[:])
	return out, err
}

// compress makes the JPEG that go-face is fed. The standard library's encoder
// halves the color resolution, which moves dlib's embeddings; libjpeg-turbo does
// not have to.
func compress(f *semblance.Frame) ([]byte, error) {
	h := C.tjInitCompress()
	if h == nil {
		return nil, semblance.Errorf(semblance.Internal, "libjpeg-turbo could not be started")
	}
	defer C.tjDestroy(h)
	var out *C.uchar
	var size C.ulong
	rc := C.tjCompress2(h, (*C.uchar)(unsafe.Pointer(&f.RGB[0])), C.int(f.Width), 0, C.int(f.Height),
		C.TJPF_RGB, &out, &size, C.TJSAMP_444, dlibQuality, C.TJFLAG_ACCURATEDCT)
	defer C.tjFree(out)
	if rc != 0 {
		return nil, semblance.Errorf(semblance.Internal, "a frame could not be compressed for dlib").
			WithCause(errors.New(C.GoString(C.tjGetErrorStr2(h))))
	}
	return C.GoBytes(unsafe.Pointer(out), C.int(size)), nil
}
