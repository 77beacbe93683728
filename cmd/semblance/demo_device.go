package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"

	xdraw "golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"
)

// A plant is one file laid on the demo's device and what a scan must say of it.
type plant struct {
	path string
	what string // how it was made
	want wants
}

// wants is what must be found in a file: nothing else may be. A collection's name,
// or "" for nothing.
type wants struct {
	hit, near, contradiction string
	subject                  string // of the one candidate
	status                   string // item status, when it is not new
	transform                string // of the near match
}

// A device lays out the files. The first error is kept.
type device struct {
	dir    string
	plants []plant
	err    error
}

func (d *device) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

// put writes a file and notes what is expected of it.
func (d *device) put(path, what string, b []byte, w wants) {
	full := filepath.Join(d.dir, filepath.FromSlash(path))
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		d.fail(err)
	}
	if err := os.WriteFile(full, b, 0o644); err != nil {
		d.fail(err)
	}
	d.plants = append(d.plants, plant{path, what, w})
}

func (d *device) jpeg(m image.Image, quality int) []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: quality}); err != nil {
		d.fail(err)
	}
	return b.Bytes()
}

// decode reads a picture of the demo's own, which is known to be good.
func (d *device) decode(b []byte) *image.NRGBA {
	m, _, err := image.Decode(bytes.NewReader(b))
	if err != nil {
		d.fail(err)
		return image.NewNRGBA(image.Rect(0, 0, 1, 1))
	}
	out := image.NewNRGBA(image.Rect(0, 0, m.Bounds().Dx(), m.Bounds().Dy()))
	draw.Draw(out, out.Bounds(), m, m.Bounds().Min, draw.Src)
	return out
}

// resize scales to a width.
func resize(m image.Image, width int) *image.NRGBA {
	b := m.Bounds()
	out := image.NewNRGBA(image.Rect(0, 0, width, max(1, b.Dy()*width/b.Dx())))
	xdraw.CatmullRom.Scale(out, out.Bounds(), m, b, draw.Src, nil)
	return out
}

// remap makes a picture whose pixel (x, y) is from's at f(x, y).
func remap(from *image.NRGBA, w, h int, f func(x, y int) (int, int)) *image.NRGBA {
	out := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			sx, sy := f(x, y)
			out.SetNRGBA(x, y, from.NRGBAAt(sx, sy))
		}
	}
	return out
}

func mirrored(m *image.NRGBA) *image.NRGBA {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	return remap(m, w, h, func(x, y int) (int, int) { return w - 1 - x, y })
}

// clockwise turns a picture by 90 degrees.
func clockwise(m *image.NRGBA) *image.NRGBA {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	return remap(m, h, w, func(x, y int) (int, int) { return y, h - 1 - x })
}

// counterclockwise turns a picture by 90 degrees the other way.
func counterclockwise(m *image.NRGBA) *image.NRGBA {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	return remap(m, h, w, func(x, y int) (int, int) { return w - 1 - y, x })
}

// captioned writes a line of text on a bar at the bottom.
func captioned(m *image.NRGBA, text string) *image.NRGBA {
	out := image.NewNRGBA(m.Rect)
	copy(out.Pix, m.Pix)
	bar := image.Rect(0, m.Rect.Dy()-26, m.Rect.Dx(), m.Rect.Dy())
	draw.Draw(out, bar, image.NewUniform(color.Black), image.Point{}, draw.Src)
	f := font.Drawer{Dst: out, Src: image.NewUniform(color.White), Face: basicfont.Face7x13, Dot: fixed.P(10, m.Rect.Dy()-8)}
	f.DrawString(text)
	return out
}

// beside puts pictures of one height next to each other.
func beside(ms ...*image.NRGBA) *image.NRGBA {
	w, h := 0, 0
	for _, m := range ms {
		w, h = w+m.Rect.Dx(), max(h, m.Rect.Dy())
	}
	out := image.NewNRGBA(image.Rect(0, 0, w, h))
	draw.Draw(out, out.Rect, image.NewUniform(color.NRGBA{90, 110, 130, 255}), image.Point{}, draw.Src)
	x := 0
	for _, m := range ms {
		draw.Draw(out, image.Rect(x, 0, x+m.Rect.Dx(), m.Rect.Dy()), m, image.Point{}, draw.Src)
		x += m.Rect.Dx()
	}
	return out
}

// tiny puts a face of a few pixels on a wall.
func tiny(m *image.NRGBA, width int) *image.NRGBA {
	small := resize(m, width)
	out := image.NewNRGBA(image.Rect(0, 0, 320, 240))
	for y := range 240 {
		for x := range 320 {
			out.SetNRGBA(x, y, color.NRGBA{uint8(120 + x/8), uint8(130 + y/8), 150, 255})
		}
	}
	draw.Draw(out, image.Rect(150, 90, 150+small.Rect.Dx(), 90+small.Rect.Dy()), small, image.Point{}, draw.Src)
	return out
}

