#!/usr/bin/env python3
"""Runs every benchmark beside its peer, one after the other, and prints one table.

    scripts/bench [hashing] [nets] [faces] [detection] [accuracy] [index] [pdq] [start] [group] [digests] [photodna] [lookback] [video] [links] [bulk] [sheet] [images] [both]

A part that cannot run says why in its row; nothing is taken over from an earlier run. What
is compared on one core is pinned to one. Programs of bench/ may add rows of their
own: a line of their output that starts with "| " is one.

Rows are: what | at least | measured | peer.
"""
import json
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time

import images
import sheet

ROOT = pathlib.Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "bench"
# Taken out of the environment: the program refuses variables that it does not know.
BENCH_DIR = pathlib.Path(os.environ.pop("SEMBLANCE_BENCH_DIR", "") or CACHE)
MODELS = pathlib.Path(os.environ.get("SEMBLANCE_MODELS_DIR") or ROOT / ".cache" / "models")
os.environ["SEMBLANCE_MODELS_DIR"] = str(MODELS)
ONE_CORE = ["taskset", "-c", "0"]
# How a worker's allocator is set (worker/child.go); the peer in the same process has it too.
AS_WORKER = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=33554432:glibc.malloc.trim_threshold=134217728"}
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
# Pictures whose name is not one person; see the note in docs/benchmarks.md.
SEVERAL_PERSONS = {"jimin", "yujin", "pristin"}

rows = []


def row(what, least, measured, peer):
    rows.append((what, least, measured, peer))
    print(f"bench: {what}: {measured} (at least {least}; {peer})", file=sys.stderr, flush=True)


class Missing(Exception):
    """What a part needs is not there."""


def run(*command, check=True, **env):
    said = subprocess.run([str(c) for c in command], cwd=ROOT, text=True, capture_output=True,
                          env={**os.environ, **ONE_THREAD, **env})
    if check and said.returncode:
        last = (said.stderr.strip() or said.stdout.strip()).splitlines()[-1:] or ["no output"]
        raise Missing(f"{pathlib.Path(str(command[0])).name} failed: {last[0]}")
    return said.stdout


def go_run(package, *args):
    """Builds a Go program of bench/ and runs it on one core."""
    out = CACHE / pathlib.Path(package).name
    env = {"CGO_ENABLED": "1", "CXX": str(ROOT / "scripts" / "cxx")}
    run("go", "build", "-tags", "native", "-o", out, package, **env)
    return run(*ONE_CORE, out, *args, SEMBLANCE_MODELS_DIR=str(MODELS))


def testdata(part):
    root = os.environ.get("SEMBLANCE_TESTDATA")
    if not root or not (pathlib.Path(root) / part).is_dir():
        raise Missing(f"SEMBLANCE_TESTDATA has no folder {part}")
    return pathlib.Path(root) / part


def pictures(*parts):
    found = [p for part in parts for p in sorted(testdata(part).rglob("*")) if p.suffix.lower() in (".jpg", ".jpeg", ".png")]
    return [str(p) for p in found]


def weights(name):
    if not (MODELS / name).is_file():
        raise Missing(f"{name} is not in {MODELS}; run make models")
    return MODELS / name


def number(pattern, text):
    found = re.search(pattern, text)
    if not found:
        raise Missing(f"no {pattern!r} in the output")
    return float(found.group(1))


