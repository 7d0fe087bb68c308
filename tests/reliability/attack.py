"""What the attacks share: a tiny model and a small experiment with its undisturbed run, runs of plumb, the judgement of how
one ended and of what it left, and the counts.

Each attack is a file of its own and prints, at its end, its finds and a row of the table in results/benchmarks/reliability.md:
| area | tried | survived | refused clearly | wrong | crashed |. It ends with 1 when something was wrong or crashed, or when less
was tried than it is for. Programs and shims come from $PLUMB_BUILD (default: build-test)."""
import argparse
import collections
import dataclasses
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("PLUMB_BUILD", ROOT / "build-test")).resolve()
PLUMB = os.environ.get("PLUMB", str(BUILD / "plumb"))
MAKE_MODEL = os.environ.get("PLUMB_MAKE_MODEL", str(BUILD / "plumb-make-model"))
HANG_S = 300  # a machine may be slow; what takes longer than this has stopped
EXIT_CODES = {0, 1, 2, 3, 75, 130}
SANITIZER = 99  # what a sanitized build ends with
SANITIZERS = {
    "ASAN_OPTIONS": f"exitcode={SANITIZER}:allocator_may_return_null=1:detect_stack_use_after_return=0",
    "UBSAN_OPTIONS": f"halt_on_error=1:print_stacktrace=1:exitcode={SANITIZER}",
    "LSAN_OPTIONS": f"suppressions='{ROOT}/tests/reliability/leaks.txt':print_suppressions=0",
}
# Controls that move a cursor or turn text around: C0 but newline and tab, DEL, C1, bidirectional controls.
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")

TASK = """task: parity
dataset_path: .
test_split: rows.jsonl
training_split: rows.jsonl
output_type: multiple_choice
doc_to_text: "{{text}}"
doc_to_target: label
doc_to_choice: ["no", "yes"]
plumb:
  templates:
    - {name: bare, role: id}
    - {name: asks, role: ood, doc_to_text: "Is it so? {{text}}"}
"""
EXPERIMENT = """name: small
models: [model]
tasks: [task.yaml]
arms:
  - {kind: prompt, shots: [0], readout: [loglikelihood, generate]}
capture: {layers: [1, final_norm], positions: [last], dtype: float32}
items: 4
seed: 1
"""


def shim(name):
    """The environment that preloads a shim."""
    path = BUILD / "tests/reliability" / f"lib{name}_shim.so"
    if not path.exists():
        sys.exit(f"{path} was not built")
    return {"LD_PRELOAD": str(path)}


@dataclasses.dataclass
class End:
    """How a run of plumb ended; code None: it hung, and was killed."""
    command: list
    code: int | None
    out: bytes
    err: bytes
    seconds: float

    def last_line(self):
        lines = self.err.decode("utf-8", "replace").strip().split("\n")
        return lines[-1] if lines else ""

    def crash(self):
        """What kind of crash it is, or ''."""
        if self.code is None:
            return "hang"
        if b"Sanitizer" in self.err or b"runtime error:" in self.err:
            return "sanitizer"
        if self.code < 0:
            return signal.Signals(-self.code).name
        return "" if self.code in EXIT_CODES else f"exit code {self.code}"

    def unclear(self):
        """What its error line lacks, or ''."""
        if self.code and self.code > 0 and b"plumb: " not in self.err:
            return "no line says why"
        found = CONTROLS.search(self.err.decode("utf-8", "replace"))
        return f"control character {ord(found.group()):#x} in the error line" if found else ""


def start(*args, env=None, cwd=None, prepare=None, program=None, **options):
    """plumb in the background; its standard error is a pipe."""
    options.setdefault("stdout", subprocess.DEVNULL)
    options.setdefault("stderr", subprocess.PIPE)
    return subprocess.Popen([program or PLUMB, *map(str, args)], env={**os.environ, **(env or {})}, cwd=cwd,
                            preexec_fn=prepare, stdin=subprocess.DEVNULL, **options)


def end_of(process, began=None, timeout=HANG_S):
    try:
        out, err = process.communicate(timeout=timeout)
        code = process.returncode
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        code = None
    return End(process.args, code, out or b"", err or b"", time.monotonic() - began if began else 0)


def plumb(*args, timeout=HANG_S, **options):
    began = time.monotonic()
    return end_of(start(*args, **options), began, timeout)


