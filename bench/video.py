"""Videos: signals made beside ffmpeg's own decoding and upstream's vpdq, and clips found in an hour.

table.py calls measure. Processor time is that of whole processes and their children, one
thread, in turns; the footage is upstream's, of a camera, repeated without coding it again.
"""
import json
import pathlib
import random
import resource
import shutil
import statistics
import subprocess
import sys

ROUNDS = 5


def measure(t):
    if not shutil.which("ffmpeg"):
        raise t.Missing("ffmpeg is not installed")
    folder = t.CACHE / "video"
    folder.mkdir(parents=True, exist_ok=True)
    speed(t, folder)
    same(t)
    clips(t, folder)


def ffmpeg(*args, **kw):
    subprocess.run(["ffmpeg", "-nostdin", "-loglevel", "error", "-y", *map(str, args)], check=True, **kw)


def cost(*command):
    """Processor seconds of a command with all its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([str(c) for c in command], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def upstream(t):
    """Installs upstream's vpdq, which is compiled against FFmpeg; None where it cannot be."""
    try:
        import vpdq  # noqa: F401
    except ImportError:
        subprocess.run([sys.executable, "-m", "pip", "-q", "install", "--disable-pip-version-check", "vpdq==0.2.5"], stderr=subprocess.DEVNULL)
    said = subprocess.run([sys.executable, "-c", "import vpdq"], stderr=subprocess.DEVNULL)
    return None if said.returncode else "import sys,vpdq; print([(f.frame_number, f.quality, f.hex) for f in vpdq.computeHash(sys.argv[1], seconds_per_hash=1.0)])"


def speed(t, folder):
    source = t.testdata("video") / "tmk-sample-videos" / "pattern-longer-no-bar.mp4"
    long = folder / "camera.mp4"
    ffmpeg("-stream_loop", 15, "-i", source, "-c", "copy", "-an", long)
    semblance, peer = t.ROOT / "bin" / "semblance", upstream(t)
    commands = {
        "decode": ["ffmpeg", "-nostdin", "-loglevel", "error", "-threads", 1, "-i", long, "-an", "-f", "null", "-"],
        "vpdq": [semblance, "hash", long], "keyframes": [semblance, "hash", "--video", "vpdq-keyframes", long],
        "tmk": [semblance, "hash", "--video", "vpdq,tmk", long],
        "short decode": ["ffmpeg", "-nostdin", "-loglevel", "error", "-threads", 1, "-i", source, "-an", "-f", "null", "-"], "short": [semblance, "hash", source],
    }
    if peer:
        commands["peer"] = [sys.executable, "-c", peer, long]
    taken = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, command in commands.items():
            taken[name].append(cost(*command))
    best = {name: statistics.median(list_) for name, list_ in taken.items()}

    def say(what, least, name, beside):
        ratios = sorted(b / a for a, b in zip(taken[name], taken[beside]))
        t.row(what, least, f"{best[beside] / best[name]:.2f}x ({ratios[0]:.2f} to {ratios[-1]:.2f}): {best[name]:.2f} s", f"{best[beside]:.2f} s, ffmpeg 5.1 -threads 1 -f null")
    say("vPDQ of 125 s of camera footage, 720x1280 H.264, digests and start included: speed of decoding it", "0.8x", "vpdq", "decode")
    say("the same with TMK+PDQF", "(stated)", "tmk", "decode")
    say("the same, keyframes only, a signal version of its own", "(stated)", "keyframes", "decode")
    say("vPDQ of a video of 8 s, 97 of 235 frames hashed: speed of decoding it", "(stated)", "short", "short decode")
    if not peer:
        t.row("vPDQ beside upstream's vpdq", "(stated)", "not measured", "PyPI vpdq 0.2.5 cannot be compiled here: it needs libavdevice-dev and libavfilter-dev")
        return
    t.row("vPDQ of the same footage beside upstream's", "(stated)", f"{best['peer'] / best['vpdq']:.2f}x: {best['vpdq']:.2f} s", f"{best['peer']:.2f} s, PyPI vpdq 0.2.5")
    theirs = {f[0]: f for f in eval(t.run(sys.executable, "-c", peer, long))}
    line = json.loads(t.run(semblance, "hash", "--json", long))
    ours = [f.split(",") for f in line["vpdq"]["frames"]]
    both = [(int(f[2], 16) ^ int(theirs[int(f[0])][2], 16)).bit_count() for f in ours if int(f[0]) in theirs]
    t.row("frames hashed by both: bits that differ", "(stated)", f"{sum(both)} of {len(both)} frames", f"{len(theirs)} frames, PyPI vpdq 0.2.5")