def hashing():
    files = pictures("pdq", "faces", "groups")
    peer = ROOT / "bench" / "hash_peer.py"
    odd, whole = CACHE / "hash-odd", CACHE / "hash-whole"
    for folder in (odd, whole):
        shutil.rmtree(folder, ignore_errors=True)
    run(sys.executable, peer, "dump", odd, *files, "--variants")
    said = go_run("./bench/hashbench", "compare", odd)
    tally = next(line for line in said.splitlines() if line.startswith("pdq  "))
    row("PDQ on equal pixels: bits that differ, number of pictures", "0 on 99%, never over 2", " ".join(tally.split()[1:]).replace("|", ";"), "pdqhash 0.2.8")
    shutil.rmtree(odd)
    run(sys.executable, peer, "dump", whole, *files)
    # Twice in turns, and the better of each: another process may use the machine.
    theirs = max(json.loads(run(*ONE_CORE, sys.executable, peer, "bench", whole, 8))["images_per_s_hashing"] for _ in range(2))
    ours = max(json.loads(go_run("./bench/hashbench", "bench", whole, 8))["images_per_s_hashing"] for _ in range(2))
    row("digests + PDQ + pHash + dHash + aHash, images/s a core", "4x", f"{ours / theirs:.1f}x: {ours:.1f}",
        f"{theirs:.1f}, hashlib + pdqhash + imagehash")
    shutil.rmtree(whole)


def nets():
    chips = pictures("johns")
    said = run(*ONE_CORE, sys.executable, ROOT / "bench" / "dlib_peer.py", CACHE / "dlibpeer",
               weights("dlib_face_recognition_resnet_model_v1.dat"), weights("dlib_face_recognition_resnet_model_v1.onnx"), *chips)
    row("dlib embedding, largest difference of a component", "below 1e-5", f"{number(r'component ([0-9.e+-]+)', said):.1e}", "dlib, C++")
    theirs, ours = number(r"dlib:.*?([0-9.]+) faces/s", said), number(r"ONNX Runtime:.*?([0-9.]+) faces/s", said)
    row("the same net alone, faces/s a core", "5x", f"{ours / theirs:.1f}x: {ours:.1f}, ONNX Runtime called from Python", f"{theirs:.1f}, dlib, C++, one thread of ATLAS")
    embed = 1000 / number(r"Embed/yunet-dlib.*?([0-9.]+) cpu-ms/face", worker_bench("Embed", "2s"))
    row("the same net as the worker runs it, batches of 8, faces/s a core", "5x", f"{embed / theirs:.1f}x: {embed:.1f}", f"{theirs:.1f}, dlib, C++, one thread of ATLAS")
    said = run(*ONE_CORE, sys.executable, ROOT / "bench" / "tflite_peer.py", weights("MobileFaceNet.tflite"), weights("mobilefacenet.onnx"), *pictures("faces"))
    row("MobileFaceNet, largest difference of a component", "below 1e-4", f"{number(r'largest difference ([0-9.e+-]+)', said):.1e}", "TFLite original, ai-edge-litert")
    originals = weights("pnet.tflite").parent
    said = run(*ONE_CORE, sys.executable, ROOT / "bench" / "mtcnn_peer.py", originals, weights("mtcnn-pnet.onnx").parent, *pictures("faces")[:6])
    row("MTCNN, largest difference of an output", "below 1e-4", f"{number(r'largest difference ([0-9.e+-]+)', said):.1e}", "TFLite originals, ai-edge-litert")


def worker_bench(pattern, times):
    """Go's own benchmarks in the worker, pinned to one core."""
    binary = CACHE / "worker.test"
    run("go", "test", "-tags", "native", "-c", "-o", binary, "./cmd/semblance-worker", CGO_ENABLED="1", CXX=str(ROOT / "scripts" / "cxx"))
    command = [*ONE_CORE, binary, "-test.run", "^$", "-test.cpu", "1", "-test.bench", pattern, "-test.benchtime", times]
    return subprocess.run([str(c) for c in command], cwd=ROOT / "cmd" / "semblance-worker", text=True, capture_output=True, check=True,
                          env={**os.environ, **ONE_THREAD, **AS_WORKER, "SEMBLANCE_MODELS_DIR": str(MODELS)}).stdout


