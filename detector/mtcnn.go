//go:build cgo && native

package detector

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	ort "github.com/yalue/onnxruntime_go"

	"semblance"
)

// MTCNN is MTCNN (three networks that propose, refine and place) in ONNX Runtime,
// for where YuNet's weights cannot be had. It holds native memory until Close and is
// used by one goroutine at a time.
type MTCNN struct {
	nets   [3]*ort.DynamicAdvancedSession
	sums   map[string]string
	opts   MTCNNOptions
	planes []float32 // kept between frames
	batch  []float32
}

// chipsAtOnce is how many chips go through a network in one run.
const chipsAtOnce = 64

// pnetTile is the longest side of what PNet is shown at once: 80 MiB of values.
const pnetTile = 640

// OpenMTCNN loads the networks. The process must have started ONNX Runtime. The
// error has code Unavailable: a file is missing, altered or not loadable.
func OpenMTCNN(opts MTCNNOptions) (*MTCNN, error) {
	m := &MTCNN{opts: opts, sums: map[string]string{}}
	for i, n := range []struct {
		name    string
		file    NetworkFile
		outputs []string
	}{
		{"mtcnn-pnet", opts.PNet, []string{"score", "box"}},
		{"mtcnn-rnet", opts.RNet, []string{"score", "box"}},
		{"mtcnn-onet", opts.ONet, []string{"score", "box", "landmarks"}},
	} {
		model, sum, err := readModel("MTCNN", n.file.Path, n.file.SHA256)
		if err == nil {
			m.sums[n.name] = sum
			if m.nets[i], err = newSession(model, opts.Threads, n.outputs); err != nil {
				err = semblance.Errorf(semblance.Unavailable, "the face detector MTCNN could not be loaded").
					WithHint("Run `semblance models verify`, then `semblance doctor`.").WithCause(err)
			}
		}
		if err != nil {
			return nil, errors.Join(err, m.Close())
		}
	}
	return m, nil
}

// SHA256 returns the checksums of the networks that were loaded, by name.
func (m *MTCNN) SHA256() map[string]string { return m.sums }

// Close frees native memory.
func (m *MTCNN) Close() error {
	var err error
	for _, n := range m.nets {
		if n != nil {
			err = errors.Join(err, n.Destroy())
		}
	}
	return err
}

// Detect returns the faces of an upright frame, highest score first, with landmarks,
// as YuNet's does. The frame is reduced to Options.Size pixels and looked at in steps;
// where o asks for smaller faces than that shows, the first look is finer, as far as
// o.Looks allows. Where no face is certain, it is looked at turned as well, reduced.
func (m *MTCNN) Detect(f *semblance.Frame, o semblance.FindOptions) ([]semblance.Face, error) {
	if err := checkFrame(f); err != nil {
		return nil, err
	}
	if err := o.Detection.Validate(); err != nil {
		return nil, err
	}
	faces, err := m.look(f, o, m.opts.Size)
	if err != nil {
		return nil, err
	}
	if m.opts.Turned > 0 && (len(faces) == 0 || faces[0].Score < standing) {
		more, err := m.anyTurn(f, o)
		if err != nil {
			return nil, err
		}
		faces = append(faces, more...)
	}
	faces = suppress(faces, sameFace)
	for i := range faces {
		faces[i].Frame = f.Index
	}
	return faces, nil
}

// anyTurn looks at the frame, reduced, turned by 90, 180 and 270 degrees.
func (m *MTCNN) anyTurn(f *semblance.Frame, o semblance.FindOptions) ([]semblance.Face, error) {
	// Twice what the windows slide over: the chips of faces are cut from it as well.
	v := wholeView(f.Width, f.Height, min(1, 2*float64(m.opts.Turned)/float64(max(f.Width, f.Height))))
	v.planeW, v.planeH = v.outW, v.outH
	m.show(f, &v)
	small := picture(m.planes, v.outW, v.outH)
	var all []semblance.Face
	o.MinFace = 0
	for _, turn := range []int{90, 180, 270} {
		faces, err := m.look(turnFrame(small, turn), o, m.opts.Turned)
		if err != nil {
			return nil, err
		}
		v.turn = turn
		for i := range faces {
			v.toFrame(&faces[i])
		}
		all = append(all, faces...)
	}
	return all, nil
}

// show reduces a part of the frame into m.planes.
func (m *MTCNN) show(f *semblance.Frame, v *view) {
	m.planes = room(m.planes, v.planeW*v.planeH)
	clear(m.planes)
	resample(f, v, m.planes)
}

// look finds the faces that stand upright in a frame.
func (m *MTCNN) look(f *semblance.Frame, o semblance.FindOptions, size int) ([]semblance.Face, error) {
	scores := m.opts.Scores
	if o.MinScore > 0 {
		scores = [3]float32{min(scores[0], o.MinScore), min(scores[1], o.MinScore), o.MinScore}
	}
	list, err := m.propose(f, o, size, scores[0])
	if err != nil {
		return nil, err
	}
	list, err = m.judge(f, list, m.nets[1], rnetSize, scores[1])
	if err != nil {
		return nil, err
	}
	list, err = m.judge(f, thin(list, 0.7, byUnion), m.nets[2], onetSize, scores[2])
	if err != nil {
		return nil, err
	}
	list = thin(list, 0.7, byLesser)
	faces := make([]semblance.Face, len(list))
	for i := range list {
		faces[i] = list[i].face()
	}
	return faces, nil
}

