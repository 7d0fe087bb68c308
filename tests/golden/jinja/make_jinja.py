"""Makes jinja.json: templates rendered by jinja2 as lm-evaluation-harness configures it.

A case is {"source", "item"} and either "output" (rendered text), "value" (of one expression, with its type) or
"error" (jinja2 refuses: so must plumb). Hand-written cases come first, then random expressions of the subset.
"may_refuse": what jinja2 gives and plumb may refuse, with a place, but must not give otherwise.
Run: python make_jinja.py > jinja.json   (jinja2 3.1.6, Python 3.11)
"""
import copy
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
# Statements, arithmetic, methods, tests and filters beyond the first subset.
MORE = [
    "{% for w in words %}{{ w }};{% endfor %}", "{% for w in words %}{{ loop.index }}/{{ loop.length }} {{ w }}{% if not loop.last %}, {% endif %}{% endfor %}",
    "{% for w in words %}{{ loop.index0 }}{{ loop.first }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.depth }}{{ loop.depth0 }}{% endfor %}",
    "{% for a in [[1, 2], [3]] %}{% for x in a %}{{ x }}{{ loop.index }}{% endfor %}{{ loop.index }}/{% endfor %}",
    "{% for k, v in nested.items() %}{{ k }},{% endfor %}", "{% for k in nested %}{{ k }}{% endfor %}", "{% for k in nested.keys() %}{{ k }}{% endfor %}|{{ nested.keys()|join(',') }}",
    "{% for c in emoji %}{{ c }}.{% endfor %}", "{% for x in nothing %}a{% else %}none{% endfor %}", "{% for x in [] %}a{% endfor %}|", "{% for x in words if x != 'bad' %}{{ loop.index }}{{ x }}{% else %}E{% endfor %}",
    "{% for x in words if x == 'zz' %}{{ x }}{% else %}E{% endfor %}", "{% for a, b in [[1, 2], [3, 4]] %}{{ a + b }} {% endfor %}", "{% for (a, b) in [(1, 2)] %}{{ a }}{{ b }}{% endfor %}", "{% for a, in [[1]] %}{{ a }}{% endfor %}",
    "{% for a, b in [[1, 2, 3]] %}{% endfor %}", "{% for a in 5 %}{% endfor %}", "{% for a in none %}{% endfor %}", "{% for a in words %}", "{% endfor %}", "{% for in words %}{% endfor %}", "{% for a words %}{% endfor %}", "{% for a in words %}{% endif %}",
    "{% for i in range(3) %}{{ i }}{% endfor %}", "{% for i in range(5, 1, -2) %}{{ i }} {% endfor %}", "{% for i in range(words|length) %}{{ i }}{{ words[i] }}{% endfor %}", "{{ range(3)|list|join(',') }}{{ range(2, 4)|list|length }}", "{{ range(0)|list|join }}|",
    "{% for w in words -%}  {{ w }}  {%- endfor %}|", "{%- for w in words %}\n{{ w }}\n{%- endfor %}\n", "{% for w in words %}{{ loop.previtem if not loop.first else '-' }}>{{ loop.nextitem if not loop.last }}{% endfor %}",
    "{% for w in words %}{{ loop.cycle('a', 'b') }}{% endfor %}", "{% for w in words %}{{ loop.previtem is defined }}{{ loop.nextitem is defined }}{{ loop.nextitem|default('end') }}{% endfor %}", "{% for w in words %}{{ loop.nextitem }}{% endfor %}",
    "{% for x in [3, 1] %}{% set x = x + 1 %}{{ x }}{% endfor %}", "{% set x = 1 %}{% for i in [1, 2] %}{{ x }}{% set x = x + i %}{{ x }};{% endfor %}{{ x }}", "{% set n = namespace(a=0, b='x') %}{% for i in numbers %}{% set n.a = n.a + i %}{% endfor %}{{ n.a }}{{ n.b }}",
    "{% set n = namespace() %}{% set n.z = label %}{{ n.z }}{{ n.y is defined }}", "{% set n = namespace(found=false) %}{% for w in words %}{% if w == 'good' %}{% set n.found = true %}{% endif %}{% endfor %}{{ n.found }}", "{% set label.x = 1 %}", "{% set n.x = 1 %}",
    "{% set x = 5 %}{{ x }}", "{% set x = text %}{{ x|trim }}", "{% set label = 9 %}{{ label }}", "{% if yes %}{% set x = 2 %}{% endif %}{{ x }}", "{% if no %}{% set x = 2 %}{% endif %}{{ x }}", "{% set a, b = 1, 2 %}{{ a }}{{ b }}", "{% set a, b = words %}{{ a }}", "{% set (a, b) = [1, 2] %}{{ b }}",
    "{% set x %}a{{ label }}b{% endset %}{{ x }}{{ x|length }}", "{% set x %}{% endset %}{{ x }}|", "{% set x %}a", "{% set x = 1", "{% set %}", "{% set 1 = 2 %}", "{% set x = %}", "{% set x = 1, 2 %}{{ x[1] }}", "{% set in = 1 %}", "{% set x = words|map('upper')|list %}{{ x[0] }}",
    "{% raw %}{{ label }}{% if %}{% endraw %}|{{ label }}", "a {%- raw -%} {{ x }} {%- endraw -%} b", "{% raw %}{% endraw %}",
    "{{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % 3 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ 7 / 2 }} {{ 6 / 2 }} {{ 2 ** 10 }} {{ 2 ** -1 }} {{ 2 ** 0.5 }} {{ 7 * 3 }} {{ 7 - 9 }} {{ 1 - 0.5 }} {{ 7.5 // 2 }} {{ -7.5 % 2 }} {{ 7.5 % -2 }} {{ -0.5 // 1 }}",
    "{{ label - 1 }}{{ label-1 }}{{ label -1 }}", "{{ 1 / 0 }}", "{{ 1 % 0 }}", "{{ 1 // 0 }}", "{{ 'ab' * 3 }} {{ 2 * 'x' }} {{ 'x' * -1 }}| {{ ([1, 2] * 2)|join(',') }}", "{{ 'a' - 'b' }}", "{{ none * 2 }}", "{{ 2 ** 3 ** 2 }}", "{{ -2 ** 2 }} {{ (-2) ** 2 }} {{ 2 * 3 + 4 }} {{ 2 + 3 * 4 }} {{ (2 + 3) * 4 }} {{ 10 - 3 - 2 }} {{ 2 * 3 ~ 4 }} {{ 100 // 7 % 4 }}",
    "{{ +label }} {{ +real }} {{ -+3 }}", "{{ +text }}", "{{ yes + yes }} {{ yes * 3 }} {{ true - 1 }}", "{{ 1e3 }} {{ 1_000 }} {{ 1.5e-3 }} {{ 0.0 }} {{ 00 }} {{ 1_0.5 }}", "{{ 2 ** 62 }}", "{{ huge * 10 }}", "{{ 0.1 + 0.2 }} {{ 3 * 0.1 }}",
    "{{ '%s-%d' % ('a', 7) }} {{ '%s' % label }} {{ '%5.2f|%-6s|%06d|%+d' % (real, 'ab', neg, 3) }} {{ '%%' % () }} {{ '%x' % 255 }} {{ '%s' % none }} {{ '%r' % 'a' }} {{ '%e' % real }} {{ '%g' % huge }} {{ '%s' % [1, 'a'] }}", "{{ '%d' % 'a' }}", "{{ '%s %s' % 'a' }}", "{{ '%s' % (1, 2) }}", "{{ '%.2s' % 'abc' }} {{ '%4s|' % 'é' }} {{ '%d' % 3.7 }}",
    "{{ '%s-%d'|format('a', 7) }} {{ 'x'|format }} {{ '%s'|format(words) }}", "{{ '{} {}'.format(label, 'b') }} {{ '{1}{0}'.format('a', 'b') }} {{ '{{}}'.format() }} {{ '{:.2f}'.format(real) }} {{ '{:>5}|{:<5}|{:^5}|{:05d}|{:+d}'.format('a', 'b', 'c', neg, 3) }} {{ '{}'.format(none) }} {{ '{}'.format(yes) }} {{ '{:5}|{:5}|'.format(1, 'a') }}", "{{ '{} {1}'.format(1, 2) }}", "{{ '{}'.format() }}", "{{ '{'.format() }}", "{{ '{:d}'.format('a') }}",
    "{{ text.strip() }}|{{ text.lstrip() }}|{{ text.rstrip() }}|{{ 'xxaxx'.strip('x') }}|{{ 'xyaxy'.rstrip('yx') }}|{{ 'aab'.lstrip('a') }}|{{ spaces.strip() }}", "{{ label.strip() }}", "{{ missing.strip() }}", "{{ 'a'.nomethod() }}",
    "{{ blanks.split()|join(',') }}|{{ blanks.split(' ')|join(',') }}|{{ blanks.split(' ', 1)|join(',') }}|{{ blanks.split(none, 1)|join(',') }}|{{ ''.split()|length }}|{{ ''.split(' ')|length }}|{{ 'a,b,,c'.split(',')|length }}|{{ 'a,b,c'.rsplit(',', 1)|join('|') }}|{{ 'a b'.split(sep=' ')[1] }}|{{ 'a b c'.split(maxsplit=1)[1] }}|{{ 'a--b'.split('--')[-1] }}|{{ 'abc'.split('x')[0] }}", "{{ 'a'.split('') }}",
    "{{ 'a\nb\r\nc\u2028d\n'.splitlines()|join('|') }}", "{{ text.replace('fine', 'bad') }}|{{ text.replace('fine', 'bad', 1) }}|{{ 'aa'.replace('a', 'b', -1) }}|{{ 'ab'.replace('', '-') }}", "{{ accents.lower() }}{{ accents.upper() }}{{ accents.title() }}{{ accents.capitalize() }}", "{{ 'it\'s a they\'re ΑΣ ΑΣ x1y ǆa'.title() }}",
    "{{ words.index('good') }}{{ numbers.index(2.0) }}", "{{ words.index('zz') }}", "{{ text.index('fine') }} {{ text.find('fine') }} {{ text.find('zz') }} {{ text.rfind('fine') }} {{ emoji.find('b') }} {{ text.rindex('f') }} {{ text.find('fine', 6) }} {{ text.find('fine', 6, 8) }} {{ text.find('') }} {{ text.rfind('') }}", "{{ text.index('zz') }}", "{{ words.count('good') }} {{ text.count('fine') }} {{ 'aaa'.count('aa') }} {{ 'abc'.count('') }}",
    "{{ text.startswith('  A') }} {{ text.endswith('\n') }} {{ text.startswith(('x', '  ')) }} {{ text.endswith(()) }} {{ 'abc'.startswith('b', 1) }}", "{{ text.startswith(1) }}", "{{ 'a-b'.removeprefix('a-') }}{{ 'a-b'.removesuffix('-b') }}{{ 'a'.removeprefix('b') }}", "{{ ', '.join(words) }}|{{ ''.join([]) }}|{{ '-'.join('abc') }}", "{{ ','.join(numbers) }}", "{{ digits.isdigit() }}{{ text.isdigit() }}{{ ''.isdigit() }}{{ 'abcé'.isalpha() }}{{ 'a b'.isalpha() }}",
    "{{ nested.get('1') }} {{ nested.get('zz') }} {{ nested.get('zz', 'else') }}", "{% for v in {'a': 1, 'b': 2}.values() %}{{ v }}{% endfor %}", "{{ {'a': 1}.a }}{{ {'a': 1}['a'] }}{{ {'a': {'b': 2}}.a.b }}{{ {}|length }}{{ 'a' in {'a': 1} }}", "{{ dict(a=1, b='x').b }}", "{{ (1, 2)[0] }}{{ (1, 2)|length }}{{ (1,)|length }}{{ ()|length }}{{ (1, 2) == (1, 2) }}{{ (1, 2) == [1, 2] }}{{ 1 in (1, 2) }}{{ ((1, 2) + (3,))|join(',') }}{{ (1, 2) < (1, 3) }}{{ [1, 2] < [1] }}",
    "{{ long[::2] }}|{{ long[::-1] }}|{{ words[::-1]|join(',') }}|{{ long[10:2:-3] }}|{{ emoji[::-1] }}|{{ long[1:100:7] }}|{{ words[5::-1]|join }}|{{ words[:1:-1]|join }}", "{{ long[::0] }}",
    "{{ none is none }}{{ label is none }}{{ label is defined }}{{ missing is defined }}{{ missing is undefined }}{{ nested.zz is defined }}{{ nested.a is defined }}{{ words[9] is defined }}{{ label is not none }}{{ missing is not defined }}", "{{ missing.x is defined }}", "{{ text is string }}{{ label is string }}{{ label is number }}{{ yes is number }}{{ real is number }}{{ label is integer }}{{ yes is integer }}{{ real is float }}{{ yes is boolean }}{{ nested is mapping }}{{ words is sequence }}{{ text is sequence }}{{ label is iterable }}{{ words is iterable }}{{ yes is true }}{{ label is true }}{{ no is false }}",
    "{{ 3 is odd }}{{ 4 is even }}{{ 9 is divisibleby(3) }}{{ 9 is divisibleby 2 }}{{ 1 is eq 1 }}{{ 1 is ne(2) }}{{ 1 is lt 2 }}{{ 3 is gt(2) }}{{ 'a' is in words }}{{ 'bad' is in(words) }}{{ 1 is equalto 1.0 }}{{ not 3 is odd }}{{ 3 is odd and 4 is even }}{{ -3 is odd }}", "{{ 1 is nosuch }}", "{{ 1 is eq }}", "{{ 1 is odd(2) }}", "{{ 'a' is odd }}", "{{ (1 if 3 is odd else 2) }}",
    "{{ missing|default('D') }}|{{ text|default('D')|trim }}|{{ empty|default('D') }}|{{ empty|default('D', true) }}|{{ none|default('D') }}|{{ none|default('D', true) }}|{{ missing|default }}|{{ missing|d(1) + 1 }}|{{ nested.zz|default('E') }}|{{ words[7]|default('F') }}|{{ missing|default(default_value='G') }}|{{ ('a' if no)|default('H') }}", "{{ missing.x|default('D') }}", "{{ missing|trim|default('D') }}",
    "{{ text|title }}|{{ 'fOO bar-baz (qux [x{y <z'|title }}|{{ 'a\'b ß-ß'|title }}|{{ accents|title }}|{{ label|title }}", "{{ digits|int + 1 }} {{ 'x'|int }} {{ 'x'|int(-1) }} {{ '3.9'|int }} {{ 3.9|int }} {{ -3.9|int }} {{ ' 12 '|int }} {{ '1_0'|int }} {{ yes|int }} {{ none|int }} {{ ''|int }} {{ '1e2'|int }} {{ '+5'|int }} {{ '--5'|int }} {{ words|int(7) }}", "{{ '3.5'|float }} {{ 'x'|float }} {{ 3|float }} {{ '1e3'|float }} {{ none|float(2.5) }} {{ '.5'|float }} {{ '5.'|float }}",
    "{{ words|first }}{{ words|last }}{{ text|first }}{{ digits|last }}{{ nested|first }}", "{{ nothing|first }}", "{{ nothing|last }}", "{{ words|reverse|join(',') }}|{{ emoji|reverse }}|{{ words|reverse|list|length }}|{{ digits|list|join('.') }}|{{ words|list|join }}|{{ nested|list|join(',') }}", "{{ label|list }}", "{{ words|reverse|length }}", "{{ words|map('upper')|join(',') }}|{{ words|map('length')|join(',') }}|{{ words|map('replace', 'o', '0')|join(',') }}|{{ [{'a': 1}, {'a': 2}]|map(attribute='a')|join(',') }}|{{ [{'a': {'b': 1}}]|map(attribute='a.b')|list|join }}|{{ [[1, 2], [3, 4]]|map(attribute=1)|join(',') }}|{{ [{'a': 1}, {}]|map(attribute='a', default='-')|join(',') }}|{{ [['x']]|map(attribute='0')|join }}|{{ words|map('trim')|map('upper')|first }}",
    "{{ words|map('nofilter')|list }}", "{{ words|map(attribute='a')|list }}", "{{ words|map|list }}", "{{ words|select('equalto', 'bad')|join(',') }}|{{ numbers|select('odd')|join(',') }}|{{ numbers|reject('odd')|join(',') }}|{{ [0, 1, '', 'a']|select|join(',') }}|{{ [0, 1]|reject|join(',') }}|{{ [{'a': 1, 'b': 'x'}, {'a': 0, 'b': 'y'}]|selectattr('a')|map(attribute='b')|join }}|{{ [{'a': 1}, {'a': 2}]|selectattr('a', 'gt', 1)|list|length }}|{{ [{'a': 1}, {'a': 2}]|rejectattr('a', 'eq', 1)|map(attribute='a')|join }}",
    "{{ numbers|sort|join(',') }}|{{ numbers|sort(reverse=true)|join(',') }}|{{ ['b', 'A', 'c']|sort|join }}|{{ ['b', 'A', 'c']|sort(case_sensitive=true)|join }}|{{ [{'k': 2, 'v': 'x'}, {'k': 1, 'v': 'y'}]|sort(attribute='k')|map(attribute='v')|join }}|{{ ['b', 'B', 'a']|unique|join }}|{{ [1, 2, 1.0]|unique|join }}|{{ numbers|min }}{{ numbers|max }}{{ ['b', 'A']|min }}{{ ['a', 'A']|max }}{{ ['B', 'a']|min(case_sensitive=true) }}", "{{ [1, 'a']|sort }}", "{{ nothing|min }}", "{{ numbers|sum }}{{ [{'a': 2}, {'a': 3}]|sum(attribute='a') }}{{ [0.5, 1]|sum }}{{ nothing|sum }}{{ numbers|sum(start=10) }}", "{{ words|sum }}",
    "{{ real|round }} {{ 2.5|round }} {{ 3.5|round }} {{ 2.675|round(2) }} {{ 7|round }} {{ 2.1|round(0, 'ceil') }} {{ 2.19|round(1, 'floor') }} {{ 7|round(1, 'floor') }} {{ -2.5|round }}", "{{ 'a'|round }}", "{{ neg|abs }}{{ -0.5|abs }}{{ label|abs }}", "{{ label|string ~ 1 }}|{{ words|string }}|{{ nested|string }}|{{ [1, 2.5, none, true, 'q\"u\'o', 'a\nb', 'é\u00a0\u200b', '\x1f']|string }}|{{ (1, 'a')|string }}{{ (1,)|string }}{{ ()|string }}{{ {}|string }}|{{ text|string }}|{{ quotes|string }}|{{ [quotes]|string }}|{{ none|string }}",
    "{{ long|wordcount }}{{ ''|wordcount }}{{ 'a_b c-d é 1'|wordcount }}", "{{ 'a\nb\n\nc'|indent }}|{{ 'a\nb'|indent(2) }}|{{ 'a\nb'|indent(2, true) }}|{{ 'a\n\nb'|indent(blank=true) }}|{{ 'a\nb'|indent('> ') }}|{{ 'a\nb\n'|indent }}|{{ ''|indent }}", "{{ words|tojson }}|{{ nested|tojson }}|{{ [1, 2.5, none, true, 'é😀<>&\'\"\n\x1f']|tojson }}|{{ {'b': 1, 'a': (1, 2)}|tojson }}|{{ text|tojson }}|{{ {}|tojson }}{{ []|tojson }}", "{{ nested.list|items }}", "{% for k, v in {'a': 1}|items %}{{ k }}{{ v }}{% endfor %}", "{{ 'xxa'|trim('x') }}", "{{ words|count }}",
    "{{ words|join(attribute='a') }}", "{{ [{'a': 1}, {'a': 2}]|join(',', 'a') }}", "{{ range(3) == range(3) }}", "{{ label.0 is defined }}", "{{ [1, 2] is sameas [1, 2] }}", "{{ words|batch(2)|list }}", "{{ words|dictsort }}", "{{ text|center(40) }}", "{{ text|striptags }}", "{{ text|urlencode }}", "{{ '<'|escape }}", "{{ text.swapcase() }}", "{{ text.encode() }}", "{{ nested.items }}", "{{ words.append(1) }}", "{{ range(1, 2).start }}",
    "{{ words }}", "{{ nested }}", "{{ (1, 2) }}", "{{ 1, 2 }}", "{{ words|reverse }}", "{{ range(3) }}", "{{ words|map('upper') }}", "{{ {1: 2} }}", "{{ '²'.isdigit() }}", "{{ '٣'|int }}", "{{ 99999999999999999999 }}", "{{ 9223372036854775807 + 1 }}", "{{ 2 ** 64 }}", "{{ 0x1F }}", "{{ 0b11 }}", "{{ loop }}", "{{ loop.index }}", "{% for x in words recursive %}{{ loop(x) }}{% endfor %}", "{% macro f() %}x{% endmacro %}{{ f() }}", "{% set x | upper %}a{% endset %}{{ x }}", "{% filter upper %}a{% endfilter %}", "{% with a = 1 %}{{ a }}{% endwith %}", "{% macro f(a) %}<{{ a }}{{ caller(a) }}>{% endmacro %}{% call(b) f(label) %}{{ b }}{{ text|trim }}{% endcall %}", "{% macro f() %}{{ caller() }}{% endmacro %}{{ f() }}", "{% for x in words %}{% macro f(a) %}{{ a }}{{ x }}{% endmacro %}{{ f(loop.index) }}{% endfor %}", "{% for x in nested.list recursive %}{% if x is iterable and x is not string %}({{ loop(x) }}){% else %}{{ x }}{{ loop.depth }}{% endif %}{% endfor %}", "{% for x in numbers %}{{ loop.changed(x > 1) }}{% endfor %}", "{% filter length %}a{% endfilter %}", "{% with a = missing %}{% endwith %}", "{% include 'a' %}", "{% import 'a' as b %}",
    "{% set template = text[:3] %}{% set index = label + 1 %}{{ [template + 'x', template ~ index]|join('/') }}", "{{ 'ABCD'[digits|int - 42] if digits|string in '1234' else digits }}", "{% for i in range(words|length-1) %}Q: {{ words[i] }}\nA: {{ numbers[i] }}\n{% endfor %}Q: {{ words[-1] }}", "{{ 'x' if missing is defined else 'y' }}", "{{ ['A', 'B', 'C'].index('C') }}{{ [false, true].index(yes) }}{{ [1, 0].index(label) }}", "{% set l = 'ABC' %}{% for w in words %}{{ l[loop.index0] }}. {{ w }}\n{% endfor %}", "{{ nested.list.index(1) }}", "{{ words|map('capitalize')|join(' ') if words is iterable else words }}",
]
# What jinja2 gives and plumb refuses, or may: unusual, of more than 64 bits, or a list printed as Python writes it.
MAY_REFUSE = [
    "range(3) == range(3)", "label.0", "sameas", "batch", "dictsort", "center", "striptags", "urlencode", "escape", "swapcase", "encode()", "nested.items }}", "append", ".start", "{{ words }}", "{{ nested }}", "{{ (1, 2) }}", "{{ 1, 2 }}", "{{ words|reverse }}", "{{ range(3) }}", "{{ words|map('upper') }}", "{1: 2}", "²", "٣", "99999999999999999999", "9223372036854775807", "2 ** 64", "0x1F", "0b11", "recursive",
    "set in", "with a = missing", "huge * 10", "nested.list|items", "default_value", "|list }}", "|sort }}",
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


def statement(r, d):
    """A template with loops and names that are set."""
    k = r.randrange(8) if d else 0
    if k == 0: return "{{ " + r.choice([text, integer, truth])(r, 1) + " }}"
    if k == 1: return "{% for x in " + listed(r, 1) + " %}" + statement(r, d - 1) + "{{ x }}{{ loop.index0 }}{% endfor %}"
    if k == 2: return "{% set y = " + r.choice([text, integer])(r, 2) + " %}" + statement(r, d - 1) + "{{ y }}"
    if k == 3: return "{% if " + truth(r, 2) + " %}" + statement(r, d - 1) + "{% else %}" + statement(r, d - 1) + "{% endif %}"
    if k == 4: return "{% for y in " + text(r, 1) + " if y " + r.choice(["!=", "<", ">"]) + " " + text(r, 0) + " %}{{ loop.length }}{{ y }}" + statement(r, d - 1) + "{% else %}E{% endfor %}"
    if k == 5: return statement(r, d - 1) + r.choice([" ", "\n", "{#- c -#}", ""]) + statement(r, d - 1)
    if k == 6: return "{% set n = namespace(k=" + integer(r, 0) + ") %}{% for x in " + listed(r, 0) + " %}{% set n.k = n.k + loop.index %}{% endfor %}{{ n.k }}" + statement(r, d - 1)
    return "{% set x %}" + statement(r, d - 1) + "{% endset %}{{ x|length }}{{ x[" + integer(r, 0) + ":] }}"


def wider_text(r, d):
    k = r.randrange(9)
    if k == 0: return f"({text(r, d)}).{r.choice(['strip', 'lstrip', 'rstrip', 'lower', 'upper', 'title', 'capitalize'])}()"
    if k == 1: return f"({text(r, d)}).split({r.choice(['', text(r, 0)])})|join('/')"
    if k == 2: return f"({text(r, d)}).replace({text(r, 0)}, {text(r, 0)})"
    if k == 3: return f"({text(r, d)})[{integer(r, 0)}:{integer(r, 0)}:{r.choice(['2', '-1', '-2', '1'])}]"
    if k == 4: return f"({text(r, d)})|{r.choice(['title', 'reverse', 'first', 'last', 'string', 'default(1)'])}"
    if k == 5: return f"({text(r, d)}) * {integer(r, 0)}"
    if k == 6: return f"'%s|%s' % ({text(r, d)}, {integer(r, d)})"
    if k == 7: return f"({listed(r, d)})|map('string')|map('{r.choice(['upper', 'length', 'first', 'title'])}')|join(',')"
    return f"'{{}}{{}}'.format({text(r, d)}, {integer(r, d)})"


def wider_integer(r, d):
    k = r.randrange(6)
    if k == 0: return f"({integer(r, d)}) {r.choice(['-', '*', '//', '%'])} ({integer(r, d)})"
    if k == 1: return f"({text(r, d)}).{r.choice(['find', 'rfind', 'count', 'index'])}({text(r, 0)})"
    if k == 2: return f"({text(r, d)})|int({integer(r, 0)})"
    if k == 3: return f"({listed(r, d)}).{r.choice(['index', 'count'])}({r.choice([text, integer])(r, 0)})"
    if k == 4: return f"({integer(r, d)}) / ({integer(r, d)})"
    return f"[{integer(r, d)}, {integer(r, d)}]|{r.choice(['min', 'max', 'sum', 'first', 'last'])}"


def wider_truth(r, d):
    k = r.randrange(4)
    if k == 0: return f"({text(r, d)}).{r.choice(['startswith', 'endswith'])}({text(r, 0)})"
    if k == 1: return f"({integer(r, d)}) is {r.choice(['odd', 'even', 'not odd', 'divisibleby 3', 'eq 1', 'none', 'string', 'in numbers'])}"
    if k == 2: return f"{r.choice(['missing', 'label', 'nested.a', 'nested.zz', 'words[5]'])} is {r.choice(['defined', 'undefined', 'not defined'])}"
    return f"({text(r, d)}).isdigit()"


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
        case["output"] = ENV.from_string(source).render(**copy.deepcopy(case["item"]))
    except Exception as e:  # whatever jinja2 or Python raises: plumb must refuse too
        case["error"] = type(e).__name__
    return case


def value(expression, item):
    case = {"source": "{{ " + expression + " }}", "item": fields(expression, item)}
    try:
        case["value"] = ENV.compile_expression(expression, undefined_to_none=False)(**copy.deepcopy(case["item"]))
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
for source in MORE:
    cases.append(render(source, ITEM))
    if any(part in source for part in MAY_REFUSE):
        cases[-1]["may_refuse"] = True
for i in range(700):
    cases.append(value(r.choice([wider_text, wider_text, wider_integer, wider_truth])(r, r.choice([0, 1, 2])), ITEM))
for i in range(500):
    cases.append(render(statement(r, r.choice([1, 2, 3])), ITEM))
seen, unique = set(), []
for c in cases:
    key = json.dumps(c, sort_keys=True)
    if key not in seen:
        seen.add(key)
        unique.append(c)
print("[\n" + ",\n".join(json.dumps(c, ensure_ascii=False) for c in unique) + "\n]")
