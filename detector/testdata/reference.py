"""Writes opencv.json: what OpenCV's FaceDetectorYN finds in some pictures of the
folder SEMBLANCE_TESTDATA. Numbers only. Run once, with opencv-python 5
(earlier ones do not take the dynamic network):

    python reference.py yunet_n_dynamic.onnx > opencv.json
"""
import json, os, sys
import cv2

NAMES = ["faces/pristin.jpg", "faces/jimin4.jpg", "faces/eunseo.jpg", "faces/bona.jpg",
         "groups/bald_guys.jpg", "groups/2007_007763.jpg", "groups/2008_002470.jpg", "groups/dogs.jpg"]

detector = cv2.FaceDetectorYN.create(sys.argv[1], "", (640, 640), 0.7, 0.3, 5000)
pictures = []
for name in NAMES:
    image = cv2.imread(os.path.join(os.environ["SEMBLANCE_TESTDATA"], name), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    height, width = image.shape[:2]
    scale = 640 / max(height, width)
    if scale < 1:
        image = cv2.resize(image, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
    detector.setInputSize((image.shape[1], image.shape[0]))
    found = detector.detect(image)[1]
    faces = [] if found is None else [[round(float(v) / min(scale, 1), 2) for v in row[:14]] + [round(float(row[14]), 4)] for row in found]
    pictures.append({"name": name, "faces": faces})
json.dump({"opencv": cv2.__version__, "pictures": pictures}, sys.stdout, indent=None, separators=(",", ":"))
