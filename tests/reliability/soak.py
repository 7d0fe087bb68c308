"""One experiment over threads, batch sizes, prefix sharing and OpenMP's own variable: every file of results has the same bytes."""
import shutil
import sys

from attack import ROOT, Attack, Experiment, plumb

THREADS, BATCHES, OPENMP = [1, 1, 2, 3, 4, 8], [None, 1, 7, 16, 64, 100, 333, 1000, 5000], [None, None, 1, 3, 16]


def main():
    with Attack("soak: threads x batch x sharing", short=6, long=40) as attack:
        folder = attack.folder / "input"
        models = [("gpt2", "gpt2"), ("llama", "llama")]
        overrides = [f"models=[{folder}/gpt2,{folder}/llama]", f"items={12 if attack.long else 4}"]
        experiment = Experiment(folder, file=ROOT / "tests/program/random.yaml", models=models, overrides=overrides)
        results, draw = attack.folder / "results", attack.random
        while attack.more():
            threads, batch, openmp = draw.choice(THREADS), draw.choice(BATCHES), draw.choice(OPENMP)
            options = [*(["--batch-tokens", batch] if batch else []), *(["--no-sharing"] if draw.random() < 0.4 else [])]
            env = {**experiment.env, **({"OMP_NUM_THREADS": str(openmp)} if openmp else {})}
            end = plumb(*experiment.command(results, *options, threads=threads), env=env)
            attack.judge(end, f"{threads} threads {options} OMP_NUM_THREADS={openmp}", experiment.differences(results), codes=())
            shutil.rmtree(results, ignore_errors=True)
    return attack.finish()


sys.exit(main())
