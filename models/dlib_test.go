package models_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
	"strings"
	"testing"

	"semblance"
	"semblance/models"
)

// A dlibWriter writes dlib's serialization format and computes the same network as
// dlib would, layer by layer, nothing folded: the twin of the conversion. Layers are
// added from the input to the loss; the file has the heads in reverse order.
type dlibWriter struct {
	heads [][]byte
	body  []byte
	seed  uint64
	first bool

	at, tag1, tag2 grid
}

func dlibInt(b []byte, v int64) []byte {
	neg := byte(0)
	if v < 0 {
		neg, v = 0x80, -v
	}
	size := max(1, (bits.Len64(uint64(v))+7)/8)
	b = append(b, byte(size)|neg)
	for range size {
		b = append(b, byte(v))
		v >>= 8
	}
	return b
}

func dlibInts(b []byte, vs ...int) []byte {
	for _, v := range vs {
		b = dlibInt(b, int64(v))
	}
	return b
}

func dlibText(b []byte, s string) []byte { return append(dlibInts(b, len(s)), s...) }

func dlibReal(b []byte, v float64) []byte {
	frac, exp := math.Frexp(v)
	return dlibInts(dlibInt(b, int64(frac*(1<<53))), exp-53)
}

func dlibTensor(b []byte, values []float32, dims ...int) []byte {
	b = dlibInts(dlibInts(b, 2), dims...)
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

// layer adds an add_layer: head, body and the tail of flags and empty tensors.
func (d *dlibWriter) layer(body []byte) {
	version := 2
	if d.first {
		version = 3
	}
	d.heads = append(d.heads, dlibInts(nil, version))
	d.body = append(append(d.body, body...), '1', '1', '0')
	for range 3 {
		d.body = dlibTensor(d.body, nil, 0, 0, 0, 0)
	}
	if d.first {
		d.body = dlibInts(d.body, 1)
	}
	d.first = false
}

func (d *dlibWriter) tag() { d.heads = append(d.heads, dlibInts(nil, 1)) }

func (d *dlibWriter) input(picture grid) {
	mean := []float64{122.782, 117.001, 104.298}
	b := dlibText(nil, "input_rgb_image_sized")
	for i, m := range mean {
		mean[i] = float64(float32(m))
		b = dlibReal(b, mean[i])
	}
	d.body, d.first = dlibInts(b, 150, 150), true
	d.at = newGrid(3, 150, 150).each(func(c, y, x int) float64 { return (picture.at(c, y, x) - mean[c]) / 256 })
}

// con adds a convolution and the affine layer after it.
func (d *dlibWriter) con(filters, size, stride, pad int) {
	in := d.at
	n := filters * in.c * size * size
	d.seed++
	p := noise(n+filters, d.seed, 1/math.Sqrt(float64(in.c*size*size))*1.7)
	b := dlibTensor(dlibText(nil, "con_4"), p, n+filters, 1, 1, 1)
	b = dlibInts(b, filters, size, size, stride, stride, pad, pad)
	b = dlibInts(dlibInts(b, 1), filters, in.c, size, size)
	b = dlibInts(dlibInts(b, 1), 1, filters, 1, 1)
	for range 4 {
		b = dlibReal(b, 1)
	}
	d.layer(b)
	out := (in.h+2*pad-size)/stride + 1
	d.at = newGrid(filters, out, out).each(func(f, y, x int) float64 {
		sum := float64(p[n+f])
		for c := range in.c {
			for i := range size {
				for j := range size {
					sum += float64(p[((f*in.c+c)*size+i)*size+j]) * in.at(c, y*stride+i-pad, x*stride+j-pad)
				}
			}
		}
		return sum
	})
	d.affine()
}

func (d *dlibWriter) affine() {
	in := d.at
	d.seed++
	p := noise(2*in.c, d.seed, 1)
	b := dlibTensor(dlibText(nil, "affine_"), p, 1, 2*in.c, 1, 1)
	b = dlibInts(dlibInts(b, 1), 1, in.c, 1, 1)
	b = dlibInts(dlibInts(b, 1), 1, in.c, 1, 1)
	d.layer(dlibInts(b, 0))
	d.at = newGrid(in.c, in.h, in.w).each(func(c, y, x int) float64 {
		return float64(p[c])*in.at(c, y, x) + float64(p[in.c+c])
	})
}

func (d *dlibWriter) relu() {
	in := d.at
	d.layer(dlibText(nil, "relu_"))
	d.at = newGrid(in.c, in.h, in.w).each(func(c, y, x int) float64 { return max(0, in.at(c, y, x)) })
}

func (d *dlibWriter) pool(name string, size, stride int) {
	d.layer(dlibInts(dlibText(nil, name), size, size, stride, stride, 0, 0))
	if size == 0 {
		size = d.at.h
	}
	d.at = pool(d.at, size, stride, strings.HasPrefix(name, "max"))
}

func (d *dlibWriter) add(other grid) {
	in := d.at
	d.layer(dlibText(nil, "add_prev_"))
	d.at = newGrid(max(in.c, other.c), max(in.h, other.h), max(in.w, other.w)).each(func(c, y, x int) float64 {
		return in.at(c, y, x) + other.at(c, y, x)
	})
}

func (d *dlibWriter) block(filters int, down bool) {
	d.tag()
	d.tag1 = d.at
	if down {
		d.con(filters, 3, 2, 0)
	} else {
		d.con(filters, 3, 1, 1)
	}
	d.relu()
	d.con(filters, 3, 1, 1)
	if !down {
		d.add(d.tag1)
	} else {
		d.tag()
		d.tag2 = d.at
		d.tag()
		d.at = d.tag1
		d.pool("avg_pool_2", 2, 2)
		d.add(d.tag2)
	}
	d.relu()
}

// finish adds the last layers and returns the file.
func (d *dlibWriter) finish(dims int) []byte {
	d.pool("avg_pool_2", 0, 1)
	in := d.at
	p := noise(in.c*dims, 77, 1)
	b := dlibTensor(dlibInts(dlibText(nil, "fc_2"), dims, in.c), p, in.c, dims, 1, 1)
	b = dlibInts(dlibInts(b, 1), in.c, dims, 1, 1)
	b = dlibInts(dlibInts(b, 1), 0, 0, 0, 0)
	b = dlibInts(b, 1)
	for range 4 {
		b = dlibReal(b, 1)
	}
	d.layer(b)
	d.at = newGrid(dims, 1, 1).each(func(o, _, _ int) float64 {
		sum := 0.0
		for i, v := range in.v {
			sum += v * float64(p[i*dims+o])
		}
		return sum
	})
	file := dlibReal(dlibReal(dlibText(dlibInts(nil, 1), "loss_metric_2"), 0.04), 0.6)
	for i := len(d.heads) - 1; i >= 0; i-- {
		file = append(file, d.heads[i]...)
	}
	return append(file, d.body...)
}

// smallDlibNet is dlib's network with a few filters in each layer, and what it says of a picture.
func smallDlibNet(picture grid) (file []byte, embedding []float64) {
	d := &dlibWriter{seed: 1}
	d.input(picture)
	d.con(2, 7, 2, 0)
	d.relu()
	d.pool("max_pool_2", 3, 2)
	for _, level := range []struct {
		filters, blocks int
		down            bool
	}{{2, 3, false}, {3, 4, true}, {4, 3, true}, {5, 3, true}, {5, 1, true}} {
		for i := range level.blocks {
			d.block(level.filters, level.down && i == 0)
		}
	}
	return d.finish(7), d.at.v
}

func TestDlibConversionComputesWhatDlibComputes(t *testing.T) {
	t.Parallel()
	picture := testPicture(150, 5)
	file, want := smallDlibNet(picture)
	out, err := models.ConvertDlibResNet(file)
	if err != nil {
		t.Fatal(err)
	}
	m := parseONNX(t, out)
	if d := m.inputs["input"]; len(d) != 4 || d[0] != -1 || d[1] != 3 || d[2] != 150 || d[3] != 150 {
		t.Errorf("input %v", d)
	}
	if d := m.outputs["embedding"]; len(d) != 2 || d[0] != -1 || d[1] != 7 {
		t.Errorf("output %v", d)
	}
	near(t, m.run(t, picture), want)
	again, err := models.ConvertDlibResNet(file)
	if err != nil || !bytes.Equal(out, again) {
		t.Errorf("converting again gives other bytes: %v", err)
	}
}

func TestTheRealDlibNetworkConvertsToThePinnedBytes(t *testing.T) {
	t.Parallel()
	pinned(t, "dlib-resnet-dat", "dlib-resnet", models.ConvertDlibResNet, 29)
}

// pinned checks a conversion of a real file against the manifest.
func pinned(t *testing.T, from, name string, convert func([]byte) ([]byte, error), convs int) {
	t.Helper()
	out, err := convert(real(t, from))
	if err != nil {
		t.Fatal(err)
	}
	a, err := library(t, t.TempDir(), models.Options{}).Artifact(name)
	if err != nil {
		t.Fatal(err)
	}
	if sum(out) != a.SHA256 || int64(len(out)) != a.Size {
		t.Errorf("the conversion has %d bytes of sha256 %s; the manifest says %d of %s", len(out), sum(out), a.Size, a.SHA256)
	}
	count := map[string]int{}
	for _, n := range parseONNX(t, out).nodes {
		count[n.op]++
	}
	if count["Conv"] != convs || count["Transpose"] != 0 || count["BatchNormalization"] != 0 {
		t.Errorf("operators %v, want %d convolutions and no transposition", count, convs)
	}
}

func TestDamagedDlibFilesAreRefused(t *testing.T) {
	t.Parallel()
	good, _ := smallDlibNet(testPicture(150, 5))
	for story, file := range map[string][]byte{
		"empty":                              {},
		"another format":                     []byte("PK\x03\x04 and so on"),
		"cut":                                good[:len(good)/2],
		"one byte short":                     good[:len(good)-1],
		"one byte long":                      append(bytes.Clone(good), 0),
		"another loss":                       bytes.Replace(good, []byte("loss_metric_2"), []byte("loss_binary_2"), 1),
		"another input":                      bytes.Replace(good, []byte("input_rgb_image_sized"), []byte("input_rgb_image_moved"), 1),
		"a tensor beyond the end":            bytes.Replace(good, []byte("con_4\x01\x02"), []byte("con_4\x01\x02\x03\xff\xff\xff"), 1),
		"dimensions whose product overflows": bytes.Replace(good, dlibInts(nil, 2, 3, 7, 7), dlibInts(nil, 1<<23, 1<<23, 1<<17, 1<<1), 1),
		"a value that is no number": bytes.Replace(good, good[bytes.Index(good, []byte("con_4"))+20:][:8],
			bytes.Repeat([]byte{0xff}, 8), 1),
	} {
		if out, err := models.ConvertDlibResNet(file); !errors.Is(err, semblance.Invalid) || out != nil {
			t.Errorf("%s: %d bytes, %v; want invalid", story, len(out), err)
		}
	}
}

func FuzzDlib(f *testing.F) {
	good, _ := smallDlibNet(testPicture(150, 5))
	f.Add(good)
	f.Add(good[:3000])
	f.Fuzz(func(t *testing.T, file []byte) {
		if _, err := models.ConvertDlibResNet(file); err != nil && !errors.Is(err, semblance.Invalid) {
			t.Errorf("code of %v", err)
		}
	})
}
