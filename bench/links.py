"""Videos that are nearly the same, found by links: bench/table.py's part "links".

Films of photographs that a camera moves over, and upstream's footage of a camera, each encoded
again, changed, cut and pasted by ffmpeg; made once, in minutes. The peer is the rule of
ThreatExchange's Python package (a frame a second, quality 50, 31 bits, 80% of the query's
frames, asked both ways) on hashes that are equal to its own.
"""
import json
import os
import random
import shutil
import statistics
import subprocess
import time

X264 = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-preset", "veryfast"]
# What was done to a film, and whether links is meant to find it.
CHANGES = {
    "encoded again for a messenger (240 lines)": (True, ["-vf", "scale=-2:240", *X264, "-crf", "30"], "mp4"),
    "encoded again (H.265)": (True, ["-c:v", "libx265", "-x265-params", "log-level=error", "-preset", "ultrafast", "-crf", "32"], "mp4"),
    "encoded again (VP8)": (True, ["-c:v", "libvpx", "-b:v", "300k", "-deadline", "realtime", "-cpu-used", "8"], "webm"),
    "encoded again (MPEG-4, AVI)": (True, ["-c:v", "mpeg4", "-b:v", "300k"], "avi"),
    "144 lines, strongly compressed": (True, ["-vf", "scale=-2:144", *X264, "-crf", "36"], "mp4"),
    "half the rate": (True, ["-vf", "fps=15", *X264, "-crf", "28"], "mp4"),
    "brighter, more contrast": (True, ["-vf", "eq=brightness=0.08:contrast=1.15", *X264, "-crf", "28"], "mp4"),
    "a logo in a corner": (True, ["-vf", "drawbox=x=iw-110:y=ih-50:w=100:h=40:color=white:t=fill", *X264, "-crf", "28"], "mp4"),
    "faster by a tenth": (True, ["-vf", "setpts=PTS/1.1", *X264, "-crf", "28"], "mp4"),
    "stored lying, shown upright": (True, ["-vf", "transpose=1", *X264, "-crf", "28"], "mp4"),
    "cropped by 5%": (False, ["-vf", "crop=iw*0.95:ih*0.95", *X264, "-crf", "28"], "mp4"),
    "between bars": (False, ["-vf", "pad=iw:ih*1.3:0:ih*0.15", *X264, "-crf", "28"], "mp4"),
    "mirrored": (True, ["-vf", "hflip", *X264, "-crf", "28"], "mp4"),
}
CUTS, PASTES = "clips of 4 to 12 s, smaller", "pasted into the middle of another film"


def ffmpeg(*args):
    subprocess.run(["ffmpeg", "-nostdin", "-loglevel", "error", "-y", *map(str, args)], check=True)


def pans(r, photos, path, shots, rate, width, height):
    """Shots of two to five seconds in which a hand-held camera moves over photographs."""
    inputs, chain = [], []
    for i, photo in enumerate(photos[:shots]):
        zoom, x, y = r.uniform(1.2, 1.8), r.uniform(-1, 1), r.uniform(-1, 1)
        inputs += ["-loop", 1, "-framerate", rate, "-t", f"{r.uniform(2.2, 5.5):.2f}", "-i", photo]
        chain.append(f"[{i}:v]scale={2 * width}:{2 * height}:force_original_aspect_ratio=increase,crop={2 * width}:{2 * height},zoompan=z='{zoom:.2f}+0.1*sin(on/20)'"
                     f":x='(iw-iw/zoom)*(0.5+0.45*{x:.2f}*sin(on/{r.uniform(25, 60):.1f}))+3*sin(on*1.7)':y='(ih-ih/zoom)*(0.5+0.45*{y:.2f}*cos(on/{r.uniform(25, 60):.1f}))+3*cos(on*1.3)'"
                     f":d=1:s={width}x{height}:fps={rate},setsar=1[v{i}]")
    joined = "".join(f"[v{i}]" for i in range(shots)) + f"concat=n={shots}:v=1[o]"
    ffmpeg(*inputs, "-filter_complex", ";".join([*chain, joined]), "-map", "[o]", "-an", *X264, "-crf", 20, path)


