"""Small file systems that are full, of bytes or of inodes: one clear line, what was finished stays, and with room again the run
goes on to the same bytes. Mounting them needs root; without it this ends with 77."""
import os
import subprocess
import sys

from attack import Attack, Experiment, plumb


def mount(folder, *options):
    return subprocess.run(["mount", *options, str(folder)], stderr=subprocess.DEVNULL).returncode == 0


def attempt(attack, experiment, limit, room):
    """A run on a file system with this limit, and then with room."""
    folder = attack.folder / "disk"
    folder.mkdir(exist_ok=True)
    if not mount(folder, "-t", "tmpfs", "-o", limit, "tmpfs"):
        sys.exit(f"cannot mount a file system with {limit}")
    try:
        results = folder / "results"
        end = plumb(*experiment.command(results), env=experiment.env)
        left = [f"left over {path.name}" for path in folder.rglob("*") if path.suffix in (".part", ".tmp") or "@" in path.name]
        attack.judge_run(end, limit, experiment, results, left, prepare=lambda: mount(folder, "-o", f"remount,{room}"))
    finally:
        subprocess.run(["umount", "-l", str(folder)])


def main():
    with Attack("full disks", short=6, long=30) as attack:
        probe = attack.folder / "probe"
        probe.mkdir()
        if os.geteuid() != 0 or not mount(probe, "-t", "tmpfs", "tmpfs"):
            print("SKIP full disks: mounting a small file system needs root")
            return 77
        subprocess.run(["umount", str(probe)])
        experiment = Experiment(attack.folder / "input")
        size = sum(path.stat().st_size for path in experiment.calm.rglob("*") if path.is_file())
        files = sum(1 for _ in experiment.calm.rglob("*"))
        inodes = attack.count * 12 // 27
        for i in range(attack.count - inodes):
            attempt(attack, experiment, f"size={4096 + i * size // (attack.count - inodes)}", "size=100m")
        for i in range(inodes):
            attempt(attack, experiment, f"nr_inodes={2 + i * files // inodes}", "nr_inodes=10000")
    return attack.finish()


sys.exit(main())