// wallpaper is a picture the demo draws itself, with enough in it to be hashed.
func wallpaper(seed int) *image.NRGBA {
	out := image.NewNRGBA(image.Rect(0, 0, 640, 400))
	for y := range 400 {
		for x := range 640 {
			v := uint8((x*x/(7+seed) + y*y/(11+3*seed) + x*y/(90-10*seed)) & 255)
			out.SetNRGBA(x, y, color.NRGBA{v, uint8(x/3) ^ v, uint8(y / 2), 255})
		}
	}
	return out
}

// withOrientation inserts an EXIF segment with an orientation into a JPEG.
func withOrientation(b []byte, orientation uint16) []byte {
	tiff := []byte("II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00")
	tiff = binary.LittleEndian.AppendUint16(tiff, orientation)
	tiff = append(tiff, 0, 0, 0, 0, 0, 0)
	payload := append([]byte("Exif\x00\x00"), tiff...)
	seg := binary.BigEndian.AppendUint16([]byte{0xff, 0xe1}, uint16(len(payload)+2))
	out := append([]byte{}, b[:2]...)
	out = append(out, append(seg, payload...)...)
	return append(out, b[2:]...)
}

// layDevice lays out the demo's device from the pictures of two persons. known is
// the picture that the hashes collection holds, and bad what both it and the
// known-good collection hold.
func layDevice(dir string, pics map[string][]byte, goodDoc, both []byte) ([]plant, error) {
	d := &device{dir: dir}
	known := d.decode(pics["biden"])
	second, third := d.decode(pics["obama2"]), d.decode(pics["obama3"])
	if d.err != nil {
		return nil, d.err
	}
	near := func(t string) wants { return wants{near: demoHashes, transform: t} }
	d.put("DCIM/IMG_0001.jpg", "known picture, untouched", pics["biden"], wants{hit: demoHashes})
	d.put("DCIM/IMG_0002.jpg", "known picture, recompressed at quality 35", d.jpeg(known, 35), near("original"))
	d.put("DCIM/IMG_0003.jpg", "known picture, resized to 300 pixels", d.jpeg(resize(known, 300), 85), near("original"))
	d.put("DCIM/IMG_0004.jpg", "known picture, mirrored", d.jpeg(mirrored(known), 85), near("flipy"))
	d.put("DCIM/IMG_0005.jpg", "known picture, turned by 90 degrees", d.jpeg(clockwise(known), 85), near("rotate90"))
	d.put("chat/received/pic-9f.jpg", "known picture, with a caption", d.jpeg(captioned(known, "forwarded many times"), 85), near("original"))
	d.put("chat/received/copy of IMG_0001.jpg", "the known picture again", pics["biden"], wants{hit: demoHashes, status: "duplicate"})
	d.put("DCIM/IMG_0100.jpg", "another portrait of the enrolled person", pics["obama2"], wants{subject: demoSubject})
	d.put("DCIM/IMG_0101.jpg", "a third portrait of the enrolled person", pics["obama3"], wants{subject: demoSubject})
	d.put("DCIM/IMG_0102.jpg", "the enrolled person, a quarter of the face cut off", pics["obama-partial"], wants{subject: demoSubject})
	d.put("DCIM/IMG_0103.jpg", "the enrolled person, stored lying, with an orientation", withOrientation(d.jpeg(counterclockwise(third), 90), 6), wants{subject: demoSubject})
	d.put("DCIM/screenshot.png", "the enrolled person, PNG with alpha", pics["png"], wants{subject: demoSubject})
	stranger := mirrored(resize(known, 500)) // a mirrored crop is no near match of the whole
	crop := remap(stranger, 300, 300, func(x, y int) (int, int) { return x + 80, y + 60 })
	d.put("DCIM/IMG_0200.jpg", "a portrait of somebody who is not enrolled", d.jpeg(crop, 90), wants{})
	group := beside(remap(second, 626, 900, func(x, y int) (int, int) { return x, y + 60 }), resize(crop, 626))
	d.put("DCIM/IMG_0201.jpg", "two persons, one of them enrolled", d.jpeg(group, 90), wants{subject: demoSubject})
	d.put("DCIM/IMG_0202.jpg", "a face of a few pixels, too poor to search", d.jpeg(tiny(second, 34), 80), wants{})
	d.put("DCIM/wallpaper.png", "a picture without a face, not known", d.png(wallpaper(1)), wants{})
	d.put("system/license.txt", "a known-good text", goodDoc, wants{status: "known-good"})
	d.put("system/banner.png", "known-good, and known in the other list", both, wants{hit: demoHashes, contradiction: demoHashes})
	d.put("notes/todo.txt", "a text", []byte("call the garage\n"), wants{})
	d.put("notes/renamed.jpg", "a text named .jpg", []byte("this is not a picture, whatever its name says\n"), wants{})
	d.put("notes/empty.dat", "an empty file", nil, wants{status: "unsupported"})
	d.put("lost/broken.jpg", "a JPEG whose first bytes are all that is left", append([]byte{}, pics["obama2"][:700]...), wants{status: "failed"})
	d.put("lost/half.jpg", "the enrolled person, the last third of the file lost", append([]byte{}, pics["obama3"][:len(pics["obama3"])*2/3]...), wants{subject: demoSubject})
	return d.plants, d.err
}

func (d *device) png(m image.Image) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		d.fail(fmt.Errorf("draw a picture: %w", err))
	}
	return b.Bytes()
}
