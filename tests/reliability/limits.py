"""Limits on open files, on the size of files and on memory: one clear line or the whole run, and without the limit the next run
ends with the bytes of an undisturbed one."""
import resource
import shutil
import sys

from attack import Attack, Experiment, plumb

FILES = list(range(3, 21))
SIZES = [0, 1, 100, 512, 1000, 4096, 10000, 20000, 35000, 40000, 45000, 60000, 100000]
MEMORY_MB = list(range(20, 62, 2)) + list(range(64, 128, 4)) + [160, 200, 250, 300, 400]


def limits(attack):
    """(what, resource, number), the three kinds in turn."""
    kinds = [[("open files", resource.RLIMIT_NOFILE, n) for n in FILES], [("bytes a file", resource.RLIMIT_FSIZE, n) for n in SIZES],
             [("MB of addresses", resource.RLIMIT_AS, n) for n in MEMORY_MB]]
    for kind in kinds:
        attack.random.shuffle(kind)
    while any(kinds):
        for kind in kinds:
            if kind:
                yield kind.pop()


def main():
    with Attack("resource limits", short=18, long=len(FILES) + len(SIZES) + len(MEMORY_MB)) as attack:
        experiment = Experiment(attack.folder / "input")
        results = attack.folder / "results"
        for what, name, limit in limits(attack):
            if not attack.more():
                break
            shutil.rmtree(results, ignore_errors=True)
            number = limit << 20 if name == resource.RLIMIT_AS else limit
            end = plumb(*experiment.command(results), env=experiment.env, prepare=lambda: resource.setrlimit(name, (number, number)))
            if b"error while loading shared libraries" in end.err: # it never came to main
                end.code, end.err = 1, b"plumb: " + end.err
            attack.judge_run(end, f"{limit} {what}", experiment, results)
    return attack.finish()


sys.exit(main())
