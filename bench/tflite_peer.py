#!/usr/bin/env python3
"""Compares the converted MobileFaceNet with the TFLite original.

    python3 -m venv v && v/bin/pip install onnxruntime==1.31.1 ai-edge-litert pillow numpy
    v/bin/python bench/tflite_peer.py MobileFaceNet.tflite mobilefacenet.onnx [PICTURE...]

The original runs in LiteRT with XNNPACK (its batch is two), the conversion in ONNX
Runtime, both on one thread. Pictures are scaled to 112x112; random ones are always
added. Prints the largest absolute difference of a component, the smallest cosine, and
milliseconds a face. Exits 1 when a component differs by 1e-4 or more.
"""
import sys
import time

import numpy as np
import onnxruntime
from PIL import Image
from ai_edge_litert.interpreter import Interpreter


def chips(paths):
    rng = np.random.default_rng(1)
    out = [rng.integers(0, 256, (112, 112, 3)).astype(np.float32) for _ in range(8)]
    out += [np.full((112, 112, 3), v, np.float32) for v in (0, 128, 255)]
    for p in paths:
        out.append(np.asarray(Image.open(p).convert("RGB").resize((112, 112)), np.float32))
    if len(out) % 2:
        out.append(out[0])
    return np.stack(out)


def original(path, x):
    net = Interpreter(path, num_threads=1)
    net.allocate_tensors()
    i, o = net.get_input_details()[0]["index"], net.get_output_details()[0]["index"]
    out, best = [], 1e9
    for k in range(0, len(x), 2):
        net.set_tensor(i, (x[k:k + 2] - 127.5) / 128)
        t = time.perf_counter()
        net.invoke()
        best = min(best, (time.perf_counter() - t) / 2)
        out.append(net.get_tensor(o).copy())
    return np.concatenate(out), best


def converted(path, x):
    opts = onnxruntime.SessionOptions()
    opts.intra_op_num_threads = 1
    net = onnxruntime.InferenceSession(path, opts, providers=["CPUExecutionProvider"])
    out, best = [], 1e9
    for k in range(len(x)):
        one = np.ascontiguousarray(x[k:k + 1].transpose(0, 3, 1, 2))
        t = time.perf_counter()
        y = net.run(["embedding"], {"input": one})[0]
        best = min(best, time.perf_counter() - t)
        out.append(y)
    batch = net.run(["embedding"], {"input": np.ascontiguousarray(x[:3].transpose(0, 3, 1, 2))})[0]
    return np.concatenate(out), best, np.abs(batch - np.concatenate(out[:3])).max()


def main():
    x = chips(sys.argv[3:])
    a, ta = original(sys.argv[1], x)
    b, tb, batch = converted(sys.argv[2], x)
    worst = np.abs(a - b).max()
    cos = ((a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)).min()
    na = a / np.linalg.norm(a, axis=1, keepdims=True)
    nb = b / np.linalg.norm(b, axis=1, keepdims=True)
    print(f"{len(x)} pictures; largest component {np.abs(a).max():.3f}; norms {np.linalg.norm(a, axis=1).min():.3f} to "
          f"{np.linalg.norm(a, axis=1).max():.3f}")
    print(f"largest difference {worst:.2e} as it comes, {np.abs(na - nb).max():.2e} normalized; smallest cosine {cos:.9f}; "
          f"batch of three against one by one {batch:.2e}")
    print(f"one thread, best of {len(x)}: original {ta * 1e3:.2f} ms a face, converted {tb * 1e3:.2f} ms")
    sys.exit(bool(worst >= 1e-4))


if __name__ == "__main__":
    main()
