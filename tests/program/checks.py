"""What lint.py and chat.py share: `python FILE PLUMB MODEL FOLDER`, PASS and FAIL lines, files of the folder, calls of plumb."""
import os
import subprocess
import sys

PLUMB, MODEL, FOLDER = sys.argv[1:4]
failures = 0


def report(name, ok, what=""):
    global failures
    failures += not ok
    print(("PASS " if ok else "FAIL ") + name + ("" if ok else f": {what}"))


def write(name, text):
    path = os.path.join(FOLDER, name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


def plumb(*arguments):
    done = subprocess.run([PLUMB, *arguments], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def finish():
    sys.exit(failures > 0)