def faces():
    testdata("faces")
    weights("mmod_human_face_detector.dat")
    for engine, least in (("yunet-mobilefacenet", "6x"), ("yunet-dlib", "(stated)")):
        runs = []
        for _ in range(3):
            said = worker_bench(f"Beside/{engine}$", "238x")
            runs.append((number(r"([0-9.]+) ratio", said), number(r"([0-9.]+) ours-ms/op", said), number(r"([0-9.]+) goface-ms/op", said)))
        runs.sort()
        ratio, ours, theirs = runs[1]
        row(f"decode + detect + embed, {engine}, images/s a core, in turns with the peer", least,
            f"{ratio:.1f}x ({runs[0][0]:.1f} to {runs[2][0]:.1f} in three runs): {1000 / ours:.1f}", f"{1000 / theirs:.1f}, go-face HOG as it is")


def detection():
    testdata("faces")
    testdata("groups")
    weights("mmod_human_face_detector.dat")
    said = worker_bench("Recall", "1x")
    for line in said.splitlines():
        found = re.match(r"BenchmarkRecall/(\S+)", line)
        if not found:
            continue
        v = {name: number(r"([0-9.]+) " + name + r"(?:\s|$)", line) for name in
             ("marked", "ours-found", "ours-extra", "ours-ms", "hog-found", "hog-ms", "cnn-found", "cnn-ms")}
        row(f"faces found, {found.group(1)}", "no fewer than CNN, 20x its speed",
            f"{v['ours-found']:.0f} of {v['marked']:.0f} and {v['ours-extra']:.0f} that are none, {v['ours-ms']:.1f} ms: {v['cnn-ms'] / v['ours-ms']:.0f}x CNN, {v['hog-ms'] / v['ours-ms']:.1f}x HOG",
            f"go-face CNN {v['cnn-found']:.0f}, {v['cnn-ms']:.0f} ms; HOG {v['hog-found']:.0f}, {v['hog-ms']:.1f} ms")
    said = worker_bench("Without", "5x")
    row("a picture without a face beside the same with, processor time", "at most 2x",
        f"{number(r'([0-9.]+) ratio', said):.2f}x, the worst of {number(r'([0-9.]+) pictures', said):.0f} {number(r'([0-9.]+) largest', said):.2f}x", "-")


def accuracy():
    """The hard set, on which nothing was chosen, and johns, which every engine separates."""
    with tempfile.TemporaryDirectory() as folder:
        for p in testdata("faces").glob("*.jpg"):
            person = re.match(r"[a-z_]+", p.stem).group()
            if person not in SEVERAL_PERSONS:
                (pathlib.Path(folder) / person).mkdir(exist_ok=True)
                shutil.copy(p, pathlib.Path(folder) / person)
        for name, photographs, floor in (("hard set", folder, "0.93"), ("johns", testdata("johns"), "1.0")):
            for engine, least in (("yunet-mobilefacenet", floor), ("yunet-dlib", "(stated)"), ("dlib-hog", "(stated)")):
                said = run(ROOT / "bin" / "semblance", "--json", "evaluate", photographs, "--engine", engine, SEMBLANCE_MODELS_DIR=str(MODELS))
                result = json.loads(said.strip().splitlines()[-1])
                used = f"{result['samples']} faces, {result['mated_pairs']} mated and {result['non_mated_pairs']} non-mated pairs"
                row(f"verification on {name}, {engine}: AUC with its 95% interval over persons", least, f"{result['auc']:.3f} ({result['auc_low']:.3f} to {result['auc_high']:.3f})", used)


