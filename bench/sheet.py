"""176 real probes in ten collections of 100,000 synthetic references, through the whole program: bench/table.py's part "sheet".

The references are random vectors, for speed only. The first run on a new folder makes the index from the store; later ones find it.
"""
import os, pathlib, shutil, subprocess, sys, tempfile, time

PROBES, COLLECTIONS, REFERENCES = 176, 10, 100_000


def filled(bench, collections, references):
    """A data folder with the collections, made once: it takes minutes."""
    data = bench.CACHE / f"sheet-{collections}x{references}"
    done = data.with_suffix(".done")
    if not done.exists():
        shutil.rmtree(data, ignore_errors=True)
        print(f"bench: filling {data} with {collections * references} references", file=sys.stderr, flush=True)
        program = bench.CACHE / "sheetbench"
        bench.run("go", "build", "-o", program, "./bench/sheetbench", CGO_ENABLED="0")
        bench.run(program, data, collections, references)
        done.touch()
    return data


def probes_into(folder, pictures, n):
    """n probes of the pictures, each in turn: every one is decoded and embedded."""
    for i in range(n):
        p = pathlib.Path(pictures[i % len(pictures)])
        shutil.copy(p, folder / f"{i:03d}-{p.name}")


def timed(command, env):
    """Seconds, and the largest memory of the program or one of its workers in MiB."""
    start = time.perf_counter()
    child = subprocess.Popen([str(c) for c in command], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return time.perf_counter() - start, usage.ru_maxrss / 1024, child.returncode, said


def measure(bench, collections=COLLECTIONS, references=REFERENCES):
    pictures = bench.pictures("johns", "faces", "groups")
    data = filled(bench, collections, references)
    program = bench.ROOT / "bin" / "semblance"
    env = {**os.environ, "SEMBLANCE_MODELS_DIR": str(bench.MODELS)}
    with tempfile.TemporaryDirectory() as work:
        folder = pathlib.Path(work) / "probes"
        folder.mkdir()
        probes_into(folder, pictures, PROBES)
        sheets = []
        for name in ("first", "again"):
            fresh = not any((data / "index").glob("vectors/*"))
            sheet = pathlib.Path(work) / f"{name}.csv"
            against = ",".join(f"c{i}" for i in range(collections))
            took, memory, code, said = timed([program, "--data", data, "search", "--probes", folder, "--against", against, "--case", "bench-1", "--sheet", sheet], env)
            if code:
                raise bench.Missing(f"the sheet ended with {code}: {said.strip().splitlines()[-1]}")
            sheets.append(sheet.read_bytes())
            what = "index made from the store" if fresh else "index there" + (", run again" if name == "again" else "")
            bench.row(f"{PROBES} probes against {collections} collections of {references:,} faces, whole program, {what}", "below 60 s", f"{took:.1f} s, {memory:.0f} MiB", "-")
        if sheets[0] != sheets[1]:
            raise bench.Missing("two runs gave different sheets")
