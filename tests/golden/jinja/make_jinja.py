"""Makes jinja.json: templates rendered by jinja2 as lm-evaluation-harness configures it.

A case is {"source", "item"} and either "output" (rendered text), "value" (of one expression, with its type) or
"error" (jinja2 refuses: so must plumb). Hand-written cases come first, then random expressions of the subset.
Run: python make_jinja.py > jinja.json   (jinja2 3.1.6, Python 3.11)
"""
import json
import random

import jinja2

ENV = jinja2.Environment(loader=jinja2.BaseLoader(), undefined=jinja2.StrictUndefined, keep_trailing_newline=True)

ITEM = {
    "text": "  A fine, very fine film.\n", "label": 1, "zero": 0, "neg": -7, "real": 0.5, "whole": 2.0, "tiny": 1.5e-7,
    "huge": 1e22, "yes": True, "no": False, "none": None, "empty": "", "words": ["bad", "good", "so so"],
    "numbers": [3, 1, 2], "nothing": [], "nested": {"a": {"b": "deep"}, "list": [1, [2, "x"]], "1": "one", "items": "i"},
    "accents": "Ünïcödé ÉTÉ straße ŉ ΌΔΥΣΣΕΎΣ", "emoji": "a😀b👩‍👩‍👧c", "digits": "42", "quotes": "it's \"so\"",
    "long": "The quick brown fox jumps over the lazy dog and runs away from the other animals", "été": "summer",
    "spaces": "\u00a0\u2003\x1c x \u3000\n", "crlf": "a\r\nb", "blanks": "a  b c   d", "chinese": "自然语言处理",
}
LETTERS = "".join(chr(c) for c in range(0x20, 0x600)) + "".join(chr(c) for c in range(0x10A0, 0x10FF)) + "".join(
    chr(c) for c in range(0x1C90, 0x1CC0)) + "".join(chr(c) for c in range(0x1E00, 0x2000)) + "".join(
    chr(c) for c in range(0xFB00, 0xFB18)) + "".join(chr(c) for c in range(0x10400, 0x10450)) + "ꭰꮿᏸǅǲⅣⓐꙀ"