def index():
    program, peer, folder = CACHE / "indexbench", ROOT / "bench" / "index_peer.py", CACHE / "index"
    run("go", "build", "-o", program, "./bench/indexbench", CGO_ENABLED="0")
    idols = testdata("faces") / "idols.json"
    for kind, data in (("random vectors", []), ("vectors like faces", [idols])):
        for threads in (1, 2):
            said = json.loads(run(sys.executable, peer, program, folder, threads, 1_000_000, *data))
            for name, what, least in (("one", "one query", "3x"), ("batch", "a batch of 256", "2x")):
                r = said[name]
                row(f"flat search, 1 million x 128, {kind}, {what}, {threads} thread{'s'[:threads - 1]}", f"{least}, same answers",
                    f"{r['ratio']:.1f}x ({r['ratio_low']:.1f} to {r['ratio_high']:.1f}): {r['ours_ms']:.1f} ms; {r['lists_differ']} of {r['lists']} lists differ, "
                    f"{r['unexplained']} places not by float32 rounding; {r['ours_wrong']} of ours wrong",
                    f"{r['faiss_ms']:.1f} ms, FAISS {said['faiss']} IndexFlatL2, blas threshold 20, in turns")
    r = json.loads(run(sys.executable, peer, program, folder, 2, "ten", idols))
    row("176 probes against ten collections of 100,000, the search alone, 2 threads", "below 60 s (whole program)", f"{r['probes_ms']:.0f} ms, {r['wrong']} of 22 lists wrong", "-")
    row("an index of 1 million opened, then its first search: cold; warm", "(stated)",
        f"{r['open_cold_ms']:.1f} + {r['first_search_cold_ms']:.0f} ms; {r['open_warm_ms']:.1f} + {r['first_search_warm_ms']:.0f} ms", "-")
    row("1,000 rows added; removed; a search right after", "(stated)", f"{r['add_1000_ms']:.0f} ms; {r['remove_1000_ms']:.0f} ms; {r['search_while_tidying_ms']:.0f} ms", "-")
    row("memory of an index of 1 million: own; mapped files resident", "(stated)", f"{r['memory']['RssAnon_MiB']} MiB; {r['memory']['RssFile_MiB']} MiB", "-")


def fastest(command, times=10):
    best = 1e9
    for _ in range(times):
        start = time.perf_counter()
        run(*command)
        best = min(best, time.perf_counter() - start)
    return best


def start():
    program = ROOT / "bin" / "semblance"
    row("start of semblance version", "below 0.1 s", f"{fastest([program, 'version']):.3f} s", "-")
    portraits = [p for p in pictures("faces") if pathlib.Path(p).stem == "bona"]
    with tempfile.TemporaryDirectory() as data:
        person = pathlib.Path(data) / "gallery" / "bona"
        person.mkdir(parents=True)
        shutil.copy(portraits[0], person)
        on = [program, "--data", data + "/data"]
        run(*on, "case", "create", "bench-1", "--agency", "bench", "--country", "XX", "--purpose", "benchmark", "--basis", "none")
        run(*on, "collection", "create", "faces", "--kind", "faces", "--owner", "bench", "--country", "XX", "--basis", "none")
        run(*on, "collection", "add", "faces", person.parent)
        search = [*on, "search", portraits[0], "--against", "faces", "--case", "bench-1"]
        row("a search on an existing data folder, from start to end", "below 1 s", f"{fastest(search, 5):.2f} s", "-")


def photodna():
    """Supplied values, ten million, on one core."""
    program, peer = CACHE / "photodnabench", ROOT / "bench" / "photodna_peer.py"
    run("go", "build", "-o", program, "./bench/photodnabench", CGO_ENABLED="0")
    for kind, values in (("cells", "smooth fields"), ("noise", "every byte for itself")):
        r = json.loads(run(sys.executable, peer, program, CACHE / "photodna", 10_000_000, kind))
        row(f"PhotoDNA, 10 million values ({values}), distance 40,000, a query on one core", "below 0.3 s, complete",
            f"{r['ours_ms']:.0f} ms (worst {r['ours_worst_ms']:.0f}), {r['ratio']:.0f}x; in a batch {r['batch_ms_a_query']:.0f} ms; {r['wrong']} of {r['queries']} answers differ",
            f"{r['faiss_ms']:.0f} ms, FAISS {r['faiss']} IndexScalarQuantizer 8bit_direct, range search, in turns")
        m = r["memory"]
        row(f"the same, opened and first search, cold; 1,000 added, removed; memory own, mapped", "(stated)",
            f"{r['open_cold_ms']:.0f} + {r['first_search_cold_ms']:.0f} ms; {r['add_1000_ms']:.0f}, {r['remove_1000_ms']:.0f} ms; {m['RssAnon_MiB']}, {m['RssFile_MiB']} MiB", "-")


