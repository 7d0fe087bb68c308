"""SIGKILL at any moment, to one to three processes at once, in units and in analysis, also where locks are refused or are each
node's own: after the kills the next run ends with the bytes of an undisturbed one, and nothing is left over."""
import os
import shutil
import subprocess
import sys
import time

from attack import ROOT, Attack, Experiment, end_of, plumb, shim, start

# Calls in which a run is killed, in the order in which it is run again: CALL:PART OF THE PATH:N.
IN_UNITS = ([f"pwrite:.h5:{n}" for n in (1, 2, 3, 5, 8, 13, 21, 40)] + [f"{call}:{n}" for n in (1, 2, 3) for call in ("fdatasync:.h5", "rename:.h5", "fsync:units")]
            + ["write:.tmp:1", "write:.tmp:2", "rename:status.json:1", "rename:status.json:2", "write:log.txt:2", "write:log.txt:3",
               "rename:units/:2", "rename:.json:3"])
IN_THE_MERGE = ["rename:stability.csv:1", "rename:results:1", "rename:samples:1", "rename:screen.txt:1", "rename:table.txt:1", "rename:analysis.json:1", "rename:DONE:1"]
AGAIN = ["DONE", "analysis.json"] # without these the analysis is made again
# How a round runs: who runs at once, and how locks behave.
WAYS = ["single", "several", "several", "shards", "adopting", "refused locks", "granted locks"]


class Kills:
    def __init__(self, attack, experiment, results):
        self.attack, self.experiment, self.results = attack, experiment, results
        self.kills = 0
        self.bad = []

    def forced(self, where):
        end = plumb(*self.experiment.command(self.results), env={**self.experiment.env, **shim("kill"), "PLUMB_KILL": where})
        if end.code == -9:
            self.kills += 1
        else:
            self.bad.append(f"not killed at {where}: {end.code} {end.last_line()[-200:]}")

    def at_random(self, way):
        """One to three processes that start together; each is killed after a random share of a run's time."""
        draw, env = self.attack.random, dict(self.experiment.env)
        if way.endswith("locks"):
            env.update(shim("shared"), PLUMB_FLOCK={"refused locks": "none", "granted locks": "all"}[way])
        n = 1 if way in ("single", "adopting") else draw.choice([2, 3])
        processes = []
        for i in range(n):
            share = ["--shard", f"{i}/{n}"] if way == "shards" else []
            processes.append(start(*self.experiment.command(self.results, *share), env=env))
        moments = sorted((time.monotonic() + draw.uniform(0.01, 0.7) * self.experiment.seconds * n ** 0.5, i) for i in range(n))
        for moment, i in moments:
            time.sleep(max(0, moment - time.monotonic()))
            self.kill(processes[i])
        if n > 1:
            self.attack.counts["with others beside"] += n

    def kill(self, process):
        process.kill()
        end = end_of(process)
        if end.code == -9:
            self.kills += 1
        elif end.code != 0:
            self.bad.append(f"ended with {end.code} before it was killed: {end.last_line()[-200:]}")
        return end.code == -9

    def in_analysis(self):
        """Every unit is there: killed while the table is made again."""
        run = self.experiment.run_folder(self.results)
        for name in self.attack.random.choice([AGAIN, [*AGAIN, "stability.csv"], []]):
            (run / name).unlink(missing_ok=True)
        command = self.attack.random.choice([["analyze", run], self.experiment.command(self.results)])
        process = start(*command, env=self.experiment.env)
        time.sleep(self.attack.random.uniform(0.005, 0.3) * min(1, self.experiment.seconds))
        self.attack.counts["in analysis"] += self.kill(process)

    def run_to_the_end(self):
        end = plumb(*self.experiment.command(self.results), env=self.experiment.env)
        if end.code != 0:
            self.bad.append(f"the run after the kills ended with {end.code}: {end.last_line()[-200:]}")
        else:
            self.bad += self.experiment.differences(self.results)

    def note(self, what):
        verdict = "wrong" if self.bad else "survived"
        self.attack.note(verdict, f"{what}: {'; '.join(list(dict.fromkeys(self.bad))[:6])}", tried=self.kills)
        if self.bad and self.attack.keep:
            shutil.copytree(self.results, self.attack.keep / f"kills-{self.attack.seed}-{self.attack.counts['rounds']}", dirs_exist_ok=True)
        self.attack.counts["rounds"] += 1
        shutil.rmtree(self.results, ignore_errors=True)


def forced_round(attack, experiment, places):
    """Killed inside chosen calls, one run after the other in one folder; then in the merge at the end."""
    kills = Kills(attack, experiment, attack.folder / "forced")
    for where in places:
        kills.forced(where)
    for where in IN_THE_MERGE:
        kills.run_to_the_end()
        for name in AGAIN:
            (experiment.run_folder(kills.results) / name).unlink(missing_ok=True)
        kills.forced(where)
    kills.run_to_the_end()
    kills.note(f"{experiment.file.stem}, forced")


def random_round(attack, experiment, way):
    kills = Kills(attack, experiment, attack.folder / "killed")
    if way == "adopting":  # another experiment's run of the same cells, killed as well
        donor = start(*experiment.command(kills.results, "name=donor"), env=experiment.env)
        time.sleep(attack.random.uniform(0.3, 1) * experiment.seconds)
        kills.kill(donor)
    for _ in range(attack.random.randint(2, 6)):
        kills.at_random(way)
    kills.run_to_the_end()
    if not kills.bad:
        for _ in range(3):
            kills.in_analysis()
        kills.run_to_the_end()
    kills.note(f"{experiment.file.stem} {' '.join(experiment.overrides)}, {way}")


def demos(attack):
    """Two models and two tasks, in the long form also with more states and with others."""
    folder, found = attack.folder / "demo", []
    chosen = [["items=8"]] + ([["items=15", "capture.positions=[last,mean,all,label]"], ["items=8", "capture.dtype=float16"]] if attack.long else [])
    for i, overrides in enumerate(chosen):
        overrides.append(f"models=[{folder}{i}/gpt2,{folder}{i}/llama]")
        found.append(Experiment(f"{folder}{i}", file=ROOT / "tests/program/random.yaml", models=(("gpt2", "gpt2"), ("llama", "llama")), overrides=overrides))
    return found


def real(attack):
    """SST-2 on a trained model, where it is there."""
    data = os.environ.setdefault("PLUMB_DATA", str(ROOT.parent / "shared/data"))
    if not os.path.isdir(f"{data}/models/stories260K"):
        print("SKIP kills on real input: no $PLUMB_DATA")
        return []
    folder = attack.folder / "real"
    folder.mkdir()
    subprocess.run(["bash", "-ec", 'source tests/program/real_input.sh; real_input "$1"', "-", folder], cwd=ROOT, env={**os.environ, "root": str(ROOT)}, check=True)
    os.environ["PLUMB_DATASETS"] = str(folder)
    return [Experiment(folder / "sst2", file=folder / "real-sst2.yaml", overrides=["items=20"])]


def main():
    with Attack("SIGKILL", short=60, long=400) as attack:
        known = demos(attack) + (real(attack) if attack.long else [])
        for experiment in known:
            forced_round(attack, experiment, IN_UNITS)
        turn = 0
        while attack.more():
            random_round(attack, known[turn % len(known)], WAYS[turn % len(WAYS)])
            turn += 1
    return attack.finish()


sys.exit(main())
