#!/usr/bin/env python3
"""Lets allocations of `run`, `analyze`, `extract` and `inspect` fail, one in each try, and holds what comes of it to this:

  * exit 0: every result file and what is printed are those of the undisturbed command;
  * else exit 1 and "out of memory" (3 where that is what a unit failed of), never an error of the input; files that are there are whole and right, and the same
    command goes on from them to the same results;
  * a crash is excused in libraries that do not survive a failed allocation of their own (LIBRARIES), never in plumb.

The short form takes one allocation of every kind (the same end of the stack), as many as the time allows, in an order
that is drawn with a fixed seed. --each N takes N of every kind, --all every allocation, however long that lasts.

  allocation.py [--all | --each N] [--seconds 40] [--processes 1] [--verbs run,analyze,extract,inspect]

PLUMB, PLUMB_MAKE_MODEL and PLUMB_BUILD say what is tested, as in tests/program. Prints a line of counts for a verb; the
exit code is 1 when any try was wrong. Files of HDF5 are compared by their bytes, and, where h5py is there, by content
when the bytes differ: libhdf5 goes on after some failures and lays the same content out otherwise ("layout")."""
import argparse, collections, concurrent.futures, itertools, os, random, shutil, subprocess, sys, tempfile, threading, time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("PLUMB_BUILD", os.path.join(ROOT, "build"))
PLUMB = os.environ.get("PLUMB", os.path.join(BUILD, "plumb"))
MAKE_MODEL = os.environ.get("PLUMB_MAKE_MODEL", os.path.join(BUILD, "plumb-make-model"))
SHIM = os.path.join(BUILD, "tests", "reliability", "liballocation_shim.so")
LIBRARIES = ("libhdf5", "libcrypto", "libc", "ld-linux", "libgomp", "libp11", "libgcc", "libcurl", "libgnutls", "?")
LEFT_OVERS = (".part", ".tmp", ".lock", ".owner", ".guard")

TASK = """task: parity
dataset_path: .
test_split: rows.jsonl
output_type: multiple_choice
doc_to_text: "{{text}}"
doc_to_target: label
doc_to_choice: ["no", "yes"]
plumb: {templates: [{name: bare, role: id}, {name: asks, role: ood, doc_to_text: "Is it so? {{text | upper}}"}]}
"""
EXPERIMENT = """name: small
models: [{path: gpt2}]
tasks: [task.yaml]
arms: [{kind: prompt, shots: [0], readout: [loglikelihood, generate]}]
capture: {layers: [1, final_norm], positions: [last]}
items: 3
seed: 1
"""


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def read_files(folder):
    """Result files below a folder, by name: what plumb promises to be the same each time."""
    found = {}
    for at, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(at, name)
            relative = os.path.relpath(path, folder)
            sidecar = os.path.basename(at) == "units" and name.endswith(".json")
            if sidecar or name.startswith(("status", "log.txt", "analysis.json")) or name.endswith(LEFT_OVERS) or ".broken-" in name:
                continue
            with open(path, "rb") as file:
                found[relative] = file.read()
    return found


def same_content(a, b):
    """Whether two HDF5 files, given as bytes, hold the same; False where h5py is not there to tell."""
    try:
        import h5py, io
    except ImportError:
        return False

    def content(data):
        everything = {}
        with h5py.File(io.BytesIO(data), "r") as file:
            def visit(name, thing):
                value = thing[()] if isinstance(thing, h5py.Dataset) else None
                everything[name] = (repr(value) if getattr(value, "dtype", None) is None else
                                    (str(value.dtype), value.shape, value.tolist() if value.dtype == object else value.tobytes()),
                                    sorted((k, repr(v)) for k, v in thing.attrs.items()))
            file.visititems(visit)
        return everything
    try:
        return content(a) == content(b)
    except (OSError, ValueError):
        return False