def pdq():
    """Ten million PDQs, on one core."""
    program, folder = CACHE / "pdqbench", BENCH_DIR / "pdq"
    run("go", "build", "-o", program, "./bench/pdqbench", CGO_ENABLED="0")
    for kind in ("random", "skewed"):
        r = json.loads(run(sys.executable, ROOT / "bench" / "pdq_peer.py", program, folder, 10_000_000, kind))
        what, m, looked = f"10 million PDQs ({kind})", r["memory"], r["lookback_memory"]
        row(f"{what}, within 31, a query on one core", "100x FAISS flat, 50x MultiHash; recall 1",
            f"{r['flat_ms'] / r['ours_ms']:.0f}x, {r['multihash_ms'] / r['ours_ms']:.0f}x: {r['ours_ms']:.3f} ms (mean {r['ours_mean_ms']:.3f}; wall {r['ours_wall_ms']:.3f}); "
            f"{r['differ']} of {r['queries']} answers differ, {r['missing']} of {r['found']} entries missing",
            f"{r['flat_ms']:.1f} ms (mean {r['flat_mean_ms']:.1f}), FAISS {r['faiss']} IndexBinaryFlat; {r['multihash_ms']:.1f} ms (mean {r['multihash_mean_ms']:.1f}), IndexBinaryMultiHash(256, 16, 16), nflip 1; range search, in turns")
        row(f"{what}, eight transforms of 1,000 probes as one batch, one core", "(stated)", f"{r['dihedral_s']:.1f} s", f"{r['dihedral_flat_s']:.0f} s, FAISS IndexBinaryFlat, from 20 of the probes")
        row(f"{what}: opened cold, then the first search; 1,000 added, five times", "below 200 ms; below 50 ms",
            f"{r['open_ms']:.1f} ms, {r['first_ms']:.0f} ms; {', '.join(str(x) for x in r['add_ms'])} ms", "-")
        row(f"{what}: memory resident, own and mapped; made in", "below 1 GiB", f"{m['VmRSS_MiB']} MiB, {m['RssAnon_MiB']} and {m['RssFile_MiB']}; {r['fill_s']:.0f} s", f"{r['multihash_fill_s']:.0f} s, both of FAISS")
        row(f"{what}: 100,000 new ones looked up in them, 10,000 at a time, two cores", "below 60 s", f"{r['lookback_s']:.1f} s, {looked['VmHWM_MiB']} MiB", "-")


def lookback():
    """A look-back's search and stacking, by the Go benchmarks; no peer does either."""
    folder = CACHE / "lookback"
    folder.mkdir(parents=True, exist_ok=True)
    for kind, skewed in (("random", ""), ("skewed", "1")):
        text = run("go", "test", "./index/kept", "-run", "-", "-bench", "Near", "-benchtime", "1x", "-timeout", "60m",
                   CGO_ENABLED="0", SEMBLANCE_KEPT_DIR=str(folder), SEMBLANCE_KEPT_MEDIA="10000000", SEMBLANCE_KEPT_VALUES="100000", SEMBLANCE_KEPT_SKEWED=skewed)
        m = re.search(r"100000-in-10000000\S*\s+1\s+(\d+) ns/op\s+([\d.]+) cpu-s/op\s+([\d.e+]+) media", text)
        row(f"look-back: 100,000 new PDQ entries among the eight turned hashes of 10 million stored media ({kind}), distance 31", "below 60 s, complete",
            f"{int(m[1]) / 1e9:.0f} s ({float(m[2]):.0f} s of processor time), {float(m[3]):,.0f} media", "-")
    text = run("go", "test", ".", "-run", "-", "-bench", "Stacks", "-benchtime", "1x", CGO_ENABLED="0", GOMAXPROCS="1", SEMBLANCE_STACK_DIR=str(folder), SEMBLANCE_STACK_MEDIA="100000")
    runs = re.findall(r"Stacks/\S+\s+1\s+(\d+) ns/op", text)
    row("100,000 media stacked on one core; 100 more", "below 60 s", f"{int(runs[0]) / 1e9:.1f} s; {int(runs[1]) / 1e9:.1f} s", "-")


