#!/usr/bin/env python3
"""Searches the same PDQs with FAISS's IndexBinaryFlat and IndexBinaryMultiHash and with
bench/pdqbench, in turns, one thread each.

  pdq_peer.py PROGRAM FOLDER VALUES random|skewed

Random values are that. Of the skewed ones a third are copies of 10,000 others within 0 to 40
bits, a sixth are random in half of their bits only, 1 in 100 is of a flat picture (0 to 30
bits besides one of six patterns), and 1 in 50 is the same as another.
Queries are near values there are, every other one near none. Prints JSON.

Needs: pip install faiss-cpu numpy
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"

import faiss
import numpy

RADIUS, QUERIES, PROBES, NEW = 31, 400, 1000, 100_000


def turned(rng, values, most):
    """Returns the values with 0 to most bits of each turned."""
    bits = numpy.unpackbits(values, axis=1)
    counts = rng.integers(0, most + 1, len(values))
    order = rng.random((len(values), 256), dtype=numpy.float32).argsort(axis=1).argsort(axis=1)
    return numpy.packbits(bits ^ (order < counts[:, None]).astype(numpy.uint8), axis=1)


def uniform(rng, n):
    return rng.integers(0, 256, size=(n, 32), dtype=numpy.uint8)


def in_pieces(make, n):
    return numpy.concatenate([make(min(100_000, n - at)) for at in range(0, n, 100_000)])


def skewed(rng, n):
    base = uniform(rng, n - n // 3 - n // 6 - n // 100)
    copies = in_pieces(lambda m: turned(rng, base[rng.integers(0, 10_000, m)], 40), n // 3)
    patterns = numpy.zeros((6, 32), dtype=numpy.uint8)
    patterns[1], patterns[2, ::2], patterns[3, 16:], patterns[4, :4], patterns[5] = 255, 255, 255, 240, 170
    flat = in_pieces(lambda m: turned(rng, patterns[rng.integers(0, 6, m)], 30), n // 100)
    half = uniform(rng, n // 6)
    half[:, 16:] = 0
    out = numpy.concatenate([base, copies, flat, half])
    rng.shuffle(out)
    same = rng.integers(0, n, n // 50)
    out[same] = out[rng.integers(0, n, n // 50)]
    return out


def dihedral(values):
    """Returns each value in eight transforms: as they are of the hash's bits, which is near
    what they are of the picture, and as costly to search."""
    square = numpy.unpackbits(values, axis=1).reshape(-1, 16, 16)
    odd = (numpy.arange(16) & 1).astype(numpy.uint8)
    out = []
    for x in (square, square.transpose(0, 2, 1)):
        for rows, columns in ((0, 0), (odd[:, None], 0), (0, odd), (odd[:, None], odd)):
            out.append(numpy.packbits((x ^ rows ^ columns).reshape(-1, 256), axis=1))
    return numpy.stack(out, axis=1).reshape(-1, 32)


class Ours:
    def __init__(self, program, folder, threads=1):
        self.p = subprocess.Popen([str(program), str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "GOMAXPROCS": str(threads)})
        self.opened = json.loads(self.p.stdout.readline())

    def ask(self, *words):
        print(*words, file=self.p.stdin, flush=True)
        return json.loads(self.p.stdout.readline())

    def processor(self):
        """Returns the seconds that the program's threads have used."""
        threads = pathlib.Path(f"/proc/{self.p.pid}/task").iterdir()
        return sum(int((t / "schedstat").read_text().split()[0]) for t in threads) / 1e9

    def cpu(self, *words):
        before = self.processor()
        self.ask(*words)
        return self.processor() - before

    def close(self):
        self.p.stdin.close()
        self.p.wait()


def found(path, n):
    """Returns the answers to n queries as sets of places and distances."""
    raw, at, out = numpy.fromfile(f"{path}.found", dtype=numpy.uint64), 0, []
    for _ in range(n):
        count = int(raw[at])
        pairs = raw[at + 1:at + 1 + 2 * count].reshape(-1, 2)
        out.append(pairs[numpy.argsort(pairs[:, 0])])
        at += 1 + 2 * count
    return out


def wrong(theirs, ours):
    """Counts queries whose answers are not the same, and entries that ours lack."""
    differ = missing = 0
    for (ids, distances), mine in zip(theirs, ours):
        order = numpy.argsort(ids)
        want = numpy.stack([ids[order] + 1, distances[order]], axis=1).astype(numpy.uint64)
        missing += len(numpy.setdiff1d(want[:, 0], mine[:, 0]))
        differ += not numpy.array_equal(want, mine)
    return differ, missing