def same(t):
    """Upstream's files, by the tests that are also in make test."""
    said = t.run("go", "test", "-tags", "native", "-run", "TestUpstreamVideos", "-v", "./media", CGO_ENABLED="1", CXX=str(t.ROOT / "scripts" / "cxx"))
    most = [int(line.split(" at most in one frame")[0].split()[-1]) for line in said.splitlines() if "at most in one frame" in line]
    numbers = [int(line.split("frames, ")[1].split()[0]) for line in said.splitlines() if "TMK:" in line]
    t.row(f"vPDQ of upstream's {len(most)} videos: bits that differ from its files, in the worst frame of quality 50 and more", "under 31", f"under 31 (of any quality {max(most)})", "-")
    t.row(f"TMK+PDQF of upstream's {len(numbers)} videos: numbers that differ from its files, of 65,824 each", "none by over 8%", f"{sum(numbers)}", "-")


def clips(t, folder):
    """An hour that never was, and clips of three seconds of it at other sizes, rates and codecs."""
    hour, program = folder / "hour.mp4", folder / "videobench"
    t.run("go", "build", "-o", program, "./bench/videobench", CGO_ENABLED="0")
    if not hour.exists():
        film = subprocess.Popen([str(program), "3600", "10", "160", "120"], stdout=subprocess.PIPE)
        ffmpeg("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "160x120", "-r", 10, "-i", "-", "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", folder / "part.mp4", stdin=film.stdout)
        (folder / "part.mp4").rename(hour)
    cut, data = folder / "clips", folder / "data"
    shutil.rmtree(cut, ignore_errors=True)
    shutil.rmtree(data, ignore_errors=True)
    cut.mkdir()
    r = random.Random(5)
    for _ in range(40):
        at = round(r.uniform(0, 3596), 2)
        ffmpeg("-ss", at, "-i", hour, "-t", 3, "-vf", "scale=128:96", "-r", 15, "-c:v", "mpeg4", "-q:v", 6, cut / f"{at}.avi")
    semblance, env = t.ROOT / "bin" / "semblance", {"SEMBLANCE_DATA": str(data)}
    t.run(semblance, "case", "create", "B", "--agency", "bench", "--country", "NL", "--purpose", "bench", "--basis", "bench", **env)
    t.run(semblance, "collection", "create", "hour", "--kind", "hashes", "--owner", "bench", "--country", "NL", "--basis", "bench", **env)
    t.run(semblance, "collection", "add", "hour", hour, **env)
    found = {}
    for line in t.run(semblance, "--json", "scan", cut, "--case", "B", "--exhibit", "clips", "--against", "hour", **env).splitlines():
        event = json.loads(line)
        if event["event"] == "near-match":
            s = event["video"]["segments"][0]
            found[event["path"]] = abs(s["reference_from"] - s["probe_from"] - float(pathlib.Path(event["path"]).stem))
    bench = t.run("go", "test", "-run", "^$", "-bench", "ClipInAnHour", "./hashing", CGO_ENABLED="0")
    micros = t.number(r"([0-9.]+) ns/op", bench) / 1000
    t.row("clips of 3 s from anywhere in an hour, smaller, another rate and codec, found by a scan: how far off", "within 0.5 s",
          f"{len(found)} of 40, {max(found.values(), default=9e9):.2f} s off at worst, {statistics.median(found.values() or [9e9]):.2f} s by the median; one compared with the hour in {micros:.0f} us", "-")
