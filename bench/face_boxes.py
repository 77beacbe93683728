#!/usr/bin/env python3
"""Makes the boxes that BenchmarkRecall counts against: of the photographs of
testdata/faces at full size, everything that an engine takes for a face, less what a
person who looked at the sheets said is none.

    bench/face_boxes.py FACES CNN.json SHEETS    looks, and draws sheets of numbered candidates
    bench/face_boxes.py FACES CNN.json           writes cmd/semblance-worker/testdata/faces.json

Engines are yunet-mobilefacenet with --min-face 24 --min-score 0.5, go-face HOG, and,
where CNN.json holds its boxes by file name, go-face CNN. NOT_FACES was filled in by
looking at every candidate; it must be looked at again when candidates change.
"""
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
OUT = ROOT / "cmd" / "semblance-worker" / "testdata" / "faces.json"

# Candidates by picture, numbered as on the sheets: hands, hair, an ear, a ball, bottles,
# boxes inside a face that has another, and two heads of which no face is to be seen.
NOT_FACES = {"bona3.jpg": {1, 2, 3, 4, 5, 6}, "bona4.jpg": {1, 2, 3}, "chaeyeon2.jpg": {1}, "chaeyoung2.jpg": {1, 2}, "jimin2.jpg": {1, 2},
             "jimin7.jpg": {1, 2}, "joy.jpg": {1}, "sejeong.jpg": {1}}


def overlap(a, b):
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    if w <= 0 or h <= 0:
        return 0
    return w * h / (a[2] * a[3] + b[2] * b[3] - w * h)


def found(files, *args):
    said = subprocess.run([ROOT / "bin" / "semblance", "--json", "faces", *args, *files], text=True, capture_output=True, check=True)
    for line in said.stdout.splitlines():
        answer = json.loads(line)
        yield pathlib.Path(answer["path"]).name, [f["box"] for f in answer["faces"]]


def candidates(files, cnn):
    union = {}
    for source in (found(files, "--min-face", "24", "--min-score", "0.5"), found(files, "--engine", "dlib-hog"), cnn.items()):
        for name, boxes in source:
            known = union.setdefault(name, [])
            known += [b for b in boxes if not any(overlap(b, k) > 0.3 for k in known)]
    return union


def sheets(faces, union, folder):
    from PIL import Image, ImageDraw, ImageOps
    cells = []
    for name, boxes in sorted(union.items()):
        picture = ImageOps.exif_transpose(Image.open(faces / name)).convert("RGB")
        for i, (x, y, w, h) in enumerate(boxes):
            m = max(w, h)
            cell = picture.crop((int(x - m / 2), int(y - m / 2), int(x + w + m / 2), int(y + h + m / 2))).resize((200, 200))
            k = 200 / (w + m), 200 / (h + m)
            draw = ImageDraw.Draw(cell)
            draw.rectangle((m / 2 * k[0], m / 2 * k[1], 200 - m / 2 * k[0], 200 - m / 2 * k[1]), outline="red")
            draw.text((4, 4), f"{name} {i} {w:.0f}px", fill="yellow", stroke_width=2, stroke_fill="black")
            cells.append(cell)
    for s in range(0, len(cells), 35):
        sheet = Image.new("RGB", (1400, 1000))
        for i, cell in enumerate(cells[s:s + 35]):
            sheet.paste(cell, (i % 7 * 200, i // 7 * 200))
        sheet.save(pathlib.Path(folder) / f"sheet{s // 35}.png")


def main(faces, cnn, folder=None):
    faces = pathlib.Path(faces)
    union = candidates(sorted(faces.glob("*.jpg")), json.load(open(cnn)))
    if folder:
        sheets(faces, union, folder)
        return
    kept = {name: [[round(v) for v in b] for i, b in enumerate(boxes) if i not in NOT_FACES.get(name, ())] for name, boxes in sorted(union.items())}
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text("{\n" + ",\n".join(f' "{name}": {json.dumps(boxes)}' for name, boxes in kept.items()) + "\n}\n")
    print(f"{sum(map(len, kept.values()))} faces in {len(kept)} pictures")


if __name__ == "__main__":
    main(*sys.argv[1:])
