"""Every attack, two at a time: what each prints, a PASS or FAIL line an attack, and with --table FILE the table of counts.

The short form, a part of tests/run.sh, tries some of each; --long tries what the table asks for and fails below it."""
import argparse
import concurrent.futures
import datetime
import os
import pathlib
import re
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
# The longest first. The counts that the long form asks for stand in the attacks. Allocations have a short form of their own,
# tests/program/allocation.sh.
SHORT = ["fuzz", "kills", "io_faults", "soak", "limits", "signals", "disks", "names", "descriptors"]
LONG = ["fuzz", "allocation", *SHORT[1:]]
ALLOCATION_S = 420
HEAD = """| area | tried | survived | refused clearly | wrong | crashed |
|---|---|---|---|---|---|
"""


def allocation_row(printed):
    """The row of all its verbs: verb, allocations, kinds, tried, refused, same, layout, crashed, wrong."""
    verbs = [list(map(int, found.groups())) for found in re.finditer(r"^\w+ +\d+ +\d+ +(\d+) +(\d+) +(\d+) +(\d+) +(\d+) +(\d+)", printed, re.M)]
    if not verbs:
        return []
    tried, refused, same, layout, crashed, wrong = map(sum, zip(*verbs))
    return [f"| failed allocations | {tried} | {same + layout} | {refused} | {wrong} | {crashed} |"]


def reason(printed):
    """Why an attack failed, for its line among the suite's failures: its first find, else what it printed last."""
    lines = [line for line in printed.split("\n") if line.strip() and not line.startswith("| ")] or ["nothing was printed"]
    return next((line for line in lines if re.match("wrong: |crashed: ", line)), lines[-1])[:300]


def run(part, options):
    began = time.monotonic()
    if part == "allocation":
        options = ["--seconds", str(ALLOCATION_S)]
    done = subprocess.run([sys.executable, HERE / f"{part}.py", *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    rows = [line for line in done.stdout.split("\n") if line.startswith("| ")]
    if part == "allocation":
        rows = allocation_row(done.stdout)
    print(done.stdout.rstrip())
    verdict = {0: "PASS", 77: "SKIP"}.get(done.returncode, "FAIL")
    if verdict == "PASS" and not rows:
        verdict = "FAIL"
    why = f": {reason(done.stdout)}" if verdict == "FAIL" else ""
    print(f"{verdict} tests/reliability/{part}.py ({time.monotonic() - began:.0f} s){why}", flush=True)
    return verdict, rows


def machine():
    info = pathlib.Path("/proc/cpuinfo").read_text()
    name = re.search(r"model name\s*: (.*)", info)
    wide = next((word for word in ("avx512f", "avx2", "avx") if word in info), "no AVX")
    return f"{os.cpu_count()} cores of {name.group(1) if name else 'an unnamed processor'} ({wide})"


def table(rows, args, seconds):
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip() or "no repository"
    return f"""# Reliability: plumb under attack

{datetime.date.today()}, commit {commit}, {machine()}, seed {args.seed}; {seconds / 60:.0f} min, {args.jobs} attacks at a time. Made by

```
tests/reliability/run.py --long --table results/benchmarks/reliability.md    # all of it; tests/run.sh --long runs the same
tests/reliability/kills.py --long --seed 1                                   # one area; --help says what it does
tests/reliability/fuzz.py --only KIND:SEED:NUMBER --keep FOLDER              # one input of the fuzzer again
```

A try *survived* when the program ended with 0 (or was killed, as was meant) and every file of results, at once or after the
next run, has the bytes of an undisturbed run, with nothing left over; it was *refused clearly* when it
ended with the right exit code and one line that says why, and the next run ends with the same bytes. *Wrong*: other bytes, a left-over, a wrong exit code, an unclear line, a control
character in it. *Crashed*: a signal, a sanitizer's report, a hang; of failed allocations, in libraries that do not survive their own.

{HEAD}{"".join(row + chr(10) for row in rows)}
| area | what is tried |
|---|---|
""" + "".join(f"| `{part}.py` | {first_sentence(part)} |\n" for part in LONG)


def first_sentence(part):
    source = (HERE / f"{part}.py").read_text()
    return re.sub(r"\s+", " ", re.match(r'(?:#![^\n]*\n)?"""(.*?)(?:\n\n|""")', source, re.S).group(1)).strip()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--table", type=pathlib.Path, help="write the table of counts to this file")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("part", nargs="*", help=f"of {', '.join(LONG)}; all when none is named")
    args = parser.parse_args()
    began = time.monotonic()
    os.environ.setdefault("PLUMB_BUILD", str(ROOT / "build-test"))
    parts = args.part or (LONG if args.long else SHORT)
    options = ["--seed", str(args.seed)] + ["--long"] * args.long
    print(f"attacks on {os.environ['PLUMB_BUILD']}: {', '.join(parts)}", flush=True)
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        ends = list(pool.map(lambda part: run(part, options), parts))
    rows = [row for _, rows in ends for row in rows]
    print(HEAD + "\n".join(rows))
    if args.table:
        args.table.write_text(table(rows, args, time.monotonic() - began))
    return 1 if any(verdict == "FAIL" for verdict, _ in ends) else 0


if __name__ == "__main__":
    sys.exit(main())