RENDER = [
    "", "plain", "plain\n", "a\n\n", "a\r\nb\rc", "{", "}}", "{ {", "a { b } c", "%} #} }}", "{{label}}", "{{ label }}\n", "{{text}}",
    "{{ text|trim }}", "{{ text | trim | upper }}!", "{{-label-}}", "a  {{- label -}}  b", "a \n {{- label }} b",
    "{{ label -}} \n\t b", "a {#- c -#} b", "a {# c #} b", "a{#-#} b", "{#}#}x", "a {#+ c +#} b", "{{+ label }}", "{{- 1}}", "{{-1}}",
    "{% if yes %}Y{% endif %}", "{% if no %}Y{% endif %}|", "{% if no %}Y{% else %}N{% endif %}",
    "{% if label == 0 %}zero{% elif label == 1 %}one{% else %}more{% endif %}",
    "{% if no %}a{% elif empty %}b{% elif nothing %}c{% elif zero %}d{% else %}e{% endif %}",
    "{%- if yes -%}  Y  {%- endif -%}  z", "{% if yes %}\n  Y\n{% endif %}\n", "{%+ if yes +%} Y {%+ endif +%} z",
    "{% if yes and not no %}{% if label > 0 %}in{% endif %}{% endif %}", "x{% if yes%}{%endif%}y",
    "{% if yes or missing %}ok{% endif %}", "{% if no and missing %}ok{% else %}no{% endif %}", "{% if none %}a{% else %}b{% endif %}",
    "{% if 'a' in text and 'zz' not in text %}yes{% endif %}", "{% if words %}w{% endif %}{% if nested %}n{% endif %}",
    "{{ yes }} {{ no }} {{ none }} {{ real }} {{ whole }} {{ tiny }} {{ huge }} {{ neg }}", "{{ true }}{{ True }}{{ false }}{{ none }}{{ None }}",
    "{{ 'a' }}{{ \"b\" }}", "{{ 'a' 'b' \"c\" }}", "{{ 'it\\'s' }}", "{{ '\\n\\t\\\\ \\x41 \\u00e9 \\U0001F600 \\101 \\q' }}", "{{ 'a\nb' }}", "{{ 'a\r\nb' }}",
    "{{ 'a\\\nb' }}", "{{ '}}' }}", "{{ '{{' ~ '%}' }}", "{{ 'é' }}{{ '😀' }}", "{{ '' }}|", "{{ '\\\"' }}", "{{ '\\7\\18' }}",
    "{{ words[0] }} {{ words[-1] }} {{ words[label] }} {{ words[yes] }} {{ words.0 }} {{ nested.list.1.1 }}",
    "{{ nested.a.b }} {{ nested['a']['b'] }} {{ nested['a'].b }} {{ nested.list[1][0] }} {{ nested['1'] }} {{ nested['items'] }}",
    "{{ text[2] }}{{ emoji[1] }}{{ emoji[-1] }}", "{{ emoji[:2] }}|{{ emoji[1:] }}|{{ emoji[-3:-1] }}|{{ emoji[5:2] }}|{{ emoji[:] }}|{{ emoji[100:] }}|{{ emoji[:-100] }}",
    "{{ long[:20] }}", "{{ words[1:]|join('+') }}", "{{ words[none:1]|join }}", "{{ words[:-1]|join(', ') }}", "{{ long[label:label+3] }}",
    "{{ words|join }}|{{ words|join(', ') }}|{{ numbers|join('-') }}|{{ emoji|join('.') }}|{{ nested|join(',') }}|{{ nothing|join('x') }}|{{ [1,true,none,0.5]|join(' ') }}|{{ words|join(d=';') }}|{{ words|join(3) }}",
    "{{ words|length }} {{ text|length }} {{ emoji|length }} {{ nested|length }} {{ ''|length }} {{ [1,2,]|length }} {{ []|length }}",
    "{{ long|truncate(20) }}|{{ long|truncate(20, true) }}|{{ long|truncate(20, True, '') }}|{{ long|truncate(20, True, '', 0) }}|{{ long|truncate(20, false, '…') }}",
    "{{ long|truncate(75) }}|{{ long|truncate(76) }}|{{ long|truncate(74) }}|{{ long|truncate(79, leeway=0) }}|{{ long|truncate(80, leeway=0) }}|{{ long|truncate }}",
    "{{ long|truncate(length=10, end='!') }}|{{ long|truncate(3) }}|{{ long|truncate(0, true, '', 0) }}|{{ long|truncate(9, end='-', killwords=yes) }}|{{ long|truncate(10, leeway=none) }}",
    "{{ emoji|truncate(2, true, '', 0) }}|{{ chinese|truncate(3, false, '', 0) }}|{{ accents|truncate(8, false, '..', 2) }}|{{ blanks|truncate(5, false, '', 0) }}|{{ blanks|truncate(3, false, '', 0) }}|{{ ' abc'|truncate(2, false, '', 0) }}",
    "{{ text|replace('fine', 'poor') }}|{{ text|replace('fine', 'poor', 1) }}|{{ 'aaa'|replace('aa', 'b') }}|{{ emoji|replace('', '-') }}|{{ 'ab'|replace('', '-', 2) }}|{{ ''|replace('', 'x') }}|{{ digits|replace(4, label) }}|{{ label|replace(1, 'one') }}|{{ 'a'|replace(new='b', old='a') }}|{{ 'aa'|replace('a','b',0) }}|{{ 'aa'|replace('a','b',none) }}|{{ blanks|replace('  ', ' ') }}",
    "{{ accents|upper }}|{{ accents|lower }}|{{ accents|capitalize }}|{{ label|upper }}|{{ yes|lower }}|{{ none|upper }}",
    "{{ 'ΑΣ'|lower }}{{ 'Σ'|lower }}{{ 'ΑΣΒ'|lower }}{{ 'ΑΣ.Β'|lower }}{{ 'Α.Σ'|lower }}{{ 'ΑΣ ΑΣ'|lower }}{{ 'ΑΣ\u0301'|lower }}{{ 'İI'|lower }}{{ '1Σ'|lower }}{{ 'ΣΑ'|capitalize }}{{ 'ΑΣ'|capitalize }}{{ 'ʰΣ'|lower }}",
    "{{ spaces|trim }}|{{ 12|trim }}|{{ ''|trim|length }}|{{ '  '|trim|length }}|{{ none|trim }}", "a{{ label }}\u00a0\u2003{{- label -}}\u3000\x1cb",
    "{{ 'a' ~ 1 ~ true ~ none ~ 0.5 }}", "{{ 'a' + 'b' ~ 'c' }}", "{{ 1 + 2 }}{{ 1 + 2 ~ 3 }}" , "{{ 1 + 0.5 }}{{ true + 1 }}{{ (words + ['x'])|join(',') }}",
    "{{ -1 }} {{ -label }} {{ - 3 }} {{ --3 }} {{ -real }} {{ -yes }} {{ (-1)|length if no else 5 }}",
    "{{ 1 == 1.0 }} {{ 1 == true }} {{ 'a' == 'a' }} {{ 'a' != 'b' }} {{ [1,'x'] == [1.0,'x'] }} {{ none == false }} {{ nested == nested }} {{ '1' == 1 }} {{ [] == '' }}",
    "{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 1 < 2 == true }} {{ 'a' < 'b' }} {{ 'a' < 'é' < '😀' }} {{ 1 <= 1.5 }} {{ 2 >= 3 }} {{ 'ab' > 'a' }} {{ true < 2 }} {{ 'Z' < 'a' }}",
    "{{ 'fine' in text }} {{ 'x' in words }} {{ 1 in numbers }} {{ 'a' in nested }} {{ '' in '' }} {{ 1.0 in numbers }} {{ 4 not in numbers }} {{ none in [none] }} {{ 3 in nested }}",
    "{{ 'x' if yes else 'y' }} {{ 'x' if no else 'y' }} {{ 'a' if no else 'b' if no else 'c' }} {{ ('a' if yes) }} {{ 'a' if yes else missing }}",
    "{{ empty or 'else' }} {{ 'a' and 'b' }} {{ none or zero or 'z' }} {{ not empty }} {{ not not yes }} {{ yes and no or 'k' }} {{ zero and missing }} {{ not label == 2 }}",
    "{{ (label) }} {{ ((words))[1] }} {{ (1 + 1) ~ 'x' }} {{ [words, numbers][1][0] }} {{ ['no', 'yes'][label] }}",
    "{{ label|string }}", "{{ été }}", "{{ x }}", "{{ missing }}", "{{ nested.zzz }}", "{{ words[9] }}", "{{ words['a'] }}", "{{ label[0] }}", "{{ label.x }}",
    "{{ 'a' + 1 }}", "{{ 1 + 'a' }}", "{{ none + 1 }}", "{{ [] + 'a' }}", "{{ 'a' < 1 }}", "{{ none < 1 }}", "{{ 1 in 'a' }}", "{{ 1 in 2 }}", "{{ 'a' if no }}", "{{ label|length }}", "{{ label|join }}",
    "{{ long|truncate(2) }}", "{{ label|truncate(5) }}", "{{ 'a'|replace('a') }}", "{{ 'a'|nofilter }}", "{{ label|truncate(5)", "{{", "{{ }}", "{% %}", "{% if %}x{% endif %}",
    "{% if yes %}", "{% endif %}", "{% else %}", "{% if yes %}{% else %}{% else %}{% endif %}", "{% if yes %}{% else %}{% elif no %}{% endif %}", "{# never", "{{ 'a }}", "{{ label label }}", "{{ (label }}", "{{ label) }}",
    "{{ [1, 2 }}", "{{ words|trim[0] }}", "{{ 1 | }}", "{{ | trim }}", "{{ a.b. }}", "{{ label == }}", "{{ not }}", "{{ 'a' if }}", "{% if yes %}a{% endfor %}", "{{ '\\x4' }}", "{{ '\\u12' }}", "{{ 'a'|replace('a','b','c','d') }}",
    "{{ 'a'|replace(old='a', 'b') }}", "{{ 'a'|replace('a', old='b') }}", "{{ 'a'|truncate(5, bogus=1) }}", "{% if 'a' if yes else 'b' %}x{% endif %}", "{{ 1 +% 2 }}", "{{ ! }}", "{{ label; }}", "{{ 007 }}",
    "{{ label %}", "{% if yes }}x{% endif %}", "{{ 'a' 1 }}", "{{ -'a' }}", "{{ nested.list.0 }}{{ nested.list.1.0 }}", "{{ words[:'a'] }}", "{{ label[:1] }}", "{{ nested[:1] }}",
]
UPPER = ["{{ letters|upper }}", "{{ letters|lower }}"]

