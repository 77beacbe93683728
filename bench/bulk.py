"""Scans of many files beside their peers: decoding alone, sha256sum, and the scan itself.

table.py calls measure. Programs run in turns on all cores, files in the page cache; times
are by the clock, because a scan is what a person waits for, with processor time beside it.
SEMBLANCE_BENCH_FILES says how many small files there are (200,000), SEMBLANCE_BENCH_PICTURES
how many photographs (600).
"""
import json
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

TURNS = 3
PICTURES = int(os.environ.pop("SEMBLANCE_BENCH_PICTURES", "") or 600)
FILES = int(os.environ.pop("SEMBLANCE_BENCH_FILES", "") or 200_000)
CORES = os.cpu_count()


def measure(t):
    folder = t.BENCH_DIR / "bulk"
    folder.mkdir(parents=True, exist_ok=True)
    photographs(t, folder)
    digests(t, folder)
    many(t, folder)


class Installation:
    """A data folder with a case; scans of it."""

    def __init__(self, t, *collections):
        self.t, self.dir = t, tempfile.mkdtemp(prefix="bulk", dir=t.BENCH_DIR)
        self.env = {**os.environ, "SEMBLANCE_DATA": self.dir, "SEMBLANCE_WORKERS": str(CORES)}
        self.program("case", "create", "C", "--agency", "A", "--country", "NL", "--purpose", "p", "--basis", "b")
        for kind in collections:
            self.program("collection", "create", kind, "--kind", kind, "--owner", "A", "--country", "NL", "--basis", "b")

    def program(self, *args):
        done = subprocess.run([self.t.ROOT / "bin" / "semblance", *map(str, args)], env=self.env, capture_output=True, text=True)
        if done.returncode not in (0, 3):
            raise self.t.Missing(f"semblance {args[0]} failed: {(done.stderr.strip().splitlines() or ['no output'])[-1]}")
        return done.stdout

    def scan(self, path, exhibit):
        """Seconds by the clock, processor seconds, peak resident bytes with the workers, summary."""
        before, start = usage(), time.monotonic()
        p = subprocess.Popen([self.t.ROOT / "bin" / "semblance", "scan", str(path), "--case", "C", "--exhibit", exhibit, "--json"],
                             env=self.env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        peak, stop = [0], threading.Event()
        watch = threading.Thread(target=resident, args=(p.pid, peak, stop))
        watch.start()
        last = ""
        for last in p.stdout:
            pass
        p.wait()
        took = time.monotonic() - start
        stop.set()
        watch.join()
        if p.returncode not in (0, 3):
            raise self.t.Missing("the scan failed")
        return took, usage() - before, peak[0], json.loads(last)

    def close(self):
        shutil.rmtree(self.dir)


def usage():
    r = resource.getrusage(resource.RUSAGE_CHILDREN)
    return r.ru_utime + r.ru_stime


def resident(pid, peak, stop):
    """The most that a program and its children held at once, shared pages counted once."""
    while not stop.wait(0.05):
        before = shares(pid)
        # Where a child ends in between, its part of the shared pages is counted for it and
        # for the one that shared them: only what stays the same processes is a sum.
        if before.keys() == shares(pid).keys():
            peak[0] = max(peak[0], sum(before.values()))


def shares(pid):
    """The memory of a program and each of its children, by their process ids."""
    found = {}
    for p in [pid, *children(pid)]:
        try:
            if p != pid and program(p) == program(pid):
                continue  # being started: until it is another program, its memory is its parent's
            found[p] = int(pathlib.Path(f"/proc/{p}/smaps_rollup").read_text().split("\nPss:")[1].split()[0]) * 1024
        except (OSError, IndexError):  # it has ended
            continue
    return found


def program(pid):
    return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()


def children(pid):
    found = []
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*"):
        try:
            found += [int(c) for c in (task / "children").read_text().split()]
        except OSError:
            pass
    return found


def originals(t):
    found = [p.read_bytes() for p in map(pathlib.Path, t.pictures("faces", "groups", "johns", "pdq"))]
    found = [b for b in found if b[:3] == b"\xff\xd8\xff"]
    return [b for b in found if len(b) > 300_000] or found


# Enlarges photographs to 12 megapixels, with the noise of a sensor so that they are as large as a
# phone's, and writes them as a phone does: one scan, colors at half the resolution.
ENLARGE = """
import io, pathlib, sys
import numpy
from PIL import Image
to, r = pathlib.Path(sys.argv[1]), numpy.random.default_rng(5)
for path in sys.argv[2:]:
    p = Image.open(path).convert("RGB")
    p = p.resize((4032, 3024) if p.width >= p.height else (3024, 4032), Image.LANCZOS)
    pixels = numpy.asarray(p).astype(numpy.float32)
    pixels += r.normal(0, 3, pixels.shape[:2])[:, :, None]
    Image.fromarray(pixels.clip(0, 255).astype(numpy.uint8)).save(to / pathlib.Path(path).name, "JPEG", quality=90)
"""


def enlarged(t, folder):
    """Twelve of the photographs, as large as a phone's."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        small, large = pathlib.Path(place, "small"), pathlib.Path(place, "large")
        small.mkdir()
        large.mkdir()
        for i, b in enumerate(originals(t)[::2][:12]):
            (small / f"{i:02}.jpg").write_bytes(b)
        t.run(sys.executable, "-c", ENLARGE, large, *sorted(small.iterdir()))
        return [p.read_bytes() for p in sorted(large.iterdir())]


def copies(folder, name, make, n):
    """Photographs, each with bytes of its own in a comment, so that none is a copy."""
    place = folder / f"{name}-{n}"
    if not place.is_dir():
        some = make()
        place.mkdir()
        for i in range(n):
            b, note = some[i % len(some)], f"copy {i}".encode()
            (place / f"{i:06}.jpg").write_bytes(b[:2] + b"\xff\xfe" + (len(note) + 2).to_bytes(2, "big") + note + b[2:])
    return place


def photographs(t, folder):
    decoded(t, "JPEGs of phone size (12 megapixels)", copies(folder, "phone", lambda: enlarged(t, folder), PICTURES))
    place = copies(folder, "photographs", lambda: originals(t), PICTURES)
    decoded(t, "photographs of the test data", place)
    at = Installation(t, "hashes", "faces")
    took, cpu, peak, said = at.scan(place, "E")
    at.close()
    t.row("the same with faces: of what its own processor time adds up to over the cores", "0.8",
          f"{cpu / CORES / took:.2f}: {PICTURES / took:.1f} files/s, {said['faces']:,} faces, {peak / 2**20:.0f} MiB", f"{cpu / PICTURES * 1000:.0f} ms of processor time a file")


def decoded(t, what, place):
    """The scan beside reading and decoding alone: by the clock, and by processor time, which does not
    depend on what else the machine does."""
    files = sorted(place.iterdir())
    size = sum(f.stat().st_size for f in files)
    ours, theirs = [], []
    for turn in range(TURNS):
        theirs.append(decode(t, files))
        at = Installation(t, "hashes")
        ours.append(at.scan(place, f"E{turn}")[:2])
        at.close()
    clock = [p[0] / o[0] for p, o in zip(theirs, ours)]
    busy = [p[1] / o[1] for p, o in zip(theirs, ours)]
    t.row(f"scan of {len(files):,} {what} ({size / 1e9:.1f} GB), digests and hashes, of the speed of reading and decoding alone", "0.8",
          f"{statistics.median(clock):.2f} ({min(clock):.2f} to {max(clock):.2f}), in processor time {statistics.median(busy):.2f} ({min(busy):.2f} to {max(busy):.2f}): {len(files) / statistics.median(o[0] for o in ours):.0f} files/s, load {os.getloadavg()[0]:.0f}",
          f"{len(files) / statistics.median(p[0] for p in theirs):.0f} files/s, libjpeg-turbo in {CORES} processes of Pillow")


DECODE = """
import sys
from PIL import Image
for name in sys.stdin.read().split("\\n"):
    if name:
        with open(name, "rb") as f:
            f.read(); f.seek(0)
            Image.open(f).load()
"""


def decode(t, files):
    """Seconds by the clock, processor seconds."""
    before, start = usage(), time.monotonic()
    running = []
    for core in range(CORES):
        p = subprocess.Popen([sys.executable, "-c", DECODE], stdin=subprocess.PIPE, text=True)
        running.append((p, threading.Thread(target=p.communicate, args=("\n".join(map(str, files[core::CORES])),))))
        running[-1][1].start()
    for _, thread in running:
        thread.join()
    return time.monotonic() - start, usage() - before


def digests(t, folder):
    place = folder / "data"
    if not place.is_dir():
        place.mkdir()
        block = os.urandom(1 << 20)
        for i in range(1500):
            (place / f"{i:05}.obj").write_bytes(i.to_bytes(8, "big") + block + block[: i * 613 % len(block)])
    files = sorted(place.iterdir())
    size = sum(f.stat().st_size for f in files)
    ours, theirs = [], []
    for turn in range(TURNS):
        before, start = usage(), time.monotonic()
        subprocess.run(["xargs", "-0", "-P", str(CORES), "-n", "50", "sha256sum"], input="\0".join(map(str, files)), text=True, stdout=subprocess.DEVNULL, check=True)
        theirs.append((time.monotonic() - start, usage() - before))
        at = Installation(t, "known-good")
        ours.append(at.scan(place, f"E{turn}")[:2])
        at.close()
    took, peer = (statistics.median(x[0] for x in side) for side in (ours, theirs))
    clock, busy = ([a[i] / b[i] for a, b in zip(theirs, ours)] for i in (0, 1))
    t.row(f"digests of {len(files):,} files ({size / 1e9:.1f} GB, in memory): MD5, SHA-1, SHA-256, looked at and stored", "1.5x",
          f"{statistics.median(clock):.2f}x ({min(clock):.2f} to {max(clock):.2f}), in processor time {statistics.median(busy):.2f}x ({min(busy):.2f} to {max(busy):.2f}): {size / took / 1e6:.0f} MB/s, load {os.getloadavg()[0]:.0f}",
          f"{size / peer / 1e6:.0f} MB/s, sha256sum alone in {CORES} processes")


def many(t, folder):
    """Small files: what a file costs however many there are, and how much memory."""
    cost, seconds, memory = {}, {}, {}
    for n in (1000, 10_000, FILES):
        place = folder / f"small-{n}"
        if not place.is_dir():
            for i in range(n):
                d = place / f"{i // 1000:04}"
                if i % 1000 == 0:
                    d.mkdir(parents=True)
                (d / f"note {i}.dat").write_bytes(b"\0note %d\0" % i * 20)
        at = Installation(t, "known-good")
        took, cpu, peak, said = at.scan(place, "E")
        cost[n], seconds[n], memory[n] = cpu / n, took / n, peak
        if n == FILES:
            again, _, _, second = at.scan(place, "E")
            if second["unchanged"] != n:
                raise t.Missing(f"{second['unchanged']:,} of {n:,} files were unchanged")
            t.row(f"restart of a finished scan of {n:,} unchanged files", "below 60 s", f"{again:.1f} s", "-")
        at.close()
    t.row(f"peak memory, {FILES:,} files against 1,000, {CORES} workers", "1.2x, below 2 GiB", f"{memory[FILES] / memory[1000]:.2f}x: {memory[FILES] / 2**20:.0f} MiB", f"{memory[1000] / 2**20:.0f} MiB")
    t.row(f"processor time of a file, {FILES:,} against 10,000", "1.1x", f"{cost[FILES] / cost[10_000]:.2f}x: {cost[FILES] * 1e6:.0f} µs ({seconds[FILES] * 1e6:.0f} µs by the clock)",
          f"{cost[10_000] * 1e6:.0f} µs ({seconds[10_000] * 1e6:.0f} µs)")
