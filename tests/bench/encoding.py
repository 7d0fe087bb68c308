"""Speed of tokenizing beside PyPI `tokenizers`: one text and its lines, one core each, the same ids.

    python tests/bench/encoding.py BUILD FOLDER TEXTS.jsonl [MEGABYTES]      # tokenizers, transformers

FOLDER holds a tokenizer that transformers reads; rows of TEXTS.jsonl have "text". BUILD has bench-encoding (ninja bench-encoding) and
plumb. Prints megabytes (10^6) a second of processor time: of the rows joined to one text, by a tokenizer that has just been opened and
by one that has met the words; of `plumb tokenize --json` over the rows, reading and printing included; and of tokenizers' encode and
encode_batch without offsets (one thread). Ends with 1 where an id differs.
"""
import hashlib
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"

import transformers


def children_s():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def timed(run):
    start = time.process_time()
    out = run()
    return time.process_time() - start, out


def rows_of(path, size):
    rows, total = [], 0
    for line in pathlib.Path(path).read_text(encoding="utf-8").split("\n"):
        if not line or total > size:
            break
        rows.append(json.loads(line)["text"].replace("\r", " "))
        total += len(rows[-1].encode()) + 1
    return rows


def main():
    build, folder, texts = map(pathlib.Path, sys.argv[1:4])
    rows = rows_of(texts, 1e6 * float(sys.argv[4]) if len(sys.argv) > 4 else 1e9)
    text = "\n".join(rows)
    size = len(text.encode()) / 1e6
    kind = transformers.AutoTokenizer if any(folder.glob("tokenizer*.json")) else transformers.GPT2Tokenizer
    theirs = kind.from_pretrained(folder).backend_tokenizer
    say = lambda what, mine, other: print(f"{what:44} {mine:8.2f} MB/s   {mine / other:6.1f} times")

    with tempfile.TemporaryDirectory() as scratch:
        path = pathlib.Path(scratch, "text.txt")
        path.write_bytes(text.encode())
        run = json.loads(subprocess.run([build / "tests/bench/bench-encoding", folder, path], capture_output=True, check=True).stdout)
        lines = pathlib.Path(scratch, "rows.jsonl")
        lines.write_text("".join(json.dumps({"text": row}, ensure_ascii=False) + "\n" for row in rows))
        out = pathlib.Path(scratch, "out")
        command = [build / "plumb", "tokenize", folder, "--json", "--no-special"]
        start = children_s()
        with open(out, "wb") as sink, open(lines, "rb") as source:
            subprocess.run(command, stdin=source, stdout=sink, check=True)
        spent = children_s() - start
        start = children_s()
        subprocess.run([*command, ""], stdout=subprocess.DEVNULL, check=True)
        opening = children_s() - start
        printed = [json.loads(line)["ids"] for line in out.read_text(encoding="utf-8").split("\n") if line]

    seconds, encoded = timed(lambda: theirs.encode(text, add_special_tokens=False))
    ids = encoded.ids
    one = size / seconds
    seconds, batch = timed(lambda: [e.ids for e in theirs.encode_batch_fast(rows, add_special_tokens=False)])
    many = size / seconds
    print(f"{folder.name}, {size:.2f} MB in {len(rows)} rows, {len(ids)} ids; tokenizers {__import__('tokenizers').__version__}")
    say("one text, first time", size / run["first"], one)
    say("one text, words known", size / run["best"], one)
    say(f"tokenize --json (opening, {1e3 * opening:.0f} ms, left out)", size / (spent - opening), many)
    print(f"{'tokenizers: encode, encode_batch_fast':44} {one:8.2f} MB/s, {many:.2f} MB/s")
    digest = hashlib.sha256(b"".join(i.to_bytes(4, "little") for i in ids)).hexdigest()
    same = digest == run["digest"] and printed == batch
    print("ids: the same" if same else "ids: DIFFERENT")
    return 0 if same else 1


sys.exit(main())
