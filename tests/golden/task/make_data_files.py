"""Makes data_files.json: data files and the rows that Hugging Face's datasets reads from them (datasets 5.2.0, pandas 3.1.1).

Run where both are installed: python make_data_files.py

Each case: a builder, its arguments, the file's text, and the rows, or null where datasets refuses the file; "refused"
says why plumb does, alone. Random files (seeded) follow those that are written out. Not among them: integers alone of more
than 64 bits, which datasets refuses and plumb reads as texts.
"""
import json
import logging
import os
import random
import shutil
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
import datasets

datasets.disable_progress_bars()
logging.disable(logging.ERROR)
here = os.path.dirname(os.path.abspath(__file__))
folder = tempfile.mkdtemp()
ENDINGS = {"csv": "csv", "json": "json", "text": "txt"}


def read(builder, text, kwargs):
    path = os.path.join(folder, "x." + ENDINGS[builder])
    with open(path, "w", encoding="utf-8", newline="") as f:
        f.write(text)
    shutil.rmtree(os.path.join(folder, "cache"), ignore_errors=True)
    try:
        rows = datasets.load_dataset(builder, data_files={"test": path}, cache_dir=os.path.join(folder, "cache"), **kwargs)["test"]
        return [dict(row) for row in rows]
    except Exception as error:
        assert "datasets" in type(error).__module__ or isinstance(error, (ValueError, KeyError)), error
        return None


cases = []


def case(builder, text, **kwargs):
    cases.append({"builder": builder, "arguments": kwargs, "text": text, "rows": read(builder, text, kwargs)})


def refused(why, builder, text, **kwargs):
    """A file that datasets reads and plumb refuses."""
    case(builder, text, **kwargs)
    cases[-1]["refused"] = why


# ---- CSV ----
case("csv", "a,b\n1,x\n-2,y\n")
case("csv", "a,b\r\n01,x\r\n2,\"\"\r\n\r\n")
case("csv", "\ufeffa,b\n1,2\n")
case("csv", '"a","b c"\n"x, ""y""\nz",1\n\'q\',2\n')
case("csv", "a;b\n1;2,5\n", sep=";")
case("csv", "a;b\n1;x\n", delimiter=";", sep="|")
case("csv", "a\tb\n\"x\ty\"\t1\n", sep="\t")
case("csv", "a,b\n'x,1',2\n\"y\",3\n", quotechar="'")
case("csv", "a,b\n\"x,1\n\"y\",3\n", quoting=3)
case("csv", "# a \" note\n\"more \"\"\nof\" it \"\na,b\n1,2\n", skiprows=2)
case("csv", "\n\nnote\na,b\n1,2\n", skiprows=3)
case("csv", "1,x\n2,y\n", header=None)
case("csv", "1,x\n2,y\n", names=["n", "t"])
case("csv", "1,x\n2,y\n", column_names=["n", "t"], names=["a", "b"])
case("csv", "a,b\n2,y\n", names=["n", "t"], header=0)
case("csv", "junk,junk\n\na,b\n2,y\n", header=1)
case("csv", "1,x\n2,y\n", names=["n", "t", "more"])
case("csv", ",a\n0,x\n1,y\n")
case("csv", "a,b\n1\n2,3\n")
refused("a column without a name would become the index", "csv", "a,b\n1,2,3\n4,5\n")
case("csv", "a,b\n1,2\n3,4,5\n")
case("csv", "a\n\n \n1\n\t\n2\n")
case("csv", "a,b\n 1 , x \n")
case("csv", 'a,b\n"x"y,1\nx"y",2\n"p""q"r"s,3\n')
case("csv", 'a\n"x\n')
case("csv", "a,b,c,d\nTrue,true,FALSE,yes\nfalse,,TRUE,no\n")
for value in ("NA", "N/A", "null", "None", "nan", "NaN", "#N/A", "n/a", "<NA>", "-nan", "1.#IND", "NULL", "na", "none", "-", "NONE"):
    case("csv", f"a,b,c\n{value},x,1\n{value},\"{value}\",{value}\n")
