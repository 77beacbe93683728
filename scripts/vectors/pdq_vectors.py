#!/usr/bin/env python3
"""Writes hashing/testdata/vectors/pdq.tsv: PDQ of generated pictures by PyPI pdqhash.

pdqhash is the C++ reference of facebook/ThreatExchange behind a Python
binding. It computes luma in float64 where the reference has float32, which
did not change any of these hashes.

The pictures are made from whole numbers only, so that hashing/vectors_test.go
makes the same ones from the seed and the size.

  pip install pdqhash==0.2.8 numpy
  python3 scripts/vectors/pdq_vectors.py > hashing/testdata/vectors/pdq.tsv
"""
from importlib.metadata import version

import numpy as np
import pdqhash

MASK = (1 << 64) - 1
SIZES = [(5, 5), (6, 90), (31, 17), (64, 64), (65, 64), (63, 63), (100, 75), (127, 129), (128, 128), (200, 133),
         (255, 257), (320, 240), (384, 385), (513, 300), (640, 481), (97, 800), (901, 77), (1023, 769)]


def splitmix(v):
    """SplitMix64 of an array of uint64."""
    with np.errstate(over="ignore"):
        v = v + np.uint64(0x9E3779B97F4A7C15)
        v = (v ^ (v >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        v = (v ^ (v >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return v ^ (v >> np.uint64(31))


def picture(seed, width, height):
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    r = [int(v) for v in splitmix(np.arange(seed * 16, seed * 16 + 8, dtype=np.uint64))]
    across, down = r[0] % 3000 >> r[5] % 7, r[2] % 3000 >> r[6] % 7
    waves = x * (across + c * (r[1] % 300)) // width + y * (down + c * (r[3] % 300)) // height
    value = np.minimum(np.abs(waves % 512 - 256), 255)
    noise = r[4] % 80 >> r[7] % 4
    index = np.uint64(seed * 1000003) + ((y * width + x) * 3 + c).astype(np.uint64)
    value = value + (splitmix(index) % np.uint64(noise + 1)).astype(np.int64) - noise // 2
    return np.ascontiguousarray(np.clip(value, 0, 255).astype(np.uint8))


def bits(vector):
    return np.packbits(np.asarray(vector, dtype=np.uint8)).tobytes().hex()


def main():
    print("# PDQ of generated pictures by pdqhash", version("pdqhash"), "from PyPI; made by scripts/vectors/pdq_vectors.py")
    print("# seed\twidth\theight\tquality\thash\toriginal rot90 rot180 rot270 flipx flipy flipplus flipminus")
    for seed, (width, height) in enumerate(SIZES * 2):
        image = picture(seed, width, height)
        pdq, quality = pdqhash.compute(image)
        dihedral, _ = pdqhash.compute_dihedral(image)
        print(seed, width, height, int(quality), bits(pdq), " ".join(bits(v) for v in dihedral), sep="\t")


if __name__ == "__main__":
    main()
