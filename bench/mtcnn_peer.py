#!/usr/bin/env python3
"""Compares the converted networks of MTCNN with the TFLite originals.

    python3 -m venv v && v/bin/pip install onnxruntime==1.31.1 ai-edge-litert pillow numpy
    v/bin/python bench/mtcnn_peer.py FOLDER_WITH_TFLITE FOLDER_WITH_ONNX [PICTURE...]

The originals (pnet, rnet, onet.tflite) run in LiteRT, the conversions (mtcnn-pnet,
mtcnn-rnet, mtcnn-onet.onnx) in ONNX Runtime, both on one thread, in turns. pnet runs on
whole pictures of its 1280 by 960 pixels and of odd sizes, to which the original is
resized; the others on chips of their size. Random ones are always added. Prints for each
output the largest absolute difference and for each network milliseconds. Exits 1 when an
output differs by 1e-3 or more.
"""
import os
import sys
import time

import numpy as np
import onnxruntime
from PIL import Image
from ai_edge_litert.interpreter import Interpreter

OUTPUTS = {2: "score", 4: "box", 10: "landmarks"}


def pictures(paths, w, h):
    rng = np.random.default_rng(1)
    out = [rng.integers(0, 256, (h, w, 3)), np.full((h, w, 3), 255), np.zeros((h, w, 3))]
    for p in paths:
        out.append(np.asarray(Image.open(p).convert("RGB").resize((w, h))))
    return [o.astype(np.float32) for o in out]


def original(net, x):
    i = net.get_input_details()[0]["index"]
    net.set_tensor(i, (x.transpose(1, 0, 2)[None] - 127.5) / 128)  # columns first
    t = time.perf_counter()
    net.invoke()
    t = time.perf_counter() - t
    out = {}
    for o in net.get_output_details():
        v = net.get_tensor(o["index"])
        name = OUTPUTS[v.shape[-1]]
        if name == "score":
            v = v[..., 1:]
        out[name] = v.transpose(0, 3, 2, 1) if v.ndim == 4 else v
    return out, t


def converted(net, x):
    one = np.ascontiguousarray(x[:, :, ::-1].transpose(2, 0, 1)[None])  # blue, green, red
    names = [o.name for o in net.get_outputs()]
    t = time.perf_counter()
    got = net.run(names, {"input": one})
    return dict(zip(names, got)), time.perf_counter() - t


def main(tflite, onnx, paths):
    opts = onnxruntime.SessionOptions()
    opts.intra_op_num_threads = 1
    failed, largest = False, 0
    for name, sizes in {"pnet": [(1280, 960), (333, 251), (12, 12), (97, 640)], "rnet": [(24, 24)], "onet": [(48, 48)]}.items():
        ours = onnxruntime.InferenceSession(os.path.join(onnx, "mtcnn-" + name + ".onnx"), opts, providers=["CPUExecutionProvider"])
        for w, h in sizes:
            theirs = Interpreter(os.path.join(tflite, name + ".tflite"), num_threads=1)
            theirs.resize_tensor_input(theirs.get_input_details()[0]["index"], [1, w, h, 3])
            theirs.allocate_tensors()
            worst, best, shapes = {}, [1e9, 1e9], {}
            for x in pictures(paths, w, h):
                a, ta = original(theirs, x)
                b, tb = converted(ours, x)
                best = [min(best[0], ta), min(best[1], tb)]
                for k in a:
                    if a[k].shape != b[k].shape:
                        print(f"{name} {w}x{h} {k}: shapes {a[k].shape} and {b[k].shape}")
                        failed = True
                        continue
                    shapes[k] = a[k].shape
                    worst[k] = max(worst.get(k, 0), float(np.abs(a[k] - b[k]).max()))
            largest = max(largest, *worst.values())
            failed = failed or len(worst) != len(theirs.get_output_details()) or max(worst.values()) >= 1e-3
            print(f"{name} {w}x{h}: " + ", ".join(f"{k} {v:.2g}" for k, v in sorted(worst.items())) + f"; {best[0]*1e3:.2f} ms original, {best[1]*1e3:.2f} ms converted")
    print(f"largest difference {largest:.2g}")
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
