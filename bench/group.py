"""Grouping of unknown faces: how long, how much memory, how well, beside dlib's Chinese whispers.

table.py calls measure; the made-up faces serve for speed only.
"""
import re


def measure(t):
    bench, peer = t.CACHE / "groupbench", t.CACHE / "grouppeer"
    t.run("go", "build", "-o", bench, "./bench/groupbench", CGO_ENABLED="0")
    t.run("g++", "-std=c++14", "-O3", "-march=x86-64-v3", "-DNDEBUG", "bench/grouppeer/grouppeer.cpp", "-o", peer, "-ldlib", "-lblas", "-lcblas", "-llapack")
    said = t.run(bench)
    grouped = re.search(r"grouped (\d+) faces in ([0-9.]+) s \(([0-9.]+) s of processor time\), peak memory (\d+) MiB", said)
    t.row(f"grouping {int(grouped[1]):,} faces, stored: seconds, memory", "below 600 s, 2 GiB", f"{grouped[2]} s ({grouped[3]} s of processor time), {grouped[4]} MiB", "-")
    added = re.search(r"added (\d+) faces in ([0-9.]+) s \(([0-9.]+) s of processor time\)", said)
    t.row(f"adding {added[1]} faces to them", "below 1 s", f"{added[2]} s ({added[3]} s of processor time)", "-")
    both = re.search(r"(\d+) faces: ours ([0-9.]+) s, stored; Chinese whispers ([0-9.]+) s", t.run(bench, "-persons", 4000, "-peer", peer))
    t.row(f"grouping {int(both[1]):,} faces beside a peer", "(stated)", f"{float(both[3]) / float(both[2]):.1f}x: {both[2]} s, two threads, stored", f"{both[3]} s, dlib's Chinese whispers, one thread, in memory")
    accuracy(t, bench, peer)


def accuracy(t, bench, peer):
    idols = t.testdata("faces") / "idols.json"
    sets = [("the persons of idols.json the threshold was not chosen on", "dlib-hog", "0.3", [idols, "-half", "test"])]
    for name in ("johns", "faces"):
        t.weights("mobilefacenet.onnx")
        file = t.CACHE / f"group-{name}.ndjson"
        file.write_text(t.run(t.ROOT / "bin" / "semblance", "--json", "faces", "--embedding", *t.pictures(name), check=False, SEMBLANCE_MODELS_DIR=str(t.MODELS)))
        sets.append((name, "yunet-mobilefacenet", "0.35", [file]))
    for what, engine, distance, args in sets:
        said = t.run(bench, "-engine", engine, "-distance", distance, "-peer", peer, "-labelled", *args)
        ours, theirs = re.findall(r"B-cubed precision ([0-9.]+) recall ([0-9.]+)", said)
        t.row(f"grouping {what}, {engine} at {distance}: B-cubed precision, recall", "(stated)", ", ".join(ours), ", ".join(theirs) + ", dlib's Chinese whispers at the same distance")
