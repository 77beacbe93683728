"""Disk images: what is found in an E01, beside tsk_recover and PhotoRec on the same image.

table.py calls measure. The disk is made here, and nothing is mounted: a card of a camera
(FAT32) from which pictures were deleted and overwritten, an ext4 and an NTFS volume, and a
card that was formatted anew. Every picture and video that a peer recovers and that decodes
has to be among what is found: by its bytes, by PDQ at distance 0 (pictures), by the frames
that it decodes to (videos), or as the thumbnail inside of a picture that was found.
"""
import hashlib
import json
import os
import pathlib
import shutil
import subprocess

MIB = 1 << 20
PICTURES = (".jpg", ".jpeg", ".png", ".gif", ".webp", ".heic", ".avif", ".bmp", ".tif", ".tiff")
VIDEOS = (".mp4", ".mov", ".3gp", ".avi", ".mkv", ".webm", ".mpg", ".wmv", ".asf", ".flv")


def measure(t):
    for program in ("mke2fs", "debugfs", "mkfs.fat", "mcopy", "mdel", "mkfs.ntfs", "ntfscp", "sfdisk", "ewfacquire", "tsk_recover", "photorec", "ffmpeg"):
        if not which(program):
            raise t.Missing(f"{program} is not installed")
    folder = t.CACHE / "images"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    media = gather(t, folder / "media")
    disk, offsets = make_disk(folder, media)
    tool("ewfacquire", "-u", "-q", "-c", "fast", "-S", "32MiB", "-t", folder / "disk", disk)
    segments = sorted(folder.glob("disk.E*"))

    ours = folder / "ours"
    ours.mkdir()
    said = t.go_run("./bench/imagebench", ours, *segments)
    lines = [json.loads(x) for x in said.splitlines()]
    entries, facts = lines[:-1], lines[-1]
    assert any("agrees" in n for n in facts["notes"]), facts
    found = {e["sha256"] for e in entries if e.get("sha256")}
    t.row("an E01 in %d segments: files found" % len(segments), "-",
          "%d, of them %d deleted and %d carved" % (len(entries), sum(e.get("deleted", False) and not e.get("carved", False) for e in entries), sum(e.get("carved", False) for e in entries)),
          "%d of %d put in by SHA-256, though some were deleted and overwritten" % (sum(hashlib.sha256(p.read_bytes()).hexdigest() in found for p in media), len(media)))

    tsk = folder / "tsk"
    for i, offset in enumerate(offsets):
        tool("tsk_recover", "-e", "-o", offset // 512, disk, tsk / str(i))
    compare(t, "tsk_recover", tsk, ours, found)
    rec = folder / "photorec"
    rec.mkdir()
    tool("photorec", "/d", rec / "r", "/cmd", disk, "partition_none,fileopt,everything,enable,options,keep_corrupted_file_no,search", cwd=rec)
    compare(t, "PhotoRec", rec, ours, found)


def which(program):
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/sbin:/usr/sbin")


def tool(program, *args, cwd=None, stdin=None):
    done = subprocess.run([which(program), *map(str, args)], cwd=cwd, input=stdin, capture_output=True, env={**os.environ, "MTOOLS_SKIP_CHECK": "1", "TERM": "dumb"})
    if done.returncode:
        raise RuntimeError(f"{program}: {(done.stderr or done.stdout).decode(errors='replace')[-500:]}")


def gather(t, folder):
    """Pictures of the test data and of every format that is carved, and small videos."""
    folder.mkdir()
    for i, p in enumerate(map(pathlib.Path, t.pictures("faces", "groups", "johns")[:240])):
        shutil.copy(p, folder / f"IMG_{i:04d}{p.suffix.lower()}")
    for p in sorted((t.ROOT / "media" / "testdata").iterdir()):
        if p.suffix in PICTURES and p.stat().st_size < 4 * MIB:
            shutil.copy(p, folder / p.name)
    first = folder / "IMG_0000.jpg"
    for n, kind in enumerate(k for k in ("png", "gif", "bmp", "webp", "tif") for _ in range(4)):
        tool("ffmpeg", "-nostdin", "-loglevel", "error", "-y", "-i", first, "-vf", f"crop=iw-{n}:ih-{n}", folder / f"converted{n:02d}.{kind}")
    codecs = {"mp4": "libx264", "mov": "mpeg4", "3gp": "h263", "avi": "mpeg4", "mkv": "libx264", "webm": "libvpx", "mpg": "mpeg2video", "wmv": "wmv2", "flv": "flv"}
    for n in range(4):  # for each volume its own
        for i, (kind, codec) in enumerate(codecs.items()):
            tool("ffmpeg", "-nostdin", "-loglevel", "error", "-y", "-f", "lavfi", "-i", f"mandelbrot=size=352x288:rate={25 if kind == 'mpg' else 10}:start_scale={2 - i / 10 - n / 50}", "-t", 2,
                 "-pix_fmt", "yuv420p", "-c:v", codec, folder / f"VID_{i:02d}{n}.{kind}")
        tool("ffmpeg", "-nostdin", "-loglevel", "error", "-y", "-i", folder / f"VID_00{n}.mp4", "-c", "copy", "-movflags", "+faststart", folder / f"VID_fast{n}.mp4")
    return sorted(folder.iterdir())


def make_disk(folder, media):
    """Four volumes behind a GPT, each with media of its own: what is found in one cannot stand for what is missed in another."""
    first, second, third, fourth, new = media[0::4], media[1::4], media[2::4], media[3::4], media[0::24]
    first = [p for p in first if p not in new]
    size = sum(p.stat().st_size for p in media)
    room = (size // 2 // MIB + 48) * MIB
    fat, ext, ntfs, formatted = (folder / n for n in ("fat", "ext4", "ntfs", "formatted"))
    for p in (fat, ext, ntfs, formatted):
        with open(p, "wb") as f:
            f.truncate(room)
    # A card: filled, every third deleted, then a few new ones over what was deleted.
    tool("mkfs.fat", "-F", "32", fat)
    tool("mmd", "-i", fat, "::DCIM")
    for p in first:
        tool("mcopy", "-m", "-i", fat, p, f"::DCIM/{p.name}")
    for p in first[::3]:
        tool("mdel", "-i", fat, f"::DCIM/{p.name}")
    for p in new:
        tool("mcopy", "-m", "-i", fat, p, f"::DCIM/NEW_{p.name}")
    (folder / "second").mkdir()
    for p in second:
        shutil.copy(p, folder / "second")
    tool("mke2fs", "-q", "-F", "-t", "ext4", "-d", folder / "second", ext)
    for p in second[::3]:
        tool("debugfs", "-w", "-R", f"rm {p.name}", ext)
    tool("mkfs.ntfs", "-F", "-q", "-f", ntfs)
    for p in third:
        tool("ntfscp", "-f", ntfs, p, p.name)
    tool("mkfs.fat", "-F", "32", formatted)
    for p in reversed(fourth):
        tool("mcopy", "-m", "-i", formatted, p, "::")
    tool("mkfs.fat", "-F", "32", formatted)
    disk, offsets, at = folder / "disk.dd", [], MIB
    script = "label: gpt\n"
    with open(disk, "wb") as out:
        for p in (fat, ext, ntfs, formatted):
            out.seek(at)
            with open(p, "rb") as f:
                shutil.copyfileobj(f, out, MIB)
            script += f"start={at // 512}, size={room // 512}\n"
            offsets.append(at)
            at += room
            p.unlink()
        out.truncate(at + 4 * MIB)
    tool("sfdisk", "-q", disk, stdin=script.encode())
    return disk, offsets


def media_of(folder):
    return [p for p in sorted(folder.rglob("*")) if p.is_file() and p.suffix.lower() in PICTURES + VIDEOS and p.stat().st_size]


def compare(t, name, theirs, ours, found):
    files = media_of(theirs)
    rest = [p for p in files if hashlib.sha256(p.read_bytes()).hexdigest() not in found]
    pictures = decoded(t, [p for p in rest if p.suffix.lower() in PICTURES])
    own = set(decoded(t, [p for p in media_of(ours) if p.suffix.lower() in PICTURES]).values()) if pictures else set()
    missed = [p for p, pdq in pictures.items() if pdq not in own]
    same = len(pictures) - len(missed)
    # PhotoRec also writes out the thumbnails inside of pictures; here they stay inside, and
    # are compared when the picture is.
    inside = [p for p in missed if any(p.read_bytes() in o for o in contents(ours))] if missed else []
    missed = [p for p in missed if p not in inside]
    videos = {p: frames(p) for p in rest if p.suffix.lower() in VIDEOS}
    videos = {p: f for p, f in videos.items() if f}
    own = {frames(p) for p in media_of(ours) if p.suffix.lower() in VIDEOS} if videos else set()
    lost = [p for p, f in videos.items() if f not in own]
    decode = len(files) - len(rest) + len(pictures) + len(videos)
    t.row(f"media of {name} that decode, found too", "all of %d" % decode,
          "%d: %d by SHA-256, %d by PDQ, %d by frames, %d as the thumbnail in a picture that was found" % (decode - len(missed) - len(lost), len(files) - len(rest), same, len(videos) - len(lost), len(inside)),
          "%d files, %d do not decode" % (len(files), len(rest) - len(pictures) - len(videos)))
    for p in missed + lost:
        print("bench: not found:", p.relative_to(theirs), p.stat().st_size)


def contents(folder, cache={}):
    if folder not in cache:
        cache[folder] = [p.read_bytes() for p in media_of(folder) if p.suffix.lower() in PICTURES]
    return cache[folder]


def decoded(t, files):
    """The PDQ of every picture that decodes."""
    out = {}
    for i in range(0, len(files), 200):
        said = subprocess.run([str(t.ROOT / "bin" / "semblance"), "hash", "--json", *map(str, files[i:i + 200])], capture_output=True, text=True).stdout
        for line in said.splitlines():
            x = json.loads(line)
            if x.get("pdq") and not x.get("error"):
                out[pathlib.Path(x["path"])] = x["pdq"]
    return out


def frames(path):
    """The digest of all frames of a video that decodes without a complaint."""
    done = subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-xerror", "-i", str(path), "-map", "0:v:0", "-f", "md5", "-"], capture_output=True, text=True)
    return "" if done.returncode or done.stderr else done.stdout.strip()
