#!/usr/bin/env python3
"""Searches the same vectors with FAISS's IndexFlatL2 and with bench/indexbench, in turns.

  index_peer.py PROGRAM FOLDER THREADS [ROWS [IDOLS.JSON]]

Rows are random vectors of length 1, or, with a file of dlib descriptors by person,
persons drawn from the normal distribution that those descriptors' persons have, with two
pictures each that differ as pictures of one person do there; so do the queries.
Every row is its own subject, which is all that FAISS knows. Prints JSON.

Needs: pip install faiss-cpu numpy
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

THREADS = int(sys.argv[3])
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = str(THREADS)

import faiss
import numpy

DIMS, K, BATCH = 128, 20, 256


def random_unit(rng, n):
    x = rng.standard_normal((n, DIMS), dtype=numpy.float32)
    return x / numpy.linalg.norm(x, axis=1, keepdims=True)


def like_faces(path):
    """Returns a function that draws n vectors."""
    persons = {}
    for entry in descriptors(json.loads(pathlib.Path(path).read_text())):
        persons.setdefault(entry[0], []).append(entry[1])
    means = numpy.array([numpy.mean(v, axis=0) for v in persons.values()])
    inner = numpy.concatenate([numpy.array(v) - numpy.mean(v, axis=0) for v in persons.values() if len(v) > 1])
    between, within = numpy.cov(means.T), numpy.cov(inner.T)
    lb, lw = (numpy.linalg.cholesky(c + 1e-9 * numpy.eye(DIMS)) for c in (between, within))

    def draw(rng, n):
        out = numpy.empty((n, DIMS), dtype=numpy.float32)
        for at in range(0, n, 50000):
            m = min(50000, n - at)
            who = rng.standard_normal(((m + 1) // 2, DIMS)) @ lb.T + means.mean(axis=0)
            out[at:at + m] = numpy.repeat(who, 2, axis=0)[:m] + rng.standard_normal((m, DIMS)) @ lw.T
        return out
    return draw, len(persons)


def descriptors(data):
    """Yields (person, 128 numbers) wherever they are in the file."""
    stack = [(None, data)]
    while stack:
        name, node = stack.pop()
        if isinstance(node, list) and len(node) == DIMS and all(isinstance(x, (int, float)) for x in node):
            yield name, node
        elif isinstance(node, list):
            stack.extend((name, child) for child in node)
        elif isinstance(node, dict):
            who = node.get("name") or node.get("idol_id") or node.get("id")
            stack.extend((who if who is not None else name or key, child) for key, child in node.items())


class Ours:
    def __init__(self, program, folder, rows, collections=1):
        self.p = subprocess.Popen([str(program), str(folder), str(rows), str(DIMS), str(collections)], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True, env={**os.environ, "GOMAXPROCS": str(THREADS)})
        self.opened = json.loads(self.p.stdout.readline())

    def ask(self, *words):
        print(*words, file=self.p.stdin, flush=True)
        return json.loads(self.p.stdout.readline())

    def close(self):
        self.p.stdin.close()
        self.p.wait()


def in_turns(ours, index, path, queries, times):
    """Returns the median seconds of each side."""
    a, b = [], []
    for _ in range(times):
        start = time.perf_counter()
        distances, ids = index.search(queries, K)
        a.append(time.perf_counter() - start)
        b += ours.ask("search", path, K, 1)["seconds"]
    return a, b, distances, ids


def differences(path, rows, queries, ids):
    """Counts answers that differ, and how many of them the definition's distances explain as ties to float32."""
    ours = numpy.fromfile(f"{path}.ids", dtype=numpy.uint64).reshape(len(queries), K)
    distances = numpy.fromfile(f"{path}.distances", dtype=numpy.float64).reshape(len(queries), K)
    places = lists = unexplained = wrong = 0
    for q in range(len(queries)):
        exact = numpy.sqrt(((rows[ours[q]].astype(numpy.float64) - queries[q].astype(numpy.float64)) ** 2).sum(axis=1))
        wrong += int((numpy.abs(exact - distances[q]) > 1e-12).sum()) + int((numpy.diff(distances[q]) < 0).sum())
        if (ours[q] == ids[q]).all():
            continue
        lists += 1
        theirs = numpy.sqrt(((rows[ids[q]].astype(numpy.float64) - queries[q].astype(numpy.float64)) ** 2).sum(axis=1))
        for i in numpy.nonzero(ours[q] != ids[q])[0]:
            places += 1
            # FAISS computes |a|²+|q|²-2aq in float32: rows nearer to each other than that may change places.
            if distances[q][i] > theirs[i] + 1e-15 and distances[q][i] ** 2 - theirs[i] ** 2 > 0 or abs(distances[q][i] ** 2 - theirs[i] ** 2) > 4e-6:
                unexplained += 1
    return {"lists": len(queries), "lists_differ": lists, "places_differ": places, "unexplained": unexplained, "ours_wrong": wrong}


def main():
    program, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    count = int(sys.argv[4]) if len(sys.argv) > 4 else 1_000_000
    draw, persons = like_faces(sys.argv[5]) if len(sys.argv) > 5 else (random_unit, 0)
    faiss.omp_set_num_threads(THREADS)
    faiss.cvar.distance_compute_blas_threshold = 20
    rng = numpy.random.default_rng(7)
    rows, queries = draw(rng, count), draw(rng, BATCH)
    if persons:  # a probe in two is of somebody who is there
        queries[::2] = rows[rng.integers(0, count, (BATCH + 1) // 2)] + 0.02 * rng.standard_normal(((BATCH + 1) // 2, DIMS)).astype(numpy.float32)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    rows.tofile(folder / "rows.f32")
    index = faiss.IndexFlatL2(DIMS)
    index.add(rows)
    ours = Ours(program, folder, count)
    out = {"threads": THREADS, "rows": count, "persons": persons, "faiss": faiss.__version__, "fill_s": round(ours.opened["fill_s"], 2)}
    for name, n, times in (("one", 1, 25), ("batch", BATCH, 5)):
        path = folder / name
        queries[:n].tofile(path)
        ours.ask("search", path, K, 1)
        index.search(queries[:n], K)
        a, b, _, ids = in_turns(ours, index, path, queries[:n], times)
        ratios = sorted(x / y for x, y in zip(a, b))
        out[name] = {"ratio": round(ratios[len(ratios) // 2], 2), "ratio_low": round(ratios[0], 2), "ratio_high": round(ratios[-1], 2),
                     "faiss_ms": round(1000 * sorted(a)[len(a) // 2], 2), "ours_ms": round(1000 * sorted(b)[len(b) // 2], 2),
                     **differences(path, rows, queries[:n], ids)}
    out["memory"] = ours.ask("memory")
    ours.close()
    print(json.dumps(out))


if __name__ == "__main__":
    main()
