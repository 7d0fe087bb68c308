"""Makes exact_match.json: what lm-evaluation-harness' exact_match gives for pairs of texts under its flags, what
re.sub(pattern, "", text) leaves of texts under many patterns, and what its filters make of answers.
Run: python make_exact_match.py   (Python 3.11, lm_eval 0.4.13)
"""
import json
import os
import random
import re

from lm_eval.api.metrics import exact_match_hf_evaluate
from lm_eval.filters import build_filter_ensemble

here = os.path.dirname(os.path.abspath(__file__))
words = ["Paris", "paris", "PARIS", "Paris.", " Paris", "Paris\n", "ΑΣ", "ας", "ασ", "É", "é", "É", "straße", "STRASSE", "İ", "i̇",
         "1,234", "1234", "$1,234.00", "12", "", ".", "a b", "a  b", "#### 5", "5", "The answer is 5.", "x_y", "x-y", "٣", "“a”", "a"]
patterns = [[","], [r"\$"], [r"(?s).*#### "], [r"\.$"], [","  , r"\$", r"(?s).*#### ", r"\.$"], [r"\s+"], [r"\d"], [r"(?i)the "],
            [r"[^\w\s]"], []]
r = random.Random(5)
cases = []
for a in words:
    for b in r.sample(words, 12) + [a]:
        flags = {k: True for k in ("ignore_case", "ignore_punctuation", "ignore_numbers") if r.random() < 0.4}
        if r.random() < 0.4:
            flags["regexes_to_ignore"] = r.choice(patterns)
        score = exact_match_hf_evaluate(predictions=[a], references=[b], **flags)["exact_match"]
        cases.append({"prediction": a, "reference": b, "flags": flags, "exact_match": bool(score)})

texts = ["", "a", "a\n", "\na\n\n", "aaa bbb", "1,234.5", "x1_y2-z3", "été  \u2003\x1d\u00a0z", "((a)(b))", "aXbxC", "\t a\u0301b\v\f", "²½Ⅷ٣",
         "abcabcabc", "a.b*c+d", "[x]{2}", "{,3}", "]^-\\", "foo bar\nbaz\n", "ſKk", "日本語 text", "a{2}aa", "\x00b"]
subs = [r"a", r"a*", r"\s", r"\S+", r"\d+", r"\D", r"\w+", r"\W+", r"\b\w", r"\B.", r"^a", r"a$", r"a\Z", r"\Aa", r"(?m)^", r"(?m)^.", r"(?m)$\n",
        r".", r"(?s).", r"(?i)x", r"(?i:K)k?", r"(a|b)\1", r"(?P<q>a)(?P=q)", r"[abc]+", r"[^\d\s]", r"[\w-]", r"[]x]", r"[^]x]", r"a{2}",
        r"a{,2}b", r"a{1,}", r"a{x}", r"x{", r"\{,3\}", r"(?<=a)b", r"(?<!a)b", r"a(?=b)", r"b(?!c)", r"a+?", r"(?>a+)b", r"\x61",
        r"\u0061", r"\U00000061", r"\v", r"[\v\f]", r"\t", r"\.", r"\-", r"\]", r"\\", r"é", r"[é語]", r"\[", r"(?:ab)?c", r"a|", r"a++", r"[\b]",
        r"\$", r"#.*", r"(?ms)^foo.*"]
removed = [{"pattern": p, "left": [re.sub(p, "", t) for t in texts]} for p in subs]
refused = [r"{,3}", r"\p{L}", r"\h", r"\R", r"\K", r"(?<n>a)", r"(?R)", r"(?|a|b)", r"(*FAIL)", r"[[:alpha:]]", r"\Qa\E", r"\e", r"\01", r"\12", r"(",
           r"[a", r"*", r"a(?i)b", r"(?x)a", r"\N", r"\x6", r"(?(1)a|b)", r"[\S]", r"\G", "\\"]
class Response:
    def __init__(self, text):
        self.resps, self.filtered_resps, self.doc = [text], {}, {}


answers = [" Paris.\n", "The answer is #### 1,234.5 and #### 7", "####  5", "no", "", "A (B) C (D)", "x= y=2", "\u3000ß İ\t", "((a))"]
chains = [
    [{"function": "take_first"}],
    [{"function": "remove_whitespace"}, {"function": "take_first"}],
    [{"function": "lowercase"}],
    [{"function": "uppercase"}, {"function": "remove_whitespace"}],
    [{"function": "regex"}],
    [{"function": "regex", "regex_pattern": r"\(([A-Z])\)", "group_select": -1}, {"function": "lowercase"}],
    [{"function": "regex", "regex_pattern": r"(\w)=(\d?)|(z)", "group_select": 0, "fallback": " none "}],
    [{"function": "regex", "regex_pattern": r"(z)?(q)?", "fallback": " none "}],
    [{"function": "regex", "regex_pattern": r"\w*", "group_select": -1}],
    [{"function": "regex", "regex_pattern": r"\w*"}],
    [{"function": "regex", "regex_pattern": r"x=(\d?)"}],
]
filtered = []
for chain in chains:
    steps = [[step["function"], {k: v for k, v in step.items() if k != "function"} or None] for step in chain]
    made = [Response(a) for a in answers]
    build_filter_ensemble("f", steps).apply(made)
    out = [m.filtered_resps["f"] for m in made]
    filtered.append({"filter": chain, "out": [o[0] if isinstance(o, list) else o for o in out]})
with open(os.path.join(here, "exact_match.json"), "w", encoding="utf-8") as f:
    json.dump({"cases": cases, "texts": texts, "removed": removed, "refused": refused, "answers": answers, "filtered": filtered}, f, ensure_ascii=False, indent=1)
    f.write("\n")