WORDS = ["''", "'a'", "'Fine Film'", "'ß'", "text", "empty", "digits", "emoji", "words[0]", "long[:9]", "quotes", "'a b c'", "chinese"]
INTS = ["0", "1", "2", "7", "label", "zero", "neg", "numbers[1]", "words|length", "(-1)"]
LISTS = ["words", "numbers", "nothing", "['x', 'y']", "[label, 'a']", "words[1:]", "nested.list[:1]"]


def text(r, d):
    """A random expression that gives a text, d levels deep (now and then of a wrong type on purpose)."""
    if r.random() < 0.02:
        return integer(r, d)
    k = r.randrange(11) if d else 0
    if k == 0: return r.choice(WORDS)
    if k == 1: return f"({text(r, d - 1)} + {text(r, d - 1)})"
    if k == 2: return f"({text(r, d - 1)} ~ {r.choice([text, integer, truth])(r, d - 1)})"
    if k == 3: return f"({text(r, d - 1)})|{r.choice(['trim', 'upper', 'lower', 'capitalize'])}"
    if k == 4: return f"({text(r, d - 1)})|replace({text(r, d - 1)}, {text(r, 0)})"
    if k == 5: return f"({text(r, d - 1)})[{integer(r, 0)}:{integer(r, 0)}]"
    if k == 6: return f"({text(r, d - 1)} if {truth(r, d - 1)} else {text(r, d - 1)})"
    if k == 7: return f"({listed(r, d - 1)})|join({text(r, 0)})"
    if k == 8: return f"({text(r, d - 1)} {r.choice(['and', 'or'])} {text(r, d - 1)})"
    if k == 9: return f"({text(r, d - 1)})|truncate({r.choice(['3', '5', '4, true', '6, false, ``'.replace('``', chr(39) * 2)])}{''})"
    return f"({text(r, d - 1)})[{integer(r, 0)}]"


