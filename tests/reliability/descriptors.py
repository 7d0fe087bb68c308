"""Standard descriptors that are closed, full or read by nobody, in every verb that writes or prints: the files have the same bytes,
and what cannot be printed is an error, never a part of a file."""
import itertools
import os
import shutil
import sys

from attack import Attack, End, Experiment, files_of, is_result, plumb

CLOSED = [set(fds) for n in (1, 2, 3) for fds in itertools.combinations((0, 1, 2), n)]


def closing(fds):
    def prepare():
        for fd in fds:
            os.close(fd)
    return prepare


def into(path_or_pipe, fd):
    """The descriptor leads to /dev/full, or into a pipe that nobody reads."""
    def prepare():
        if path_or_pipe == "a pipe without a reader":
            ends = os.pipe()
            os.close(ends[0])
            os.dup2(ends[1], fd)
        else:
            os.dup2(os.open(path_or_pipe, os.O_WRONLY), fd)
    return prepare


def disturbances():
    yield from ((f"closed {sorted(fds)}", closing(fds), fds) for fds in CLOSED)
    for fd in (1, 2):
        for what in ("/dev/full", "a pipe without a reader"):
            yield f"{what} as {fd}", into(what, fd), {fd}


class Verb:
    """A command that writes below `results`, and what its undisturbed run writes."""

    def __init__(self, experiment, name, args, results):
        self.experiment, self.name, self.args, self.results = experiment, name, args, results
        self.bytes = None
        end = self.run(None)
        if end.code != 0:
            sys.exit(f"{name}: {end.last_line()}")
        self.bytes = self.written()

    def run(self, prepare):
        shutil.rmtree(self.results, ignore_errors=True)
        self.results.mkdir()
        if self.name in ("analyze", "status"):
            shutil.copytree(self.experiment.calm, self.experiment.run_folder(self.results))
        return plumb(*self.args, env=self.experiment.env, prepare=prepare)

    def written(self):
        kept = [name for name in files_of(self.results) if is_result(name.partition("/")[2]) and not name.endswith(".tmp")]
        return {name: (self.results / name).read_bytes() for name in kept}

    def differences(self, finished):
        """Files with other bytes; where it says that it finished, files that lack as well."""
        now = self.written()
        return [f"other bytes in {name}" for name in sorted({*now, *self.bytes}) if now.get(name) != self.bytes.get(name) and (finished or name in now)]


def verbs(experiment, results):
    model, rows, run = experiment.folder / "model", experiment.folder / "rows.jsonl", experiment.run_folder(results)
    yield "run", experiment.command(results)
    yield "analyze", ["analyze", run]
    yield "extract", ["extract", model, rows, "--out", results / "states.h5", "--positions", "all"]
    yield "status", ["status", run]
    yield "inspect", ["inspect", model]
    yield "tokenize", ["tokenize", model, "A fine film."]
    yield "generate", ["generate", model, "--prompt", "A film", "--max-tokens", "2"]
    yield "plan", ["plan", experiment.file, "--results", results]


def judge(attack, verb, end, what, gone):
    """With standard error gone there is no line to ask for; SIGPIPE ends a writer to a pipe that nobody reads, as is the custom."""
    piped = end.code == -13 and "pipe" in what
    if piped or (2 in gone and end.code == 1):
        end = End(end.command, 1, b"", b"plumb: (no line can be seen)", end.seconds)
    attack.judge(end, f"{verb.name}, {what}", verb.differences(end.code == 0), codes=(1,))


def main():
    with Attack("closed and full descriptors", short=30, long=88) as attack:
        experiment = Experiment(attack.folder / "input")
        results = attack.folder / "results"
        known = [Verb(experiment, name, args, results) for name, args in verbs(experiment, results)]
        tries = list(itertools.product(known, disturbances()))
        attack.random.shuffle(tries)
        for verb, (what, prepare, gone) in tries:
            if not attack.more():
                break
            judge(attack, verb, verb.run(prepare), what, gone)
    return attack.finish()


sys.exit(main())
