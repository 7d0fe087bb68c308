"""Signals while planning, in units and in analysis, to a run that others wait for: the exit code that belongs to the signal, an
answer within moments, nothing left over, and the next run ends with the bytes of an undisturbed one."""
import itertools
import shutil
import signal
import sys
import time

from attack import ROOT, Attack, Experiment, end_of, plumb, start

# What a run ends with after a signal; 0: it goes on.
CODES = {signal.SIGTERM: 75, signal.SIGUSR1: 75, signal.SIGINT: -signal.SIGINT, signal.SIGHUP: -signal.SIGHUP, signal.SIGQUIT: -signal.SIGQUIT,
         signal.SIGCONT: 0, signal.SIGWINCH: 0, signal.SIGSTOP: 0}
MOMENTS = ["planning", "units", "analysis"]
ANSWER_S = 10  # a second on a quiet machine


def default_signals():
    """A job in the background of a shell ignores Ctrl-C."""
    for ignored in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(ignored, signal.SIG_DFL)


class Moment:
    """A command that is in `name` when the signal comes."""

    def __init__(self, experiment, name, results):
        self.experiment, self.name, self.results = experiment, name, results

    def start(self):
        shutil.rmtree(self.results, ignore_errors=True)
        run = self.experiment.run_folder(self.results)
        if self.name == "analysis":
            shutil.copytree(self.experiment.calm, run)
            (run / "DONE").unlink()
            (run / "stability.csv").unlink()
        more = ["arms.0.draws=2000", "arms.0.orders=20"] if self.name == "planning" else []
        process = start(*self.experiment.command(self.results, *more), env=self.experiment.env, prepare=default_signals)
        began = time.monotonic()
        while self.name == "units" and not list(run.glob("units/*.h5")) and process.poll() is None and time.monotonic() - began < 100:
            time.sleep(0.005)
        return process

    def differences(self):
        if self.name == "planning":
            return [f"left over {path.name}" for path in self.results.rglob("*.tmp")]
        after = plumb(*self.experiment.command(self.results), env=self.experiment.env)
        return [f"the run after it ended with {after.code}"] if after.code else self.experiment.differences(self.results)


def attempt(attack, moment, number):
    process = moment.start()
    time.sleep(attack.random.uniform(0.05, 0.3 if moment.name != "analysis" else 0.1))
    there = process.poll() is None
    process.send_signal(number)
    sent = time.monotonic()
    if number == signal.SIGSTOP:
        time.sleep(0.5)
        process.send_signal(signal.SIGCONT)
    if moment.name == "planning" and CODES[number] == 0: # it would go on for minutes
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
    end = end_of(process)
    expected = CODES[number] or (75 if moment.name == "planning" else 0)
    judge(attack, end, f"{number.name} in {moment.name}", {expected} if there else {expected, 0}, time.monotonic() - sent, moment)


def judge(attack, end, what, expected, seconds, moment):
    """A run may have been through with its work when the signal came."""
    found = moment.differences()
    if end.code == 0 and moment.name == "analysis" and 0 not in expected:
        expected = {0}
    if end.code is not None and end.code < 0 and end.code in expected:
        end.code = 75
    elif end.code not in expected:
        found.append(f"exit code {end.code}, expected {sorted(expected)}")
    if 0 not in expected and seconds > ANSWER_S:
        found.append(f"answered after {seconds:.1f} s")
    if end.code == 75:
        end.err = b"plumb: " + end.err
    attack.judge(end, what, found, codes=(75,))


def main():
    with Attack("signals", short=12, long=60) as attack:
        folder = attack.folder / "input"
        overrides = [f"models=[{folder}/model]", "items=8"]
        experiment = Experiment(folder, file=ROOT / "tests/program/random.yaml", overrides=overrides)
        moments = [Moment(experiment, name, attack.folder / "results") for name in MOMENTS]
        tries = list(itertools.product(moments, CODES))
        attack.random.shuffle(tries)
        for moment, number in itertools.cycle(tries):
            if not attack.more():
                break
            attempt(attack, moment, number)
    return attack.finish()


sys.exit(main())