class Experiment:
    """A folder with a model, a task and an experiment, and the run of it that nobody disturbs, `calm`."""

    def __init__(self, folder, text=EXPERIMENT, task=TASK, rows=("item 0", "item 1", "item 2", "item 3"),
                 models=(("model", "gpt2"),), file=None, overrides=()):
        self.folder, self.overrides = pathlib.Path(folder), list(overrides)
        self.folder.mkdir(parents=True, exist_ok=True)
        data = sorted(ROOT.glob("experiments/paper/data/*.jsonl"))
        for name, family in models:
            subprocess.run([MAKE_MODEL, self.folder / name, "--family", family, *data], check=True, stdout=subprocess.DEVNULL)
        (self.folder / "task.yaml").write_text(task)
        (self.folder / "rows.jsonl").write_text("".join(json.dumps({"text": row, "label": i % 2}) + "\n" for i, row in enumerate(rows)))
        self.file = pathlib.Path(file or self.folder / "experiment.yaml")
        if not file:
            self.file.write_text(text)
        self.env = {"XDG_CACHE_HOME": str(self.folder / "cache")}
        end = plumb(*self.command(self.folder / "calm"), env=self.env)
        if end.code != 0:
            sys.exit(f"the undisturbed run failed: {end.last_line()}")
        self.seconds = end.seconds
        self.calm = next((self.folder / "calm").glob("*-????????"))
        self.bytes = {name: (self.calm / name).read_bytes() for name in files_of(self.calm) if is_result(name)}

    def command(self, results, *more, threads=1):
        return ["run", self.file, *self.overrides, "--quiet", "--threads", threads, "--results", results, *more]

    def run_folder(self, results):
        return pathlib.Path(results) / self.calm.name

    def differences(self, results):
        """What a finished run has that the undisturbed one has not, or the other way round, or other bytes."""
        run = self.run_folder(results)
        names, calm = set(files_of(run)), set(files_of(self.calm))
        found = [f"missing {name}" for name in sorted(calm - names)]
        found += [f"left over {name}" for name in sorted(names - calm) if not re.fullmatch(r"status[-\w]*\.json", name)]
        found += self.other_bytes(results)
        for sidecar in run.glob("units/*.json"):
            try:
                json.loads(sidecar.read_bytes())
            except ValueError:
                found.append(f"broken {sidecar.name}")
        return found

    def other_bytes(self, results):
        """Results that stand with other bytes than the undisturbed run's; what is missing is no difference."""
        run = self.run_folder(results)
        return [f"other bytes in {name}" for name, data in self.bytes.items()
                if (run / name).exists() and (run / name).read_bytes() != data]


def files_of(folder):
    return [str(path.relative_to(folder)) for path in pathlib.Path(folder).rglob("*") if path.is_file() or path.is_symlink()]


def is_result(name):
    """Files that end with the same bytes whatever happens: all but logs, times, states and the sidecars of units."""
    return not (name in ("log.txt", "analysis.json") or name.startswith("status") or re.fullmatch(r"units/.*\.json", name))


class Attack:
    """Options, scratch folder, counts and the end of one attack."""

    def __init__(self, area, short, long):
        parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
        parser.add_argument("--long", action="store_true", help=f"try {long} instead of {short}")
        parser.add_argument("--count", type=int, help="how many to try")
        parser.add_argument("--seconds", type=float, default=0, help="stop after so many seconds, whatever was tried")
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--keep", type=pathlib.Path, help="a folder for finds")
        self.parser, self.area, self.counts = parser, area, collections.Counter()
        self.numbers, self.finds = (short, long), []
        self.began = time.monotonic()

    def __enter__(self):
        self.args = args = self.parser.parse_args()
        self.long, self.seconds, self.seed, self.keep = args.long, args.seconds, args.seed, args.keep
        self.count = args.count or self.numbers[args.long]
        self.random = random.Random(args.seed)
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="plumb-attack-", dir=memory))
        for name, options in SANITIZERS.items():
            os.environ[name] = ":".join(filter(None, [os.environ.get(name), options]))
        return self

    def __exit__(self, kind, *_):
        shutil.rmtree(self.folder, ignore_errors=True)

    def more(self):
        if self.seconds and time.monotonic() - self.began > self.seconds:
            return False
        return self.counts["tried"] < self.count

    def note(self, verdict, what="", tried=1):
        """Counts a try: survived, refused, wrong or crashed; what went wrong is printed at once."""
        self.counts["tried"] += tried
        self.counts[verdict] += tried
        if verdict in ("wrong", "crashed"):
            self.finds.append(what)
            print(f"{verdict}: {what}", flush=True)

    def judge(self, end, what, differences=(), codes=(1, 2, 3)):
        """Counts a try by how it ended: 0 with the same bytes, or a clear refusal with one of these codes."""
        bad = end.crash()
        if bad:
            return self.note("crashed", f"{what}: {bad}: {end.last_line()[:300]}")
        bad = end.unclear() or "; ".join(list(differences)[:5])
        if not bad and end.code and end.code not in codes:
            bad = f"exit code {end.code}"
        if bad:
            return self.note("wrong", f"{what}: {bad}: {end.last_line()[:300]}")
        return self.note("refused" if end.code else "survived")

    def judge_run(self, end, what, experiment, results, found=(), left_ok=False, prepare=None):
        """Counts a disturbed run of an experiment by how it ended, what it left and how the run after it ends."""
        found = list(found)
        if end.code == 0:
            found += [item for item in experiment.differences(results) if not (left_ok and item.startswith("left over"))]
        else:
            found += experiment.other_bytes(results)
        if prepare:
            prepare()
        after = plumb(*experiment.command(results), env=experiment.env)
        if after.code != 0:
            found.append(f"the run after it ended with {after.code}: {after.last_line()[-200:]}")
        else:
            found += [f"after the next run: {item}" for item in experiment.differences(results)]
        self.judge(end, what, found)

    def finish(self):
        c = self.counts
        seconds = time.monotonic() - self.began
        print(f"{self.area}: seed {self.seed}, {seconds:.0f} s" + "".join(f", {n} {name}" for name, n in sorted(c.items())))
        bad = c["wrong"] + c["crashed"] + c["failed"]
        if not self.seconds and c["tried"] < self.count:
            print(f"only {c['tried']} of {self.count} tried")
            bad += 1
        print(f"| {self.area} | {c['tried']} | {c['survived']} | {c['refused']} | {c['wrong']} | {c['crashed']} |", flush=True)
        return 1 if bad else 0