class Verb:
    def __init__(self, name, work):
        self.name, self.work = name, work
        self.calm = os.path.join(work, "calm-" + name)
        self.prepare(self.calm)
        done = self.go(self.calm)
        if done.returncode:
            sys.exit(f"{name}: does not even work undisturbed: {done.stderr.decode()}")
        self.files, self.printed = read_files(self.out(self.calm)), done.stdout

    def out(self, folder):
        return os.path.join(folder, "out")

    def prepare(self, folder):
        """A fresh folder to work in."""
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(self.out(folder))
        if self.name == "analyze":
            shutil.copytree(os.path.join(self.work, "units"), os.path.join(self.out(folder), "run"))

    def command(self, folder):
        out = self.out(folder)
        return {"run": [PLUMB, "run", "e.yaml", "--quiet", "--device", "cpu", "--threads", "1", "--results", out],
                "analyze": [PLUMB, "analyze", os.path.join(out, "run")],
                "extract": [PLUMB, "extract", "gpt2", "rows.jsonl", "--out", os.path.join(out, "x.h5"), "--quiet",
                            "--device", "cpu", "--threads", "1"],
                "inspect": [PLUMB, "inspect", "gpt2", "--json"]}[self.name]

    def go(self, folder, **more):
        environment = {**os.environ, "XDG_CACHE_HOME": os.path.join(folder, "cache"), **more}
        if "ALLOCATION_LOG" in more:
            environment["LD_PRELOAD"] = SHIM
        return subprocess.run(self.command(folder), cwd=self.work, env=environment, capture_output=True, timeout=300)

    def kinds(self):
        """What can fail, a list for every kind: (who asks, [number of the allocation])."""
        folder, log = os.path.join(self.work, "log-" + self.name), os.path.join(self.work, self.name + ".log")
        self.prepare(folder)
        self.go(folder, ALLOCATION_LOG=log)
        kinds = {}
        with open(log) as file:
            for line in file:
                n, kind, who = line.split(" ", 2)
                kinds.setdefault(kind, (who.strip(), []))[1].append(int(n))
        return list(kinds.values())

    def compare(self, found, whole):
        """'' when the files are right ("layout": in content), else what is wrong. Not whole: some may be absent."""
        layout = False
        for name in sorted(set(self.files) | set(found)):
            if name not in found:
                if whole:
                    return f"{name} is missing"
            elif name not in self.files:
                return f"{name} is new"
            elif found[name] != self.files[name]:
                if not name.endswith(".h5") or not same_content(found[name], self.files[name]):
                    return f"{name} differs"
                layout = True
        return "layout" if layout else ""

    def judge(self, n, folder, resume):
        self.prepare(folder)
        log, who = os.path.join(folder, "who"), "?"
        try:
            done = self.go(folder, ALLOCATION_FAIL=str(n), ALLOCATION_LOG=log)
        except subprocess.TimeoutExpired:
            return "WRONG", "does not end"
        if os.path.exists(log):  # threads take turns: not always the one that was asked for
            who = open(log).read().split()[2]
        error = done.stderr.decode(errors="replace").strip().splitlines()
        last = error[-1][:160] if error else "(no message)"
        difference = self.compare(read_files(self.out(folder)), done.returncode == 0)
        if difference not in ("", "layout"):
            return "WRONG", f"exit {done.returncode}, {difference}: {last}"
        if done.returncode == 0:
            if done.stdout != self.printed:
                return "WRONG", "exit 0, prints something else"
            return "layout" if difference else "same", ""
        if resume and self.name in ("run", "extract"):
            again = self.go(folder)
            difference = self.compare(read_files(self.out(folder)), True)
            if again.returncode or difference not in ("", "layout"):
                return "WRONG", f"afterwards exit {again.returncode}, {difference}: {last}"
            left = [f for _, _, names in os.walk(self.out(folder)) for f in names if f.endswith(LEFT_OVERS) or ".broken-" in f]
            if left:
                return "WRONG", f"afterwards {left[0]} is left: {last}"
        if done.returncode < 0 or done.returncode in (127, 255):  # 127: the loader; 255: HDF5 while it starts
            return ("crashed", who) if who.startswith(LIBRARIES) else ("WRONG", f"crash {done.returncode}, asked by {who}: {last}")
        if done.returncode in (1, 3) and "memory" in last.lower():
            return "refused", ""
        return "WRONG", f"exit {done.returncode}: {last}"