def integer(r, d):
    k = r.randrange(5) if d else 0
    if k == 0: return r.choice(INTS)
    if k == 1: return f"({integer(r, d - 1)} + {integer(r, d - 1)})"
    if k == 2: return f"({r.choice([text, listed])(r, d - 1)})|length"
    if k == 3: return f"(-{r.choice(INTS)})"
    return f"({integer(r, d - 1)} if {truth(r, d - 1)} else {integer(r, d - 1)})"


def listed(r, d):
    k = r.randrange(4) if d else 0
    if k == 0: return r.choice(LISTS)
    if k == 1: return f"[{text(r, d - 1)}, {integer(r, d - 1)}]"
    if k == 2: return f"({listed(r, d - 1)} + {listed(r, d - 1)})"
    return f"({listed(r, d - 1)})[{integer(r, 0)}:]"


def truth(r, d):
    k = r.randrange(6) if d else 0
    if k == 0: return r.choice(["yes", "no", "none", "label == 1", "'a' in words"])
    if k == 1: return f"({text(r, d - 1)} {r.choice(['==', '!=', '<', '<=', '>', '>=', 'in', 'not in'])} {text(r, d - 1)})"
    if k == 2: return f"({integer(r, d - 1)} {r.choice(['==', '!=', '<', '<=', '>', '>='])} {integer(r, d - 1)})"
    if k == 3: return f"(not {r.choice([text, truth, listed])(r, d - 1)})"
    if k == 4: return f"({truth(r, d - 1)} {r.choice(['and', 'or'])} {truth(r, d - 1)})"
    return f"({r.choice([text, integer])(r, d - 1)} {r.choice(['in', 'not in'])} {listed(r, d - 1)})"


def fields(source, item):
    return {k: v for k, v in item.items() if k in source}


def render(source, item):
    case = {"source": source, "item": fields(source, item)}
    try:
        case["output"] = ENV.from_string(source).render(**case["item"])
    except Exception as e:  # whatever jinja2 or Python raises: plumb must refuse too
        case["error"] = type(e).__name__
    return case


def value(expression, item):
    case = {"source": "{{ " + expression + " }}", "item": fields(expression, item)}
    try:
        case["value"] = ENV.compile_expression(expression, undefined_to_none=False)(**case["item"])
        json.dumps(case["value"])  # an Undefined, also inside a list, is an error in plumb
    except Exception as e:
        case.pop("value", None)
        case["error"] = type(e).__name__
    return case


r = random.Random(20240229)
cases = []
for source in RENDER:
    # A row of several tags with one outside the subset would hide the others: such a tag stands alone.
    cases.append(render(source, ITEM))
for source in UPPER:
    cases.append(render(source, {"letters": LETTERS}))
cases += [render("{{ x|capitalize }}", {"x": c}) for c in "ßŉǅᾳﬁაԵևꭰǆiİ"]
for i in range(600):
    cases.append(value(r.choice([text, text, integer, listed, truth])(r, r.choice([1, 2, 3])), ITEM))
UNSUPPORTED = {"{{ label|string }}"}
cases = [c for c in cases if c["source"] not in UNSUPPORTED]
seen, unique = set(), []
for c in cases:
    key = json.dumps(c, sort_keys=True)
    if key not in seen:
        seen.add(key)
        unique.append(c)
print("[\n" + ",\n".join(json.dumps(c, ensure_ascii=False) for c in unique) + "\n]")
