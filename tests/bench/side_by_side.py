"""What the benchmarks on a GPU share: our engine as a process under a stopwatch, alternating repeats, the table.

Every speed row carries its equality check; what could not be measured is a row of its own list, never silence.
"""
import json, os, statistics, subprocess, tempfile, time


def program(where, name):
    """A program of a build folder or of an unpacked bundle."""
    path = os.path.join(where, "bin", name)
    if os.path.exists(path):
        return path
    for folder, _, files in os.walk(where):
        if name in files:
            return os.path.join(folder, name)
    raise FileNotFoundError(f"{name} is not in {where}")


def environment(where, device, **more):
    """The environment of our programs: the plug-in of a build tree stands elsewhere than the test programs."""
    env = dict(os.environ, **more)
    plugin = "libplumb_cuda_emulated.so" if device.startswith("cuda-emulated") else "libplumb_cuda.so"
    if device.startswith("cuda") and "PLUMB_CUDA_PLUGIN" not in env and not os.path.isdir(os.path.join(where, "libexec")):
        try:
            env["PLUMB_CUDA_PLUGIN"] = program(where, plugin)
        except FileNotFoundError:
            pass  # the program's own line says what is missing
    return env


class Engine:
    """bench-engine with a model loaded; ask() sends a line and returns the answer, an object."""

    def __init__(self, where, model, requests, device, compute, batch_tokens=0, threads=0, **env):
        self.requests = tempfile.NamedTemporaryFile("w", suffix=".json")
        json.dump(requests, self.requests)
        self.requests.flush()
        self.errors = tempfile.TemporaryFile("w+")
        words = [program(where, "bench-engine"), model, self.requests.name, "--device", device, "--compute", compute]
        words += ["--batch-tokens", str(batch_tokens), "--threads", str(threads)]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True,
                                        env=environment(where, device, **env))

    def ask(self, line):
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            self.process.wait()
            self.errors.seek(0)
            raise RuntimeError(self.errors.read().strip() or f"bench-engine ended with {self.process.returncode}")
        return json.loads(answer)

    def seconds(self, line):
        return self.ask(line)["seconds"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.stdin.close()
            self.process.wait()
        self.requests.close()


def timed(function):
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def alternate(repeats, *ways):
    """Each way (a function that returns its seconds) runs once to warm up, then `repeats` times in turn, the order turned
    round every time. A list of seconds a way."""
    for way in ways:
        way()
    seconds = [[] for _ in ways]
    for r in range(repeats):
        for i in sorted(range(len(ways)), reverse=r % 2 == 1):
            seconds[i].append(ways[i]())
    return seconds


def fastest(candidates, way):
    """The candidate (a batch size) that a baseline does best with; None when none runs."""
    best = None
    for candidate in candidates:
        try:
            way(candidate)
            seconds = way(candidate)
        except RuntimeError as error:  # out of memory at this size
            if "memory" not in str(error):
                raise
            continue
        if best is None or seconds < best[0]:
            best = (seconds, candidate)
    return best[1] if best else None


def relative_difference(a, b):
    """NaN anywhere is infinitely far: Python's max would lose it."""
    difference = float((a.float() - b.float()).norm() / b.float().norm())
    return difference if difference == difference else float("inf")


class Table:
    """Prints rows as they come; keeps what was missed, unequal or not measured."""

    def __init__(self, judge):
        self.judge = judge  # False: sizes too small for the goals to mean anything
        self.missed, self.unequal, self.unmeasured, self.failed = [], [], [], []

    def begin(self):
        print("\n| what | plumb | baseline | ratio | goal | equality |\n|---|---|---|---|---|---|", flush=True)

    def spread(self, seconds, work, unit):
        rates = sorted(work / s for s in seconds)
        return f"{statistics.median(rates):,.0f} ({rates[0]:,.0f}-{rates[-1]:,.0f}) {unit}"

    def verdict(self, name, met, text):
        if not self.judge:
            return text + ": too small to say"
        if not met:
            self.missed.append(name)
        return f"{text}: {'met' if met else 'MISSED'}"

    def check(self, name, equal, text):
        if not equal:
            self.unequal.append(name)
        return text if equal else "UNEQUAL: " + text

    def rates(self, name, ours, theirs, our_work, their_work, unit, goal, check):
        """Medians and extremes of work a second; the ratio is the median of the repeats' own."""
        ratio = statistics.median(t / their_work * our_work / o for o, t in zip(ours, theirs))
        verdict = "" if goal is None else self.verdict(name, ratio >= goal, f"≥{goal}x")
        print(f"| {name} | {self.spread(ours, our_work, unit)} | {self.spread(theirs, their_work, unit)} | {ratio:.2f}x | {verdict} "
              f"| {check} |", flush=True)

    def cost(self, name, with_it, without, work, unit, limit_percent, check):
        """with_it over without, in per cent of time."""
        percent = 100 * statistics.median(w / o - 1 for w, o in zip(with_it, without))
        verdict = self.verdict(name, percent <= limit_percent, f"≤{limit_percent} %")
        print(f"| {name} | {self.spread(with_it, work, unit)} | {self.spread(without, work, unit)} | {percent:+.1f} % | {verdict} "
              f"| {check} |", flush=True)

    def times(self, name, ours, theirs, limit, check):
        ratio = statistics.median(o / t for o, t in zip(ours, theirs))
        text = [f"{1000 * statistics.median(s):.0f} ms ({1000 * min(s):.0f}-{1000 * max(s):.0f})" for s in (ours, theirs)]
        verdict = self.verdict(name, ratio <= limit, f"≤{limit}x the time")
        print(f"| {name} | {text[0]} | {text[1]} | {ratio:.2f}x | {verdict} | {check} |", flush=True)

    def fail(self, name, why):
        self.failed.append(f"{name}: {why}")

    def not_measured(self, name, why):
        self.unmeasured.append(f"{name}: {why}")

    def end(self):
        for title, list_ in (("Goals missed", self.missed), ("Unequal", self.unequal), ("Failed", self.failed), ("Not measured", self.unmeasured)):
            if list_:
                print(f"\n{title}:\n" + "\n".join("- " + line for line in list_))
        if self.judge and not (self.missed or self.unequal or self.failed or self.unmeasured):
            print("\nAll goals met.")
        return 1 if self.missed or self.unequal or self.failed else 0
