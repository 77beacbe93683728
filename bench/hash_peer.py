#!/usr/bin/env python3
"""The Python peer of bench/hashbench: hashlib + pdqhash + imagehash.

  hash_peer.py dump DIR FILE...    write the decoded pixels and every hash of each file to DIR
  hash_peer.py bench DIR [SECONDS] time this side on the pictures of a dump, on one core

A dump holds NNNN.rgb (8-bit RGB, rows without padding) and index.jsonl with one
line a picture. With --variants each file is also dumped cut to odd sizes, gray, small and
with an alpha channel of noise, to compare hashes on unusual pixels.

Times are processor time, so other work on the machine disturbs less. Both sides of a benchmark start from the same bytes in memory: the digests take the file, the
perceptual hashes take the decoded RGB. Decoding is timed apart, because it is not what is compared.

Needs: pip install pdqhash==0.2.8 ImageHash==4.3.2 pillow numpy
"""
import hashlib
import json
import os
import pathlib
import sys
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import imagehash
import numpy
import pdqhash
from PIL import Image


def bits(vector):
    return numpy.packbits(numpy.asarray(vector, dtype=numpy.uint8)).tobytes().hex()


def variants(image, every):
    rgb = image.convert("RGB")  # alpha is dropped, not blended
    yield "whole", rgb
    if not every:
        return
    w, h = rgb.size
    if w > 20 and h > 20:
        yield "odd", rgb.crop((3, 5, w - 4 - (w % 2), h - 8 + (h % 2)))
        yield "tall", rgb.crop((w // 3, 0, w // 3 + w // 5 + 1, h))
    yield "gray", rgb.convert("L").convert("RGB")
    yield "small", rgb.resize((47 + w % 31, 51 + h % 29))
    yield "square", rgb.resize((64, 64))
    noise = numpy.random.default_rng(w * h).integers(0, 256, (h, w, 1), dtype=numpy.uint8)
    rgba = Image.fromarray(numpy.concatenate([numpy.asarray(rgb), noise], axis=2), "RGBA")
    yield "alpha", rgba.resize((w // 2 * 2 + 1, h), Image.Resampling.NEAREST).convert("RGB")


def perceptual(array, image):
    pdq, quality = pdqhash.compute(array)
    return pdq, quality, imagehash.phash(image), imagehash.dhash(image), imagehash.average_hash(image)


def digests(data):
    return hashlib.md5(data).hexdigest(), hashlib.sha1(data).hexdigest(), hashlib.sha256(data).hexdigest()


def dump(folder, files, every):
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "index.jsonl", "w") as index:
        count = 0
        for path in files:
            data = pathlib.Path(path).read_bytes()
            with Image.open(path) as image:
                image.load()
                pictures = list(variants(image, every))
            for kind, rgb in pictures:
                array = numpy.ascontiguousarray(rgb)
                raw = f"{count:04d}.rgb"
                (folder / raw).write_bytes(array.tobytes())
                pdq, quality, p, d, a = perceptual(array, rgb)
                dihedral, _ = pdqhash.compute_dihedral(array)
                md5, sha1, sha256 = digests(data)
                index.write(json.dumps({
                    "path": str(pathlib.Path(path).resolve()), "kind": kind, "raw": raw,
                    "width": rgb.width, "height": rgb.height,
                    "md5": md5, "sha1": sha1, "sha256": sha256,
                    "pdq": bits(pdq), "quality": int(quality), "dihedral": [bits(v) for v in dihedral],
                    "phash": str(p), "dhash": str(d), "ahash": str(a)}) + "\n")
                count += 1
    print(f"{count} pictures of {len(files)} files in {folder}", file=sys.stderr)


def bench(folder, seconds):
    spent = {"digests": 0.0, "pdq": 0.0, "phash+dhash+ahash": 0.0, "decode": 0.0}
    entries = [json.loads(line) for line in open(folder / "index.jsonl")]
    entries = [e for e in entries if e["kind"] == "whole"]
    done, pixels, deadline = 0, 0, time.perf_counter() + seconds
    while done == 0 or time.perf_counter() < deadline:
        for e in entries:
            data = pathlib.Path(e["path"]).read_bytes()
            t0 = time.process_time()
            Image.open(e["path"]).convert("RGB")
            spent["decode"] += time.process_time() - t0
            shape = (e["height"], e["width"], 3)
            array = numpy.frombuffer((folder / e["raw"]).read_bytes(), dtype=numpy.uint8).reshape(shape)
            image = Image.fromarray(array)
            t0 = time.process_time()
            digests(data)
            t1 = time.process_time()
            pdqhash.compute(array)
            t2 = time.process_time()
            imagehash.phash(image), imagehash.dhash(image), imagehash.average_hash(image)
            t3 = time.process_time()
            spent["digests"] += t1 - t0
            spent["pdq"] += t2 - t1
            spent["phash+dhash+ahash"] += t3 - t2
            done += 1
            pixels += e["width"] * e["height"]
    hashing = sum(v for k, v in spent.items() if k != "decode")
    print(json.dumps({
        "side": "python", "pictures": done, "megapixels_each": round(pixels / done / 1e6, 3),
        "ms_each": {k: round(1000 * v / done, 3) for k, v in spent.items()},
        "images_per_s_hashing": round(done / hashing, 2),
        "images_per_s_with_decode": round(done / (hashing + spent["decode"]), 2)}))


def main(args):
    every = "--variants" in args
    args = [a for a in args if a != "--variants"]
    if len(args) >= 3 and args[0] == "dump":
        dump(pathlib.Path(args[1]), args[2:], every)
    elif len(args) in (2, 3) and args[0] == "bench":
        bench(pathlib.Path(args[1]), float(args[2]) if len(args) == 3 else 10)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
