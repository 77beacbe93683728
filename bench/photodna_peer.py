#!/usr/bin/env python3
"""Searches the same 144-byte values with FAISS and with bench/photodnabench, in turns, on one core.

  photodna_peer.py PROGRAM FOLDER [ROWS [KIND]]

The peer is IndexScalarQuantizer with QT_8bit_direct, FAISS's flat index of bytes: complete, and its
squared distances of whole numbers below 2^24 are exact in float32. True PhotoDNA values may not be had without a
license. KIND says how values are drawn:

  cells    6 by 6 cells of 4 numbers: a smooth field for each number, a contrast for each picture, noise
  noise    every byte for itself, normal with mean 60 and deviation 30: the groups of a sketch say least of it

Half of the queries are stored values moved by noise, so that they have near ones. Prints JSON. Times are of the
processor, which other work on the machine disturbs less.

Needs: pip install faiss-cpu numpy
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import faiss
import numpy

WIDTH, DISTANCE, QUERIES = 144, 40_000, 12


def cells(rng, n):
    coarse = rng.gamma(1.5, 40, (n, 3, 3, 4)).astype(numpy.float32)
    field = coarse.repeat(2, axis=1).repeat(2, axis=2)
    field = (field + numpy.roll(field, 1, axis=1) + numpy.roll(field, 1, axis=2)) / 3
    contrast = rng.gamma(4, 0.25, (n, 1, 1, 1)).astype(numpy.float32)
    field = field * contrast + 12 * rng.standard_normal(field.shape, dtype=numpy.float32)
    return field.clip(0, 255).astype(numpy.uint8).reshape(n, WIDTH)


def noise(rng, n):
    return (60 + 30 * rng.standard_normal((n, WIDTH), dtype=numpy.float32)).clip(0, 255).astype(numpy.uint8)


class Ours:
    def __init__(self, program, folder):
        self.p = subprocess.Popen([str(program), str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                  env={**os.environ, "GOMAXPROCS": "1"})
        self.opened = json.loads(self.p.stdout.readline())

    def ask(self, *words):
        print(*words, file=self.p.stdin, flush=True)
        return json.loads(self.p.stdout.readline())

    def processor(self):
        """Returns the seconds that the program's threads have used."""
        threads = pathlib.Path(f"/proc/{self.p.pid}/task").iterdir()
        return sum(int((t / "schedstat").read_text().split()[0]) for t in threads) / 1e9

    def close(self):
        self.p.stdin.close()
        self.p.wait()


def found(path):
    """Returns for each value a list of places and distances."""
    numbers, at, out = numpy.fromfile(f"{path}.found", dtype=numpy.uint64), 0, []
    while at < len(numbers):
        n = int(numbers[at])
        pairs = numbers[at + 1:at + 1 + 2 * n].reshape(n, 2)
        out.append((pairs[:, 0].astype(numpy.int64) - 1, pairs[:, 1].astype(numpy.int64)))
        at += 1 + 2 * n
    return out


def median(values):
    return sorted(values)[len(values) // 2]


def fill(path, rng, draw, rows):
    with open(path, "wb") as f:
        for at in range(0, rows, 200_000):
            draw(rng, min(200_000, rows - at)).tofile(f)


def cold(folder):
    """Asks the system to forget what it holds of the index's files."""
    for path in (folder / "index").rglob("*.tray"):
        with open(path, "rb") as f:
            os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def main():
    program, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    rows = int(sys.argv[3]) if len(sys.argv) > 3 else 10_000_000
    kind = sys.argv[4] if len(sys.argv) > 4 else "cells"
    draw = {"cells": cells, "noise": noise}[kind]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    rng = numpy.random.default_rng(11)
    fill(folder / "values.bin", rng, draw, rows)
    values = numpy.memmap(folder / "values.bin", dtype=numpy.uint8, mode="r").reshape(rows, WIDTH)
    queries = draw(rng, QUERIES)
    moved = values[rng.integers(0, rows, QUERIES // 2)].astype(numpy.int16) + rng.integers(-12, 13, (QUERIES // 2, WIDTH))
    queries[::2] = moved.clip(0, 255).astype(numpy.uint8)
    path = folder / "queries"
    queries.tofile(path)
    ours = Ours(program, folder)
    out = {"rows": rows, "kind": kind, "faiss": faiss.__version__, "fill_s": round(ours.opened["fill_s"], 1)}
    for name in ("cold", "warm"):
        ours.close()
        if name == "cold":
            cold(folder)
        ours = Ours(program, folder)
        one = ours.ask("search", path, DISTANCE)["seconds"]
        out[f"open_{name}_ms"], out[f"first_search_{name}_ms"] = round(1000 * ours.opened["open_s"], 1), round(1000 * one[0], 1)
    faiss.omp_set_num_threads(1)
    index = faiss.IndexScalarQuantizer(WIDTH, faiss.ScalarQuantizer.QT_8bit_direct, faiss.METRIC_L2)
    index.train(values[:1000].astype(numpy.float32))
    for at in range(0, rows, 200_000):
        index.add(values[at:at + 200_000].astype(numpy.float32))
    a, b, wrong, near = [], [], 0, 0
    for q in range(QUERIES):
        single = folder / "one"
        queries[q:q + 1].tofile(single)
        start = time.process_time()
        _, distances, ids = index.range_search(queries[q:q + 1].astype(numpy.float32), DISTANCE + 0.5)
        a.append(time.process_time() - start)
        before = ours.processor()
        ours.ask("search", single, DISTANCE)
        b.append(ours.processor() - before)
        mine = found(single)[0]
        wrong += dict(zip(ids.tolist(), distances.astype(numpy.int64).tolist())) != dict(zip(mine[0].tolist(), mine[1].tolist()))
        near += len(ids)
    out.update(queries=QUERIES, wrong=wrong, near=near, faiss_ms=round(1000 * median(a), 1), ours_ms=round(1000 * median(b), 1), ours_worst_ms=round(1000 * max(b), 1),
               ratio=round(median([x / y for x, y in zip(a, b)]), 1))
    before = ours.processor()
    ours.ask("batch", path, DISTANCE)
    out["batch_ms_a_query"] = round(1000 * (ours.processor() - before) / QUERIES, 1)
    out["memory"] = ours.ask("memory")
    out["add_1000_ms"] = round(1000 * ours.ask("add", 1000)["seconds"][0], 1)
    out["remove_1000_ms"] = round(1000 * ours.ask("remove", 1000)["seconds"][0], 1)
    ours.close()
    print(json.dumps(out))
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