def group():
    import group as part  # bench/group.py
    part.measure(sys.modules[__name__])


def digests():
    program, folder = CACHE / "digestbench", BENCH_DIR / "digests"
    run("go", "build", "-o", program, "./bench/digestbench", CGO_ENABLED="0")
    r = json.loads(run(*ONE_CORE, sys.executable, ROOT / "bench" / "digest_peer.py", ROOT / "bin" / "semblance", program, ROOT / "bin" / "semblance-worker", folder, 100_000_000, GOMAXPROCS="1"))
    row("100 million SHA-1 imported from a plain list: processor time, memory, file", "below 1 GiB of memory",
        f"{r['import']['processor_s']:.0f} s, {r['import']['peak_MiB']:.0f} MiB, {r['bytes'] / 1e9:.2f} GB", f"{r['sqlite']['fill_processor_s']:.0f} s, {r['sqlite']['bytes'] / 1e9:.2f} GB, sorted digests into a SQLite table")
    row("lookups a second in them, one core, warm, half of them there", "1 million",
        f"{r['per_s'] / 1e6:.2f} million: {r['per_s'] / r['sqlite']['per_s']:.0f}x SQLite, {r['per_s'] / r['numpy']['per_s']:.1f}x numpy; one at a time {r['alone_us']:.2f} us",
        f"{r['sqlite']['per_s'] / 1e6:.2f} million, SQLite {r['sqlite']['version']} from Python; {r['numpy']['per_s'] / 1e6:.2f} million, numpy {r['numpy']['version']} searchsorted of a million at once")
    row("the set opened: warm; cold", "below 0.2 s", f"{r['open_ms']:.1f} ms; {r['open_cold_ms']:.1f} ms", "-")
    row("a scan of 20,000 small files against them beside one against three entries, processor time, in turns", "at most 1.1x",
        f"{r['scan']['ratio']:.3f}x ({r['scan']['low']:.3f} to {r['scan']['high']:.3f}): {r['scan']['many_s']:.2f} s", f"{r['scan']['few_s']:.2f} s")


def both():
    import both as part  # bench/both.py
    part.measure(sys.modules[__name__])


def bulk():
    import bulk as part  # bench/bulk.py
    part.measure(sys.modules[__name__])


def video():
    import video as part  # bench/video.py
    part.measure(sys.modules[__name__])


def links():
    import links as part  # bench/links.py
    part.measure(sys.modules[__name__])


def main(asked):
    parts = {"hashing": hashing, "nets": nets, "faces": faces, "detection": detection, "accuracy": accuracy, "index": index, "pdq": pdq, "start": start, "group": group, "digests": digests, "photodna": photodna, "lookback": lookback, "video": video, "links": links, "bulk": bulk, "both": both, "sheet": lambda: sheet.measure(sys.modules[__name__]),
             "images": lambda: images.measure(sys.modules[__name__])}
    unknown = [a for a in asked if a not in parts]
    if unknown:
        sys.exit(f"bench: no part {unknown[0]!r}; there are {', '.join(parts)}")
    CACHE.mkdir(parents=True, exist_ok=True)
    failed = False
    for name in asked or [p for p in parts if p != "both"]:  # which fills a data folder for a quarter of an hour
        try:
            parts[name]()
        except (Missing, OSError, KeyError, ValueError, StopIteration) as e:
            failed = True
            row(f"{name}: not measured", "-", str(e) or type(e).__name__, "-")
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    commit = run("git", "describe", "--tags", "--always", "--dirty", check=False).strip() or "unknown"
    print(f"\n{cpu}, {os.cpu_count()} cores; commit {commit}; {time.strftime('%Y-%m-%d')}\n")
    print("| what | at least | measured | peer |\n|---|---|---|---|")
    for cells in rows:
        print("| " + " | ".join(cells) + " |")
    sys.exit(failed)


if __name__ == "__main__":
    main(sys.argv[1:])