def seconds(path):
    return float(subprocess.check_output(["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", str(path)]))


def make(t, folder):
    """The films and what was made of them; truth.json says which film each file has, and what was done."""
    if (folder / "truth.json").exists():
        return json.loads((folder / "truth.json").read_text())
    shutil.rmtree(folder, ignore_errors=True)
    films, changed = folder / "films", folder / "changed"
    films.mkdir(parents=True)
    changed.mkdir()
    print(f"bench: making films in {folder}, for minutes", flush=True)
    r = random.Random(5)
    photos = sorted(str(p) for p in t.pictures("johns", "faces", "groups"))
    r.shuffle(photos)
    shutil.copy(t.testdata("video") / "tmk-sample-videos" / "pattern-longer-no-bar.mp4", films / "camera.mp4")
    for i, (shots, rate, width, height) in enumerate([(12, 30, 640, 480), (10, 25, 640, 480), (14, 30, 720, 406), (8, 24, 480, 640)]):
        pans(r, photos[12 * i:] + photos[:12 * i], films / f"pans{i}.mp4", shots, rate, width, height)
    truth = {}
    for film in sorted(films.iterdir()):
        name, length = film.stem, seconds(film)
        for i, (what, (_, args, ending)) in enumerate(CHANGES.items()):
            out = changed / f"{name}-{i}.{ending}"
            ffmpeg("-i", film, *args, "-an", out)
            if "lying" in what:
                shutil.move(out, folder / "lying.mp4")
                ffmpeg("-i", folder / "lying.mp4", "-c", "copy", "-metadata:s:v:0", "rotate=90", out)
            truth[out.name] = [name, what]
        if length < 20:
            continue
        for i in range(6):
            d = r.uniform(4, 12)
            out = changed / f"{name}-cut{i}.mp4"
            ffmpeg("-ss", f"{r.uniform(0.3, length - d):.2f}", "-i", film, "-t", f"{d:.2f}", "-vf", "scale=-2:288", *X264, "-crf", 30, "-an", out)
            truth[out.name] = [name, CUTS]
        for i in range(3):
            d, other = r.uniform(5, 10), films / f"pans{(int(name[-1]) + 1) % 4}.mp4"
            out = changed / f"{name}-paste{i}.mp4"
            ffmpeg("-t", f"{r.uniform(3.2, 9):.2f}", "-i", other, "-ss", f"{r.uniform(0.3, length - d):.2f}", "-t", f"{d:.2f}", "-i", film, "-filter_complex",
                   "[0:v]scale=480:360,setsar=1,fps=30[a];[1:v]scale=480:360,setsar=1,fps=30[b];[a][b]concat=n=2:v=1[o]", "-map", "[o]", *X264, "-crf", 30, "-an", out)
            truth[out.name] = [name, PASTES, other.stem]
    (folder / "truth.json").write_text(json.dumps(truth))
    return truth


def upstream(t, paths):
    """For each file, its hashes of a frame a second that are good enough."""
    out = {}
    for line in t.run(t.ROOT / "bin" / "semblance", "hash", "--json", *paths).splitlines():
        x = json.loads(line)
        seen, hashes = set(), []
        for frame in x["vpdq"]["frames"]:
            _, quality, value, at = frame.split(",")
            if int(float(at)) not in seen:
                seen.add(int(float(at)))
                if int(quality) >= 50:
                    hashes.append(int(value, 16))
        out[os.path.basename(x["path"])] = hashes
    return out


def near(a, b):
    """Whether four fifths of the frames of either are near one of the other."""
    for query, other in ((a, b), (b, a)):
        if query and sum(any((h ^ o).bit_count() <= 31 for o in other) for h in query) >= 0.8 * len(query):
            return True
    return False