def ranged(index, queries):
    """Searches one query after the other and returns answers and seconds of the processor."""
    out, seconds = [], []
    for q in range(len(queries)):
        start = time.process_time()
        _, distances, ids = index.range_search(queries[q:q + 1], RADIUS + 1)  # below
        seconds.append(time.process_time() - start)
        out.append((ids, distances))
    return out, seconds


def median(x):
    return sorted(x)[len(x) // 2]


def main():
    program, folder, n, kind = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    faiss.omp_set_num_threads(1)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    rng = numpy.random.default_rng(7)
    values = uniform(rng, n) if kind == "random" else skewed(rng, n)
    values.tofile(folder / "values.pdq")
    some = values[rng.integers(0, n, QUERIES)]
    queries = turned(rng, some, 45)
    queries[::2] = uniform(rng, QUERIES // 2)
    out = {"values": n, "kind": kind, "queries": QUERIES, "faiss": faiss.__version__}

    ours = Ours(program, folder)
    out["fill_s"] = round(ours.opened["fill_s"], 1)
    ours.close()
    for path in (folder / "index").rglob("*.segment"):  # cold: the system is asked to forget them
        with open(path, "rb") as f:
            os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    ours = Ours(program, folder)
    out["open_ms"] = round(1000 * ours.opened["open_s"], 2)
    queries[:1].tofile(folder / "one")
    out["first_ms"] = round(1000 * ours.ask("search", folder / "one", RADIUS)["seconds"][0], 1)

    start = time.process_time()
    flat = faiss.IndexBinaryFlat(256)
    flat.add(values)
    multi = faiss.IndexBinaryMultiHash(256, 16, 16)
    multi.nflip = 1
    multi.add(values)
    out["multihash_fill_s"] = round(time.process_time() - start, 1)

    path = folder / "queries"
    queries.tofile(path)
    ours.ask("search", path, RADIUS)  # once to read the files
    flat_s, multi_s, our_s, walls, answers = [], [], [], [], []  # of the processor but for walls
    for at in range(0, QUERIES, 100):  # in turns, long enough that what the peer leaves in the caches matters little
        part = folder / "part"
        queries[at:at + 100].tofile(part)
        theirs, seconds = ranged(flat, queries[at:at + 100])
        flat_s += seconds
        _, seconds = ranged(multi, queries[at:at + 100])
        multi_s += seconds
        said = ours.ask("search", part, RADIUS)
        our_s += said["processor"]
        walls += said["seconds"]
        answers += zip(theirs, found(part, 100))
    out["differ"], out["missing"] = wrong([a for a, _ in answers], [b for _, b in answers])
    out["found"] = sum(len(b) for _, b in answers)
    out["flat_ms"], out["multihash_ms"] = round(1000 * median(flat_s), 2), round(1000 * median(multi_s), 2)
    out["flat_mean_ms"], out["multihash_mean_ms"] = (round(1000 * sum(x) / len(x), 2) for x in (flat_s, multi_s))
    out["ours_ms"], out["ours_mean_ms"], out["ours_wall_ms"] = round(1000 * median(our_s), 3), round(1000 * sum(our_s) / len(our_s), 3), round(1000 * median(walls), 3)

    probes = turned(rng, values[rng.integers(0, n, PROBES)], 30)
    dihedral(probes).tofile(folder / "dihedral")
    out["dihedral_s"] = round(min(ours.cpu("batch", folder / "dihedral", RADIUS) for _ in range(3)), 2)
    start = time.process_time()
    flat.range_search(dihedral(probes[:20]), RADIUS + 1)
    out["dihedral_flat_s"] = round((time.process_time() - start) / 20 * PROBES, 1)
    out["memory"] = ours.ask("memory")
    out["add_ms"] = [round(1000 * ours.ask("add", 1000)["seconds"][0], 1) for _ in range(5)]
    ours.close()

    fresh = turned(rng, values[rng.integers(0, n, NEW)], 60)
    fresh.tofile(folder / "fresh")
    ours = Ours(program, folder, 2)
    out["lookback_s"] = round(sum(ours.ask("batch", folder / "fresh", RADIUS)["seconds"]), 1)
    out["lookback_memory"] = ours.ask("memory")
    ours.close()
    print(json.dumps(out))
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
