#!/usr/bin/env python3
"""Imports a plain list of SHA-1 with the program, looks a million digests up in the set, and
the same million in what one would use otherwise: a SQLite table whose key is the digest,
and numpy's binary search in a sorted file that is mapped.

  digest_peer.py SEMBLANCE DIGESTBENCH WORKER FOLDER DIGESTS

Half of the probes are there. Times are those of the processor, one core, everything warm: the
second of two passes and later. "scan" is 20,000 small files scanned against a collection with
the set, and against one with three entries, in turns. Prints JSON.

Needs: pip install numpy
"""
import json
import os
import pathlib
import shutil
import sqlite3
import statistics
import subprocess
import sys
import time

import numpy

SEMBLANCE, BENCH, WORKER, FOLDER, N = sys.argv[1], sys.argv[2], sys.argv[3], pathlib.Path(sys.argv[4]), int(sys.argv[5])
DATA = FOLDER / "data"
ENV = {**os.environ, "SEMBLANCE_WORKER": WORKER, "SEMBLANCE_WORKERS": "1"}


def run(*command):
    """Returns what it said, and the seconds and bytes that it used."""
    start = time.perf_counter()
    p = subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENV)
    said, errors = p.stdout.read(), p.stderr.read()
    _, status, used = os.wait4(p.pid, 0)
    p.returncode = os.waitstatus_to_exitcode(status)
    if p.returncode:
        sys.exit(f"{command[:4]} ended with {p.returncode}: {errors.strip().splitlines()[-1:]}")
    return said, {"wall_s": time.perf_counter() - start, "processor_s": used.ru_utime + used.ru_stime, "peak_MiB": used.ru_maxrss // 1024}


def semblance(*args):
    return run(SEMBLANCE, "--data", DATA, *args)


def per_second(look, probes, passes):
    """Returns lookups a processor second, the median of all passes but the first, and how many were there."""
    times = []
    for _ in range(passes + 1):
        start = time.process_time()
        there = look(probes)
        times.append(time.process_time() - start)
    return round(len(probes) / statistics.median(times[1:])), there


def sqlite_peer(digests, probes):
    path = FOLDER / "peer.db"
    db = sqlite3.connect(path)
    db.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; CREATE TABLE d (sha1 BLOB PRIMARY KEY) WITHOUT ROWID;")
    start = time.process_time()
    for at in range(0, len(digests), 1 << 20):  # in order, which is the best case
        rows = digests[at:at + (1 << 20)].tobytes()
        db.executemany("INSERT INTO d VALUES (?)", ((rows[i:i + 20],) for i in range(0, len(rows), 20)))
    db.commit()
    fill = time.process_time() - start
    db.execute("PRAGMA mmap_size = 1099511627776")
    cursor = db.cursor()

    def look(probes):
        there = 0
        for p in probes:
            if cursor.execute("SELECT 1 FROM d WHERE sha1 = ?", (p,)).fetchone():
                there += 1
        return there
    rate, there = per_second(look, probes, 2)
    return {"per_s": rate, "there": there, "fill_processor_s": round(fill, 1), "bytes": path.stat().st_size, "version": sqlite3.sqlite_version}


def numpy_peer(digests, probes):
    # The first eight bytes as numbers, which numpy compares quickly; equal ones are compared whole.
    keys = numpy.ascontiguousarray(digests[:, :8]).view(">u8").ravel().astype("u8")
    wanted = numpy.frombuffer(b"".join(probes), dtype="u1").reshape(-1, 20)

    def look(_):
        k = numpy.ascontiguousarray(wanted[:, :8]).view(">u8").ravel().astype("u8")
        at = numpy.minimum(numpy.searchsorted(keys, k), len(keys) - 1)
        return int((digests[at] == wanted).all(axis=1).sum())
    rate, there = per_second(look, probes, 4)
    return {"per_s": rate, "there": there, "version": numpy.__version__}


def scans():
    """Returns how much longer a scan takes against the set, by processor time, in turns."""
    device = FOLDER / "device"
    device.mkdir()
    for i in range(20_000):
        (device / f"{i}.txt").write_text(f"file {i}\n" * 40)
    few = FOLDER / "few.txt"
    few.write_text("".join(f"{i:040x}\n" for i in (1, 2, 3)))
    semblance("collection", "create", "few", "--kind", "hashes", "--owner", "bench", "--country", "XX", "--basis", "none")
    semblance("collection", "import", "few", few)
    semblance("scan", device, "--case", "bench", "--exhibit", "warm", "--against", "many", "--json")
    ratios, used = [], {"few": [], "many": []}
    for i in range(6):
        for name in (("few", "many"), ("many", "few"))[i % 2]:  # the store grows with each: neither is always second
            said, u = semblance("scan", device, "--case", "bench", "--exhibit", f"{name}-{i}", "--against", name, "--json")
            assert json.loads(said.splitlines()[-1])["items"] == 20_000
            used[name].append(u["processor_s"])
        ratios.append(used["many"][-1] / used["few"][-1])
    return {"ratio": round(statistics.median(ratios), 3), "low": round(min(ratios), 3), "high": round(max(ratios), 3),
            "few_s": round(statistics.median(used["few"]), 2), "many_s": round(statistics.median(used["many"]), 2)}


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    out = {"digests": N}
    run(BENCH, "list", FOLDER / "list.txt", N)
    semblance("case", "create", "bench", "--agency", "bench", "--country", "XX", "--purpose", "benchmark", "--basis", "none")
    semblance("collection", "create", "many", "--kind", "hashes", "--owner", "bench", "--country", "XX", "--basis", "none")
    _, used = semblance("collection", "import", "many", FOLDER / "list.txt", "--set")
    out["import"] = {k: round(v, 1) for k, v in used.items()}
    os.remove(FOLDER / "list.txt")
    (file,) = DATA.glob("sets/*/sha1.digests")
    out["bytes"] = file.stat().st_size
    found = json.loads(run(BENCH, "find", file, N, 9)[0])
    assert found["wrong"] == 0
    out["per_s"] = round(found["lookups"] / statistics.median(found["seconds"][1:]))
    out["first_pass_per_s"] = round(found["lookups"] / found["seconds"][0])
    out["alone_us"], out["open_ms"] = round(found["alone_us"], 2), round(found["open_ms"], 2)
    with open(file, "rb") as f:
        os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    out["open_cold_ms"] = round(json.loads(run(BENCH, "find", file, N, 0)[0])["open_ms"], 2)
    out["scan"] = scans()
    run(BENCH, "probes", FOLDER / "probes", N)
    run(BENCH, "dump", file, FOLDER / "sorted")
    digests = numpy.memmap(FOLDER / "sorted", dtype="u1", mode="r").reshape(-1, 20)
    raw = (FOLDER / "probes").read_bytes()
    probes = [raw[i:i + 20] for i in range(0, len(raw), 20)]
    out["numpy"], out["sqlite"] = numpy_peer(digests, probes), sqlite_peer(digests, probes)
    assert out["numpy"]["there"] == out["sqlite"]["there"] == len(probes) // 2
    print(json.dumps(out))
    shutil.rmtree(FOLDER)


if __name__ == "__main__":
    main()
