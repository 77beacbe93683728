"""What to do with several pictures of one person: one template of their embeddings, or the smallest distance of any of them.

    fuse.py PROGRAM DIR [TURNS]   DIR has a folder for each person

Each turn draws K pictures of a person as the probe and one other picture of every person as the
gallery; the pictures are taken as they are and with as little detail as small faces have,
where the answer is not trivial. Prints of both rules the AUC, how often the right person is nearest, the distance between
the two kinds of pairs in standard deviations, and the gap between the farthest mated and the nearest other pair. Standard library and Pillow.
"""
import io, json, math, os, pathlib, random, statistics, subprocess, sys, tempfile

from PIL import Image


def embed(program, files, engine):
    said = subprocess.run([program, "--json", "faces", "--embedding", "--engine", engine, *files], capture_output=True, text=True).stdout
    out = {}
    for line in said.splitlines():
        r = json.loads(line)
        faces = [f for f in r.get("faces") or [] if f.get("embedding")]
        if len(faces) == 1:
            out[r["path"]] = faces[0]["embedding"]
    return out


def reduced(path, to, share, side):
    """Writes the picture with no more detail than a face side pixels wide has, where the face takes this share of it."""
    with Image.open(path) as im:
        im = im.convert("RGB")
        scale = min(1, side / (share * max(im.size)))
        small = im.resize((max(1, round(im.width * scale)), max(1, round(im.height * scale))), Image.BICUBIC)
        small.resize(im.size, Image.BICUBIC).save(to, quality=60)


def distance(metric, a, b):
    if metric == "cosine":
        return 1 - sum(x * y for x, y in zip(a, b))
    return math.sqrt(sum((x - y) ** 2 for x, y in zip(a, b)))


def template(metric, vectors):
    mean = [sum(c) / len(vectors) for c in zip(*vectors)]
    if metric == "cosine":
        length = math.sqrt(sum(x * x for x in mean))
        mean = [x / length for x in mean]
    return mean


def auc(mated, other):
    pairs = sorted([(d, 0) for d in mated] + [(d, 1) for d in other])
    rank, wins = 0, 0.0
    i = 0
    while i < len(pairs):
        j = i
        while j < len(pairs) and pairs[j][0] == pairs[i][0]:
            j += 1
        m = sum(1 for k in range(i, j) if pairs[k][1] == 0)
        o = (j - i) - m
        wins += o * rank + m * o / 2
        rank += m
        i = j
    return wins / (len(mated) * len(other))


def compare(people, metric, k, turns, rng):
    rules = {"template": ([], []), "smallest": ([], [])}
    first = dict.fromkeys(rules, 0)
    tried = 0
    for _ in range(turns):
        for name, vectors in people.items():
            if len(vectors) <= k:
                continue
            drawn = rng.sample(vectors, k + 1)
            probe, gallery = drawn[:k], {name: drawn[k]}
            gallery.update({n: rng.choice(v) for n, v in people.items() if n != name})
            fused = template(metric, probe)
            tried += 1
            for rule, of in (("template", lambda r: distance(metric, fused, r)), ("smallest", lambda r: min(distance(metric, p, r) for p in probe))):
                d = {n: of(r) for n, r in gallery.items()}
                rules[rule][0].append(d[name])
                rules[rule][1].extend(x for n, x in d.items() if n != name)
                first[rule] += min(d, key=d.get) == name
    return {rule: {"auc": round(auc(*rules[rule]), 4), "first": round(first[rule] / tried, 4), "d_prime": round(prime(*rules[rule]), 2),
                   "gap": round(min(rules[rule][1]) - max(rules[rule][0]), 3)} for rule in rules}


def prime(mated, other):
    """How many standard deviations lie between the two kinds of distances."""
    return (statistics.mean(other) - statistics.mean(mated)) / math.sqrt((statistics.variance(mated) + statistics.variance(other)) / 2)


def main(program, folder, turns=200):
    for engine, metric in (("yunet-mobilefacenet", "cosine"), ("yunet-dlib", "euclid")):
        for side in (0, 24, 16, 12):
            with tempfile.TemporaryDirectory() as small:
                files, of = [], {}
                for p in sorted(pathlib.Path(folder).glob("*/*.jpg")):
                    to = pathlib.Path(small) / f"{p.parent.name}-{p.name}"
                    if side:
                        reduced(p, to, 0.6, side)
                    else:
                        to = p
                    files.append(str(to))
                    of[str(to)] = p.parent.name
                people = {}
                for path, vector in embed(program, files, engine).items():
                    people.setdefault(of[path], []).append(vector)
            n = sum(map(len, people.values()))
            for k in (2, 3, 5):
                if sum(len(v) > k for v in people.values()) < 2:
                    print(json.dumps({"engine": engine, "face": side, "pictures": n, "fused": k, "said": "too few faces can be searched"}), flush=True)
                    continue
                got = compare(people, metric, k, int(turns), random.Random(7))
                print(json.dumps({"engine": engine, "face": side or "as it is", "pictures": n, "fused": k, **got}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
