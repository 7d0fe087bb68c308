"""Calls of the system that fail (the n-th, from the n-th on, always), move less than was asked for or are interrupted, and clocks
that are wrong: a run ends with the same bytes or refuses in one clear line, and the next run ends with the same bytes."""
import errno
import shutil
import sys

from attack import Attack, Experiment, plumb, shim

FAULTS = [("flock", "ENOLCK EOPNOTSUPP EIO"), ("rename", "EIO ENOSPC EXDEV"), ("fsync", "EIO EINVAL"), ("fdatasync", "EIO EINVAL"),
          ("create", "ENOSPC EMFILE EDQUOT"), ("pwrite", "ENOSPC EIO"), ("write", "ENOSPC EIO"), ("unlink", "EACCES EIO"), ("link", "EPERM"),
          ("mkdir", "ENOSPC"), ("close", "EIO ENOSPC"), ("open", "EMFILE EIO EACCES"), ("read", "EIO"), ("pread", "EIO"), ("mmap", "ENOMEM"),
          ("ftruncate", "EIO")]
# A folder with every unit, whose table is made again, and another experiment's that adopts them.
SCENES = ["run", "run again", "analyze", "adopt"]


class Scene:
    """A command and the folder that it works on, as it is before each try."""

    def __init__(self, experiment, name, results):
        self.experiment, self.name, self.results = experiment, name, results

    def prepare(self):
        shutil.rmtree(self.results, ignore_errors=True)
        run = self.experiment.run_folder(self.results)
        if self.name != "run":
            shutil.copytree(self.experiment.calm, run)
            (run / "DONE").unlink()
        if self.name == "adopt":
            run.rename(run.with_name("donor-12345678"))

    def command(self):
        return ["analyze", self.experiment.run_folder(self.results)] if self.name == "analyze" else self.experiment.command(self.results)

    def attempt(self, **env):
        self.prepare()
        return plumb(*self.command(), env={**self.experiment.env, **shim("io"), **env})


def count_of(scene, call, file):
    end = scene.attempt(PLUMB_FAULT=f"{call}:1:1000000", PLUMB_FAULT_COUNT=str(file))
    if end.code != 0:
        sys.exit(f"{scene.name} with the shim, but no fault: {end.last_line()}")
    return int(file.read_text())


def tries(attack, scenes):
    """(scene, what, environment) in an order that reaches every call and every scene soon."""
    plans = []
    for scene in scenes:
        for call, names in FAULTS:
            n = count_of(scene, call, attack.folder / "count")
            for name in names.split() if n else ():
                places = [0, -max(1, n // 3)] + sorted({1 + i * n // 40 for i in range(40)})
                attack.random.shuffle(places)
                plans.append([(scene, f"{call} {name} {place}", {"PLUMB_FAULT": f"{call}:{getattr(errno, name)}:{place}"}) for place in places])
        for name in ("PLUMB_SHORT", "PLUMB_EINTR"):
            plans.append([(scene, f"{name}={seed}", {name: str(seed)}) for seed in range(12)])
        plans.append([(scene, f"the clock {s} s ahead", {"PLUMB_CLOCK": str(s)}) for s in (-1700000000, 3000000000, 86400)])
    attack.random.shuffle(plans)
    while plans:
        for plan in plans:
            yield plan.pop()
        plans = [plan for plan in plans if plan]


def main():
    with Attack("I/O faults", short=60, long=600) as attack:
        experiment = Experiment(attack.folder / "input")
        scenes = [Scene(experiment, name, attack.folder / "results") for name in SCENES]
        for scene, what, env in tries(attack, scenes):
            if not attack.more():
                break
            # What cannot be unlinked stays; the next run takes it away.
            attack.judge_run(scene.attempt(**env), f"{scene.name}, {what}", experiment, scene.results, left_ok="unlink" in what)
    return attack.finish()


sys.exit(main())
