"""Scans the same photographs against a set of SHA-1 and a collection of PDQs at once, and against
neither, in alternating turns: what the whole program costs in time of the processor and by the
clock. SEMBLANCE_BENCH_DIR/both keeps the data folder, 6 GB of it, and is made when it is not there; making it
takes a quarter of an hour on a quiet machine and needs 15 GB.
"""
import json
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import time

DIGESTS, PDQS, TURNS, COPIES = 100_000_000, 10_000_000, 4, 8


def semblance(part, data, *args, check=True):
    """Runs the program; returns what it said, its processor's and the clock's seconds."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    env = {"SEMBLANCE_WORKER": str(part.ROOT / "bin" / "semblance-worker"), "SEMBLANCE_WORKERS": "1"}
    said = part.run(part.ROOT / "bin" / "semblance", "--data", data, *args, check=check, **env)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return said, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def create(part, data, name):
    semblance(part, data, "collection", "create", name, "--kind", "hashes", "--owner", "bench", "--country", "XX", "--basis", "none")


def prepare(part, folder, data):
    """Makes both collections. The list of PDQs is the skewed one of pdq_peer.py."""
    program = part.CACHE / "digestbench"
    part.run("go", "build", "-o", program, "./bench/digestbench", CGO_ENABLED="0")
    semblance(part, data, "case", "create", "bench", "--agency", "bench", "--country", "XX", "--purpose", "benchmark", "--basis", "none")
    part.run(program, "list", folder / "list.txt", DIGESTS)
    create(part, data, "digests")
    semblance(part, data, "collection", "import", "digests", folder / "list.txt", "--set")
    os.remove(folder / "list.txt")
    code = "import sys, numpy; sys.path.insert(0, sys.argv[1]); out, n = sys.argv[2], int(sys.argv[3]); import pdq_peer; " \
           "open(out, 'w').writelines('pdq:' + v.tobytes().hex() + '\\n' for v in pdq_peer.skewed(numpy.random.default_rng(7), n))"
    part.run(sys.executable, "-c", code, part.ROOT / "bench", folder / "pdq.txt", PDQS)
    create(part, data, "pdqs")
    _, cpu, wall = semblance(part, data, "collection", "import", "pdqs", folder / "pdq.txt")
    part.row(f"{PDQS // 1_000_000} million PDQs imported as entries", "(stated)", f"{cpu:.0f} s of processor time, {wall:.0f} s", "-")
    os.remove(folder / "pdq.txt")
    (folder / "few.txt").write_text("".join(f"{i:040x}\n" for i in (1, 2, 3)))
    create(part, data, "few")
    semblance(part, data, "collection", "import", "few", folder / "few.txt")
    (folder / "ready").touch()


def scan(part, folder, name, against, copies):
    """Scans the photographs, each some times, as files that were never seen: what the program knows of a
    media it does not make again."""
    device = folder / "device"
    shutil.rmtree(device, ignore_errors=True)
    device.mkdir()
    found, nonce = part.pictures("faces", "groups", "johns", "pdq"), time.time_ns()
    for n in range(copies):
        for i, path in enumerate(found):
            (device / f"{n}-{i}{pathlib.Path(path).suffix}").write_bytes(pathlib.Path(path).read_bytes() + f"{nonce} {n}".encode())  # behind the picture's end
    said, cpu, wall = semblance(part, folder / "data", "scan", device, "--case", "bench", "--exhibit", f"{name}-{nonce}", "--against", against, "--json", check=False)
    summary = json.loads((said.splitlines() or ["{}"])[-1])  # some of the photographs may be damaged: exit code 3
    if summary.get("items") != copies * len(found):
        raise part.Missing(f"a scan of {copies * len(found)} photographs says {summary}")
    return cpu, wall


def measure(part):
    folder = part.BENCH_DIR / "both"
    data = folder / "data"
    if not (folder / "ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        prepare(part, folder, data)
    against = {"neither": "few", "both": "digests,pdqs"}
    for name in against:  # once, to make the index and to read files into memory
        scan(part, folder, name, against[name], 1)
    cpu, wall, loads = {name: [] for name in against}, {name: [] for name in against}, []
    for i in range(TURNS):
        for name in (("neither", "both"), ("both", "neither"))[i % 2]:  # the store grows: neither is always second
            c, w = scan(part, folder, name, against[name], COPIES)
            print(f"bench: {name}: {c:.2f} s, by the clock {w:.1f} s, load {os.getloadavg()[0]:.0f}", file=sys.stderr, flush=True)
            cpu[name].append(c)
            wall[name].append(w)
            loads.append(os.getloadavg()[0])
    ratios = [b / n for b, n in zip(cpu["both"], cpu["neither"])]
    walls = [b / n for b, n in zip(wall["both"], wall["neither"])]
    part.row(f"a scan of {COPIES * len(part.pictures('faces', 'groups', 'johns', 'pdq'))} photographs against 100 million SHA-1 and 10 million PDQs at once and against three digests, whole program, processor time, {TURNS} turns", "at most 1.1x",
             f"{statistics.median(ratios):.3f}x ({min(ratios):.3f} to {max(ratios):.3f}): {statistics.median(cpu['both']):.2f} s; by the clock {statistics.median(walls):.3f}x, load {min(loads):.0f} to {max(loads):.0f}",
             f"{statistics.median(cpu['neither']):.2f} s")
