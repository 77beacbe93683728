#!/usr/bin/env python3
"""Searches the same vectors with FAISS's IndexFlatL2 and with bench/indexbench, in turns.

  index_peer.py PROGRAM FOLDER THREADS [ROWS [IDOLS.JSON]]     one collection, beside FAISS
  index_peer.py PROGRAM FOLDER THREADS ten [IDOLS.JSON]        ten of 100,000, without a peer

Rows are random vectors of length 1, or, with a file of dlib descriptors by person,
persons drawn from the normal distribution that those descriptors' persons have, with two
pictures each that differ as pictures of one person do there; so do the queries.
Every row is its own subject, which is all that FAISS knows. Prints JSON.

Needs: pip install faiss-cpu numpy
"""
import base64
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
    """Returns a function that draws n vectors, and how many persons it learned from."""
    persons = {}
    for face in json.loads(pathlib.Path(path).read_text())["faces"]:
        vector = numpy.frombuffer(base64.b64decode(face["descriptor"]), dtype="<f4").astype(numpy.float64)
        persons.setdefault(face["idol_id"], []).append(vector)
    means = numpy.array([numpy.mean(v, axis=0) for v in persons.values()])
    inner = numpy.concatenate([numpy.array(v) - numpy.mean(v, axis=0) for v in persons.values() if len(v) > 1])
    between, within = (numpy.linalg.cholesky(numpy.cov(x.T) + 1e-9 * numpy.eye(DIMS)) for x in (means, inner))

    def draw(rng, n):
        out = numpy.empty((n, DIMS), dtype=numpy.float32)
        for at in range(0, n, 50000):
            m = min(50000, n - at)
            who = rng.standard_normal(((m + 1) // 2, DIMS)) @ between.T + means.mean(axis=0)
            out[at:at + m] = numpy.repeat(who, 2, axis=0)[:m] + rng.standard_normal((m, DIMS)) @ within.T
        return out
    return draw, len(persons)


class Ours:
    def __init__(self, program, folder, rows, collections=1):
        self.p = subprocess.Popen([str(program), str(folder), str(rows), str(DIMS), str(collections)], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True, env={**os.environ, "GOMAXPROCS": str(THREADS)})
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


def in_turns(ours, index, path, queries, times):
    """Returns the seconds of each side, and the peer's answers: with one thread those of the
    processor, which other work on the machine disturbs less, ours with reading the queries and
    writing the answers."""
    a, b = [], []
    clock = time.process_time if THREADS == 1 else time.perf_counter
    for _ in range(times):
        start = clock()
        _, ids = index.search(queries, K)
        a.append(clock() - start)
        before = ours.processor()
        wall = ours.ask("search", path, K, 1)["seconds"][0]
        b.append(ours.processor() - before if THREADS == 1 else wall)
    return a, b, ids


def differences(path, rows, queries, ids):
    """Counts lists that differ, places in them, and those that rounding does not explain: FAISS
    computes |a|²+|q|²-2aq in float32, so that rows whose squares are that near may change
    places. ours_wrong counts distances that are not the definition's, and wrong orders."""
    ours = numpy.fromfile(f"{path}.ids", dtype=numpy.uint64).reshape(len(queries), K)
    distances = numpy.fromfile(f"{path}.distances", dtype=numpy.float64).reshape(len(queries), K)
    places = lists = unexplained = wrong = 0

    def square(row, q):
        return ((rows[row].astype(numpy.float64) - queries[q].astype(numpy.float64)) ** 2).sum(axis=1)
    for q in range(len(queries)):
        wrong += int((abs(numpy.sqrt(square(ours[q], q)) - distances[q]) > 1e-12).sum()) + int((numpy.diff(distances[q]) < 0).sum())
        differ = ours[q] != ids[q]
        if differ.any():
            lists, places = lists + 1, places + int(differ.sum())
            further = square(ids[q], q) - distances[q] ** 2
            unexplained += int((abs(further) > 4e-6)[differ].sum())
    return {"lists": len(queries), "lists_differ": lists, "places_differ": places, "unexplained": unexplained, "ours_wrong": wrong}


def cold(folder):
    """Asks the system to forget what it holds of the index's files."""
    for path in (folder / "index").rglob("*.tray"):
        with open(path, "rb") as f:
            os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def ten(program, folder, draw):
    """176 probes against ten collections, opening, and changes."""
    rng = numpy.random.default_rng(7)
    rows, queries = draw(rng, 1_000_000), draw(rng, 176)
    rows.tofile(folder / "rows.f32")
    queries.tofile(folder / "probes")
    queries[:1].tofile(folder / "one")
    ours = Ours(program, folder, len(rows), 10)
    out = {"threads": THREADS, "fill_s": round(ours.opened["fill_s"], 2)}
    ours.ask("search", folder / "probes", K, 1)
    found = numpy.fromfile(folder / "probes.ids", dtype=numpy.uint64).reshape(176, K)
    out["probes_ms"] = round(1000 * min(ours.ask("search", folder / "probes", K, 3)["seconds"]), 1)
    wrong = 0
    norms = (rows.astype(numpy.float64) ** 2).sum(axis=1)
    for q in range(0, 176, 8):  # the definition, on some of them
        near = numpy.argpartition(norms - 2 * (rows @ queries[q]), 4 * K)[:4 * K]
        exact = ((rows[near].astype(numpy.float64) - queries[q].astype(numpy.float64)) ** 2).sum(axis=1)
        wrong += set(near[numpy.argsort(exact)[:K]]) != set(found[q])
    out["wrong"], out["memory"] = wrong, ours.ask("memory")
    ours.close()
    for name in ("cold", "warm"):
        if name == "cold":
            cold(folder)
        ours = Ours(program, folder, len(rows), 10)
        out[f"open_{name}_ms"] = round(1000 * ours.opened["open_s"], 2)
        out[f"first_search_{name}_ms"] = round(1000 * ours.ask("search", folder / "one", K, 1)["seconds"][0], 1)
        if name == "cold":
            ours.close()
    out["add_1000_ms"] = round(1000 * ours.ask("add", 1000)["seconds"][0], 1)
    out["remove_1000_ms"] = round(1000 * ours.ask("remove", 1000)["seconds"][0], 1)
    out["search_while_tidying_ms"] = round(1000 * ours.ask("search", folder / "one", K, 1)["seconds"][0], 1)
    start = time.perf_counter()
    ours.close()
    out["tidied_s"] = round(time.perf_counter() - start, 2)
    return out


def beside(program, folder, draw, persons, count):
    faiss.omp_set_num_threads(THREADS)
    faiss.cvar.distance_compute_blas_threshold = 20
    rng = numpy.random.default_rng(7)
    rows, queries = draw(rng, count), draw(rng, BATCH)
    if persons:  # every other probe is of somebody who is there
        queries[::2] = rows[rng.integers(0, count, (BATCH + 1) // 2)] + 0.02 * rng.standard_normal(((BATCH + 1) // 2, DIMS)).astype(numpy.float32)
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
        a, b, ids = in_turns(ours, index, path, queries[:n], times)
        ratios = sorted(x / y for x, y in zip(a, b))
        out[name] = {"ratio": round(ratios[len(ratios) // 2], 2), "ratio_low": round(ratios[0], 2), "ratio_high": round(ratios[-1], 2),
                     "faiss_ms": round(1000 * sorted(a)[len(a) // 2], 2), "ours_ms": round(1000 * sorted(b)[len(b) // 2], 2),
                     "faiss_best_ms": round(1000 * min(a), 2), "ours_best_ms": round(1000 * min(b), 2),
                     **differences(path, rows, queries[:n], ids)}
    out["memory"] = ours.ask("memory")
    ours.close()
    return out


def main():
    program, folder, what = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[4] if len(sys.argv) > 4 else "1000000"
    draw, persons = like_faces(sys.argv[5]) if len(sys.argv) > 5 else (random_unit, 0)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    print(json.dumps(ten(program, folder, draw) if what == "ten" else beside(program, folder, draw, persons, int(what))))
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