def measure(t):
    if not shutil.which("ffmpeg"):
        raise t.Missing("ffmpeg is not installed")
    folder = t.CACHE / "links"
    truth = make(t, folder)
    data = t.CACHE / "links-data"
    shutil.rmtree(data, ignore_errors=True)
    semblance, env = t.ROOT / "bin" / "semblance", {"SEMBLANCE_DATA": str(data)}
    t.run(semblance, "case", "create", "B", "--agency", "bench", "--country", "NL", "--purpose", "bench", "--basis", "bench", **env)
    t.run(semblance, "collection", "create", "none", "--kind", "hashes", "--owner", "bench", "--country", "NL", "--basis", "bench", **env)
    t.run(semblance, "scan", f"FILMS={folder / 'films'}", f"CHANGED={folder / 'changed'}", "--case", "B", "--against", "none", **env)
    found = {}
    for line in t.run(semblance, "links", "B", "--kind", "near video", "--json", **env).splitlines():
        x = json.loads(line)
        if "overlap" in x:
            names = dict(part.split(" ", 1) for part in x["label"].split(" and "))
            found[names["CHANGED"], names["FILMS"].removesuffix(".mp4")] = x["overlap"]
    theirs = upstream(t, [*(folder / "films").iterdir(), *(folder / "changed").iterdir()])
    films = sorted(p.stem for p in (folder / "films").iterdir())
    for what in [*CHANGES, CUTS, PASTES]:
        files = [f for f, x in truth.items() if x[1] == what]
        ours = [found[f, truth[f][0]] for f in files if (f, truth[f][0]) in found]
        peer = sum(near(theirs[f], theirs[truth[f][0] + ".mp4"]) for f in files)
        least = f"{len(files)} of {len(files)}" if CHANGES.get(what, (what == CUTS,))[0] else "(stated)"
        share = f"; of the shorter one in common {statistics.median(o['first_percent'] for o in ours):.0f}% (median)" if ours else ""
        t.row(f"near videos, {what}: linked with their film", least, f"{len(ours)} of {len(files)}{share}", f"{peer}, rule of ThreatExchange's package")
    pairs = [(f, film) for f in truth for film in films if film not in truth[f]]
    wrong = sum(p in found for p in pairs)
    peer = sum(near(theirs[f], theirs[film + ".mp4"]) for f, film in pairs)
    t.row("near videos: pairs that have nothing in common and are linked", "0", f"{wrong} of {len(pairs)}", f"{peer}, rule of ThreatExchange's package")
    said = t.run("go", "test", "-run", "^$", "-bench", "NearVideos", "-benchtime", "1x", ".", CGO_ENABLED="0", SEMBLANCE_LINK_VIDEOS="5000")
    took = t.number(r"([0-9.]+) ns/op", said) / 1e9
    t.row("links between 5,000 videos of a minute (87 frames each, looked for as they are and mirrored), by the clock", "(stated)", f"{took:.1f} s", f"{all_pairs():.0f} s, FAISS 1.15.1's flat index, all frames in it, reckoned from 200 of them, without telling which seconds are which")
    said = t.run("go", "test", "-run", "^$", "-bench", "NearPictures", "-benchtime", "1x", ".", CGO_ENABLED="0", SEMBLANCE_LINK_PICTURES="100000")
    t.row("links between 100,000 pictures, turned and mirrored in eight ways, by the clock", "(stated)", f"{t.number(r'([0-9.]+) ns/op', said) / 1e9:.1f} s", "-")


def all_pairs():
    """Seconds that looking for 5,000 times 87 frames, and for as many mirrored ones, among them takes FAISS's flat index on all cores."""
    import faiss
    import numpy as np
    r = np.random.default_rng(1)
    index = faiss.IndexBinaryFlat(256)
    index.add(r.integers(0, 256, (5000 * 87, 32), dtype=np.uint8))
    asked = r.integers(0, 256, (200, 32), dtype=np.uint8)
    start = time.perf_counter()
    index.range_search(asked, 32)
    return (time.perf_counter() - start) / 200 * 5000 * 87 * 2
