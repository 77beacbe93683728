package containers

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"semblance"
)

// virtual opens a device of either kind.
func virtual(parts []Part) (device, error) {
	if isVMDK(readHead(parts[0]), parts[0]) {
		return vmdkDevice(parts)
	}
	d, _, err := vhdDevice(parts[0])
	return d, err
}

func readHead(p Part) []byte {
	b := make([]byte, headLen)
	n, _ := p.R.ReadAt(b, 0)
	return b[:n]
}

func TestVirtualDisks(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("qemu-img"); err != nil {
		t.Skip("qemu-img is not installed (scripts/setup system)")
	}
	dir := t.TempDir()
	content := append(make([]byte, 5<<20), random(3_000_000, 8<<20-3_000_000)...)
	raw := filepath.Join(dir, "raw")
	if err := os.WriteFile(raw, content, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, options := range map[string][]string{
		"dynamic.vhd": {"vpc", "-o", "force_size=on"}, "fixed.vhd": {"vpc", "-o", "subformat=fixed,force_size=on"},
		"sparse.vmdk": {"vmdk"}, "stream.vmdk": {"vmdk", "-o", "subformat=streamOptimized"},
		"flat.vmdk": {"vmdk", "-o", "subformat=monolithicFlat"}, "split.vmdk": {"vmdk", "-o", "subformat=twoGbMaxExtentSparse"},
	} {
		path := filepath.Join(dir, name)
		if out, err := exec.Command("qemu-img", append(append([]string{"convert", "-f", "raw", "-O"}, options...), raw, path)...).CombinedOutput(); err != nil {
			t.Fatalf("%v %s", err, out)
		}
		stem := strings.TrimSuffix(path, filepath.Ext(path))
		more, _ := filepath.Glob(stem + "-*")
		parts := readParts(t, append([]string{path}, more...))
		d, err := virtual(parts)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := io.ReadAll(io.NewSectionReader(d, 0, d.Size()))
		if err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s: %d bytes of %d, %v", name, len(got), len(content), err)
		}
		if got, err = throughData(d); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s: what is data differs, %v", name, err)
		}
		if start, _ := d.Data(0); name != "fixed.vhd" && name != "flat.vmdk" && start < 2<<20 {
			t.Errorf("%s: data begins at %d", name, start)
		}
		if len(more) > 0 {
			if _, err := virtual(parts[:1]); err == nil || code(t, err) != semblance.MediaDamaged || !strings.Contains(err.Error(), "missing") {
				t.Errorf("%s without its extents: %v", name, err)
			}
		}
		b, _ := os.ReadFile(path)
		cut := Part{Name: name, R: bytes.NewReader(b[:len(b)/2]), Size: int64(len(b) / 2)}
		if d, err := virtual([]Part{cut}); err == nil {
			_, err = io.ReadAll(io.NewSectionReader(d, 0, d.Size()))
			if err != nil {
				code(t, err)
			}
		} else {
			code(t, err)
		}
	}
}

func FuzzVirtualDisk(f *testing.F) {
	f.Add([]byte(vhdMagic + strings.Repeat("\x00", 504)))
	f.Add([]byte(vmdkMagic + strings.Repeat("\x00", 508)))
	f.Add([]byte(vmdkDescriptor + "\nRW 16384 FLAT \"x\" 0\nRW 100 ZERO\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := virtual([]Part{{Name: "x.vhd", R: bytes.NewReader(b), Size: int64(len(b))}})
		if err != nil {
			code(t, err)
			return
		}
		_, err = io.CopyN(io.Discard, io.NewSectionReader(d, 0, d.Size()), 1<<20)
		if err != nil && err != io.EOF {
			code(t, err)
		}
		d.Data(0)
	})
}

func TestImagesThatAreNotRead(t *testing.T) {
	t.Parallel()
	for _, f := range foreignImages {
		b := make([]byte, 4096)
		copy(b[f.at:], f.magic)
		_, err := Open([]Part{{Name: "x", R: bytes.NewReader(b), Size: int64(len(b))}}, Options{})
		if err == nil || code(t, err) != semblance.MediaUnsupported || !strings.Contains(err.Error(), f.name) {
			t.Errorf("%s: %v", f.name, err)
		}
	}
}

// What only looks a little like an image is none.
func TestWhatIsNoImage(t *testing.T) {
	t.Parallel()
	noise := random(64<<10, 0)
	ext := bytes.Clone(noise)
	copy(ext[0x438:], "\x53\xef")
	boot := bytes.Clone(noise)
	boot[510], boot[511] = 0x55, 0xaa
	for name, b := range map[string][]byte{"noise": noise, "two bytes of ext": ext, "two bytes of a boot sector": boot, "zeros": make([]byte, 64<<10)} {
		if kind, err := Sniff(Part{Name: "x.bin", R: bytes.NewReader(b), Size: int64(len(b))}); kind == "raw" || err != nil {
			t.Errorf("%s is taken for %s, %v", name, kind, err)
		}
	}
	if kind, _ := Sniff(Part{Name: "x.dd", R: bytes.NewReader(noise), Size: int64(len(noise))}); kind != "raw" {
		t.Errorf("what is named like an image is taken for %q", kind)
	}
}
