#!/usr/bin/env python3
"""Compares the converted dlib network with dlib itself.

    python3 -m venv v && v/bin/pip install onnxruntime==1.31.1 pillow numpy
    v/bin/python bench/dlib_peer.py DLIBPEER MODEL.dat MODEL.onnx PICTURE...

DLIBPEER is bench/dlibpeer/dlibpeer.cpp, compiled as it says there. Pictures are scaled
to 150x150 where they are not chips of that size already; random ones are added. Both
run on one thread. Prints the largest absolute difference and milliseconds a face.
Exits 1 when a component differs by 1e-5 or more.
"""
import os
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnxruntime
from PIL import Image


def main():
    peer, dat, onnx = sys.argv[1:4]
    rng = np.random.default_rng(1)
    chips = [rng.integers(0, 256, (150, 150, 3), dtype=np.uint8) for _ in range(8)]
    for p in sys.argv[4:]:
        chips.append(np.asarray(Image.open(p).convert("RGB").resize((150, 150))))
    x = np.stack(chips)
    with tempfile.TemporaryDirectory() as d:
        x.tofile(d + "/chips")
        env = dict(os.environ, OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")
        said = subprocess.run([peer, dat, d + "/chips", d + "/out"], env=env, check=True, capture_output=True, text=True)
        a = np.fromfile(d + "/out", np.float32).reshape(-1, 128)
    opts = onnxruntime.SessionOptions()
    opts.intra_op_num_threads = 1
    net = onnxruntime.InferenceSession(onnx, opts, providers=["CPUExecutionProvider"])
    out, seconds = [], []
    for k in range(len(x)):
        one = np.ascontiguousarray(x[k:k + 1].transpose(0, 3, 1, 2)).astype(np.float32)
        t = time.perf_counter()
        out.append(net.run(["embedding"], {"input": one})[0])
        seconds.append(time.perf_counter() - t)
    b = np.concatenate(out)
    worst = np.abs(a - b).max()
    print(f"dlib: {said.stdout.strip()}")
    print(f"ONNX Runtime: {len(b)} chips, {len(b) / sum(seconds):.1f} faces/s, {sum(seconds) / len(b) * 1e3:.2f} ms a face, "
          f"best {min(seconds) * 1e3:.2f} ms")
    print(f"largest difference of a component {worst:.2e}, of a distance {np.linalg.norm(a - b, axis=1).max():.2e}")
    sys.exit(bool(worst >= 1e-5))


if __name__ == "__main__":
    main()