// propose slides PNet over the pyramid.
func (m *MTCNN) propose(f *semblance.Frame, o semblance.FindOptions, size int, least float32) ([]proposal, error) {
	scales, reached := pyramid(f.Width, f.Height, size, o.MinFace, cmp.Or(o.Looks, mostLooks))
	if o.MinFace > 0 && reached > o.MinFace && o.Warn != nil {
		o.Warn(fmt.Sprintf("faces of %d to %d pixels were not looked for, though %d was asked: the detector MTCNN sees none under %d pixels, and so large a picture would be more work than a file may make", o.MinFace, reached-1, o.MinFace, pnetWindow))
	}
	var all []proposal
	src, from := f, 1.0 // each look is made of the one before
	for _, s := range scales {
		v := wholeView(src.Width, src.Height, s/from)
		v.planeW, v.planeH = v.outW, v.outH
		m.show(src, &v)
		src, from = picture(m.planes, v.outW, v.outH), s
		found, err := m.slide(src, float64(src.Width)/float64(f.Width), least)
		if err != nil {
			return nil, err
		}
		all = append(all, thin(found, 0.5, byUnion)...)
	}
	return thin(all, 0.7, byUnion), nil
}

// slide runs PNet over one look, in parts.
func (m *MTCNN) slide(look *semblance.Frame, scale float64, least float32) ([]proposal, error) {
	var list []proposal
	xs, widths := stretches(look.Width, pnetTile)
	ys, heights := stretches(look.Height, pnetTile)
	for j, y := range ys {
		for i, x := range xs {
			w, h := widths[i], heights[j]
			m.show(look, &view{x: float64(x), y: float64(y), w: float64(w), h: float64(h), outW: w, outH: h, planeW: w, planeH: h})
			out, release, err := m.run(m.nets[0], m.planes, 1, w, h, 2)
			if err != nil {
				return nil, err
			}
			columns, rows := cells(w), cells(h)
			if len(out[0]) != columns*rows || len(out[1]) != 4*columns*rows {
				release()
				return nil, m.failed(fmt.Errorf("PNet gives %d and %d values for %d by %d windows", len(out[0]), len(out[1]), columns, rows))
			}
			list = append(list, windows(out[0], out[1], columns, rows, x, y, scale, least)...)
			release()
		}
	}
	return list, nil
}

// cells is how many windows PNet sees along a side: its pool of two keeps an odd
// pixel, so the last may reach over the border by one.
func cells(length int) int { return (length-1)/2 - 4 }

// judge runs a network over chips of the squares around proposals and keeps those
// that it takes for faces.
func (m *MTCNN) judge(f *semblance.Frame, list []proposal, net *ort.DynamicAdvancedSession, size int, least float32) ([]proposal, error) {
	outputs := 2
	if size == onetSize {
		outputs = 3
	}
	var kept []proposal
	for some := range slices.Chunk(list, chipsAtOnce) {
		n := 3 * size * size
		m.batch = room(m.batch, len(some)*size*size)
		clear(m.batch)
		for i := range some {
			some[i] = some[i].squared()
			v := some[i].chip(size)
			resample(f, &v, m.batch[i*n:(i+1)*n])
		}
		out, release, err := m.run(net, m.batch, len(some), size, size, outputs)
		if err != nil {
			return nil, err
		}
		if len(out[0]) != len(some) || len(out[1]) != 4*len(some) || outputs == 3 && len(out[2]) != 10*len(some) {
			release()
			return nil, m.failed(errors.New("an output has another size than MTCNN's"))
		}
		for i, p := range some {
			if p.score = out[0][i]; !(p.score >= least) {
				continue
			}
			if outputs == 3 {
				p.place(out[2][10*i : 10*i+10])
			}
			if p = p.moved(out[1][4*i : 4*i+4]); p.usable() {
				kept = append(kept, p)
			}
		}
		release()
	}
	return kept, nil
}

// run feeds count pictures of w by h values and returns the outputs, valid until
// release is called.
func (m *MTCNN) run(net *ort.DynamicAdvancedSession, planes []float32, count, w, h, outputs int) (out [3][]float32, release func(), err error) {
	in, err := ort.NewTensor(ort.NewShape(int64(count), 3, int64(h), int64(w)), planes[:3*count*w*h])
	if err != nil {
		return out, nil, m.failed(err)
	}
	defer in.Destroy()
	list := make([]ort.Value, outputs)
	if err := net.Run([]ort.Value{in}, list); err != nil {
		return out, nil, m.failed(err)
	}
	release = func() {
		for _, v := range list {
			v.Destroy()
		}
	}
	for i, v := range list {
		t, ok := v.(*ort.Tensor[float32])
		if !ok {
			release()
			return out, nil, m.failed(errors.New("an output is not of float32"))
		}
		out[i] = t.GetData()
	}
	return out, release, nil
}

func (m *MTCNN) failed(err error) error {
	return semblance.Errorf(semblance.Internal, "the face detector MTCNN failed on this picture").
		WithHint("Run `semblance doctor`; if it finds nothing, report this with the picture's size.").WithCause(err)
}

// SelfCheck runs known inputs through the networks and compares the answers with
// those that are pinned. The error has code Unavailable and says what a difference
// means.
func (m *MTCNN) SelfCheck() error {
	for i, side := range mtcnnCheckSizes() {
		outputs := 2
		if i == 2 {
			outputs = 3
		}
		out, release, err := m.run(m.nets[i], waves(side), 1, side, side, outputs)
		if err != nil {
			return err
		}
		err = checkMTCNN(i, out[0], out[1], len(out[1])/4)
		release()
		if err != nil {
			return err
		}
	}
	return nil
}