def some_of_each(kinds, most, chance):
    """So many allocations of every kind, by chance; the objects that ask take turns: libhdf5 has most kinds."""
    by_who = collections.defaultdict(list)
    for who, numbers in kinds:
        by_who[who].extend(chance.sample(numbers, min(most, len(numbers))))
    for numbers in by_who.values():
        chance.shuffle(numbers)
    turns = itertools.zip_longest(*(by_who[who] for who in sorted(by_who)))
    return [n for turn in turns for n in turn if n is not None]


def attack(verb, numbers, until, processes):
    counts, wrong, folders = collections.Counter(), [], threading.local()

    def one(place):
        i, n = place
        if until and time.monotonic() > until:
            return
        if not hasattr(folders, "path"):
            folders.path = tempfile.mkdtemp(dir=verb.work)
        result, why = verb.judge(n, folders.path, i % 5 == 0)
        counts[result] += 1
        if result == "crashed":
            counts["in " + why] += 1
        if result == "WRONG":
            wrong.append((n, why))

    with concurrent.futures.ThreadPoolExecutor(processes) as pool:
        list(pool.map(one, enumerate(numbers)))
    return counts, wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--each", type=int)
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--verbs", default="run,analyze,extract,inspect")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    for file in (PLUMB, MAKE_MODEL, SHIM):
        if not os.path.exists(file):
            sys.exit(f"{file} is not there: build it first")
    work, bad = tempfile.mkdtemp(prefix="plumb-allocation-"), 0
    try:
        with open(os.path.join(work, "rows.jsonl"), "w") as file:
            for i in range(5):
                file.write('{"text": "item %d of m\\u00e4ny", "label": %d}\n' % (i, i % 2))
        write(os.path.join(work, "task.yaml"), TASK)
        write(os.path.join(work, "e.yaml"), EXPERIMENT)
        texts = [os.path.join(work, "rows.jsonl")]
        subprocess.run([MAKE_MODEL, os.path.join(work, "gpt2"), "--family", "gpt2", *texts], check=True, stdout=subprocess.DEVNULL)
        run = Verb("run", work)
        results = run.out(run.calm)
        units = os.path.join(work, "units")  # a run as it is before its first analysis
        shutil.copytree(os.path.join(results, os.listdir(results)[0]), units)
        for name in os.listdir(units):
            if os.path.isfile(os.path.join(units, name)) and name not in ("experiment.yaml", "manifest.json", "plan.json"):
                os.remove(os.path.join(units, name))
        verbs = options.verbs.split(",")
        print(f"{'verb':8} {'allocations':>11} {'kinds':>6} {'tried':>6} {'refused':>8} {'same':>5} {'layout':>6} {'crashed':>7} {'WRONG':>5}")
        for v, name in enumerate(verbs):
            verb = run if name == "run" else Verb(name, work)
            kinds, chance = verb.kinds(), random.Random(options.seed)
            n_all = max(max(numbers) for _, numbers in kinds)
            numbers = list(range(1, n_all + 1)) if options.all else some_of_each(kinds, options.each or 1, chance)
            if options.all:
                chance.shuffle(numbers)
            until = None if options.all or options.each else time.monotonic() + options.seconds * (2 if name == "run" else 1) / (len(verbs) + 1)
            counts, wrong = attack(verb, numbers, until, options.processes)
            tried = sum(counts[c] for c in ("refused", "same", "layout", "crashed", "WRONG"))
            print(f"{name:8} {n_all:11} {len(kinds):6} {tried:6} {counts['refused']:8} {counts['same']:5} {counts['layout']:6} {counts['crashed']:7} {counts['WRONG']:5}"
                  + "".join(f"  {k[3:]} {c}" for k, c in sorted(counts.items()) if k.startswith("in ")), flush=True)
            for n, why in wrong[:40]:
                print(f"  WRONG {name}, allocation {n}: {why}")
            bad += len(wrong)
            if tried == 0:
                bad += 1
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return bad > 0


if __name__ == "__main__":
    sys.exit(main())
