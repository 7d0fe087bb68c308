"""Makes cases.json: expressions of the kinds that task files hold and that readers of plumb tried, rendered by jinja2 as
lm-evaluation-harness configures it (its own filter regex_replace included).

A case is as in jinja.json. "may_refuse": plumb may refuse it, with its place, and must give nothing else.
Run: python make_cases.py > cases.json   (jinja2 3.1.6, Python 3.11)
"""
import json
import re

import jinja2

ENV = jinja2.Environment(loader=jinja2.BaseLoader(), undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
ENV.filters["regex_replace"] = lambda text, pattern, repl, count=0: re.sub(pattern, repl, text, count=count)

ITEM = {
    "s": "  Good  Morning ", "t": "uvw xyz", "e": "", "i": 9, "neg": -4, "f": 0.3, "f3": 5.0, "b": True, "n": None,
    "l": ["p", "q", "r"], "ln": [1, 2.5, None, True, "a\"b'c"], "d": {"k": "v", "m": [1, 2]}, "u": "naïve 日本 ß",
    "nl": "a\nb", "big": 12345678901234567, "choices": {"text": ["a", "b"], "label": ["A", "B"]}, "label": 1,
    "html": "<i>&lt;</i>", "nest": [[1, 2], [3]], "num": "12", "sentence": "Ann saw _ run", "answerKey": "B",
    "options": ["x) one", "y) two"], "doc": {"questions": [{"q": "who?", "a": ["me", "you"]}]},
}
SAME = """{{t|title}}~{{l[1:]|join}}~{{t[::2]}}~{{t[::-1]}}~{{i*2}}~{{i/2}}~{{i//2}}~{{i%2}}~{{i-1}}~{{i**2}}~{{'%s-%d'|format(t,i)}}
{{ n is none }}~{{ n is defined }}~{{ zzz is defined }}~{{ zzz|default('D') }}~{{ e|default('D') }}~{{ e|default('D', true) }}
{% for x in l %}{{x}};{% endfor %}~{% for x in l %}{{loop.index}}.{{x}}{% if not loop.last %}, {% endif %}{% endfor %}
{% for x in l %}{{loop.index0}}{{loop.first}}{{loop.length}}{% endfor %}~{% for k,v in d.items() %}{{k}}{% endfor %}
{% for a in nest %}{% for x in a %}{{x}}{% endfor %}/{% endfor %}~{% set z = t %}{{z}}~{% raw %}{{t}}{% endraw %}~{{ l|first }}~{{ l|last }}
{{ choices.text|map('upper')|join }}~{{ l|tojson }}~{{ d|tojson }}~{{ s.strip() }}~{{ t.split(' ')[0] }}~{{ t.upper() }}~{{ l.index('q') }}
{{ t|int }}~{{ num|int + 1 }}~{{ f|round(1) }}~{{ i|string }}~{{ t|wordcount }}~{{ 1e3 }}~{{ 1_000 }}~{{ f3|int }}~{{ +i }}~{{ neg|abs }}
{{ [1,2,3]|sum }}~{{ [3,1]|max }}~{{ t is string }}~{{ i is number }}~{{ l is iterable }}~{{ i is odd }}~no braces~line\\nliteral
{ {t} }~a % b # c~{{sentence.split('_')[0] + 'Bob'}}~{{sentence[sentence.index('_')+1:].strip()}}~{{choices.label.index(answerKey)}}
{{['A','B'].index(answerKey.lstrip())}}~{% if b %}{{t}}{% else %}{{e}}{% endif %}~{{t.split(' ')[:-1]|join(' ')}}~{{' '+t.split(' ')[-1]}}
{{doc.questions[0].q}} {{doc.questions[0].a[-1]}}~{% for o in options %}{{ 'ABCD'[loop.index0] }}. {{ o }}; {% endfor %}Answer:
{{u|upper}}~{{u|length}}~{{s|trim}}~{{s.replace('  ', ' ')}}~{{big}}~{{b}}~{{label + 1}}~{{nl}}~{{t.startswith('uv')}}~{{'{}-{}'.format(t, i)}}
{{ l|reverse|list|join(',') }}~{{ l|sort|join }}~{{ range(3)|list|join }}~{{ l|unique|list|join }}~{{ l|select('equalto','q')|list|join }}"""
REFUSED = ["{{l}}", "{{ln}}", "{{d}}", "{{l[1:]}}", "{{ l|reverse|list }}", "{{ l|sort }}", "{{ l|map('upper')|list }}", "{{ html|escape }}", "{{ t|list }}",
           "{{ [i, t] }}", "{{ (1,2) }}", "{{ {'a':1} }}", "{{ t|indent }}", "{{ t|regex_replace('u','Z') }}", "{{ range(3)|list }}", "{{ [l[0]]|random }}"]


def case(source):
    out = {"source": source, "item": {k: v for k, v in ITEM.items() if k in source}}
    out["output"] = ENV.from_string(source).render(**out["item"])
    return out


cases = [case(s) for line in SAME.split("\n") for s in line.split("~")] + [{**case(s), "may_refuse": True} for s in REFUSED]
print("[\n" + ",\n".join(json.dumps(c, ensure_ascii=False) for c in cases) + "\n]")