case("csv", "a,b\n1,\n,\n3,\n")
case("csv", "a\n9223372036854775807\n-9223372036854775808\n")
case("csv", "a\n9223372036854775808\n1\n")
case("csv", "a\n18446744073709551615\n0\n")
case("csv", "a\n18446744073709551616\nx\n")
case("csv", "a\n1\nNA\n18446744073709551615\n")
case("csv", "a\n18446744073709551615\n-1\n")
case("csv", "a\n-9223372036854775809\nx\n")
case("csv", "a\n99999999999999999999\n1.5\n")
case("csv", "a\n1.5\n99999999999999999999\n")
case("csv", "a\n+5\n-0\n007\n")
case("csv", "a\n1.\n.5\n-.5e1\n1e5\n2E-3\n")
case("csv", "a\n1e\n2\n")
case("csv", "a\n0x1F\n2\n")
case("csv", "a\n1_000\n2\n")
case("csv", "a,b\n1,2\n1.50,x\n,3\n")
case("csv", "a\n5e-324\n2.2250738585072014e-308\n1.7976931348623157e308\n0.1\n123456789012345678901234567890\n")
case("csv", "a\n1e-400\n0.30000000000000004\n")
case("csv", "a\nx\n")
case("csv", "a,b\n")
case("csv", "ü,ñ\n自然,😀\n")

r = random.Random(12)
numbers = []
while len(numbers) < 400:
    kind = r.randrange(5)
    digits = "".join(r.choice("0123456789") for _ in range(r.randrange(1, 25)))
    point = r.randrange(len(digits) + 1)
    text = digits[:point] + "." + digits[point:]
    if kind == 0:
        text = repr(r.uniform(-1000, 1000))
    elif kind == 1:
        text += f"e{r.randrange(-330, 290)}"
    elif kind == 2:
        text = f"{r.uniform(-1, 1):.{r.randrange(1, 20)}e}"
    numbers.append(text)
case("csv", "real\n" + "\n".join(numbers) + "\n")

words = ["", "x", "NA", "1", "2", "-3", "4.5", "1e3", "true", "False", "007", " 8", "a b", 'say "so"', "l1\nl2", "c,d", "e;f", "'q'", "ü", "null", "12345678901234567890"]
for _ in range(150):
    sep, quote = r.choice(",;|\t"), r.choice("\"'")
    n, rows = r.randrange(1, 5), r.randrange(1, 6)
    pool = [r.sample(words, r.randrange(1, 4)) for _ in range(n)]

    def field(text):
        if r.random() < 0.3 or sep in text or "\n" in text or text.startswith(quote):
            return quote + text.replace(quote, quote * 2) + quote
        return text

    lines = [sep.join(f"c{i}" for i in range(n))] if (head := r.random() < 0.7) else []
    lines += [sep.join(field(r.choice(pool[i])) for i in range(n)) for _ in range(rows)]
    end = r.choice(["\n", "\r\n"])
    arguments = {"sep": sep, "quotechar": quote}
    if not head:
        arguments |= {"header": None} if r.random() < 0.5 else {"names": [f"n{i}" for i in range(n)]}
    if r.random() < 0.2:
        lines.insert(0, "a note")
        arguments["skiprows"] = 1
    case("csv", end.join(lines) + r.choice(["", end, end + end]), **arguments)

# ---- JSON ----
case("json", '{"a": 1}\n{"a": 2}')
case("json", '\ufeff{"a": 1, "b": "x"}\r\n{"a": 2, "b": "y"}\r\n')
case("json", '[{"a": 1, "t": "x"}, {"a": 2, "t": "y, ]}"}]')
case("json", '[\n  {\n    "a": [1, 2],\n    "t": "\\"[{"\n  },\n  {"a": [], "t": "\\\\"}\n]\n')
case("json", '["one", "two \\n lines", "\\u00fc"]')
case("json", "[]")
case("json", '[{"a": 1},]')
case("json", '[{"a": 1} {"a": 2}]')
case("json", '[{"a": 1}')
case("json", '[{"a": 1}, {"a": 2}] x')
case("json", '{"version": 1, "data": [{"a": 1, "t": "x"}, {"a": 2, "t": "y"}], "more": {"data": [3]}}', field="data")
case("json", '{"v": "data", "w": [{"data": 1}, "]"], "data"  :  [ {"a": 1.5} ] }', field="data")
case("json", '{"a": [{"x": 1}]}', field="data")
case("json", '{"data": ["one", "two"]}', field="data")

# ---- text ----
case("text", "one\n\n  two \nthree")
case("text", "one\r\ntwo\rthree\r\n\r\r\n")
case("text", "ü\n自然 😀\n\n\n")
case("text", "a\x0bb\x0cc\u2028d\n")

with open(os.path.join(here, "data_files.json"), "w", encoding="utf-8") as f:
    f.write("[\n" + ",\n".join(json.dumps(c, allow_nan=False) for c in cases) + "\n]\n")
shutil.rmtree(folder)
print(len(cases), "cases,", sum(c["rows"] is None for c in cases), "refused")
