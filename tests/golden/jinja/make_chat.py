"""Makes chat.json: chat templates rendered as transformers' apply_chat_template renders them.

A case is {"template", "source", "names"} and either "output" or "error" (jinja2 fails: so must plumb; "refused" where
the template itself raised). "may_refuse": what plumb may refuse with its place, but must not give otherwise. The templates are written for this file, with the constructs that published ones use (those
may not be shipped); behind them stand small cases, and random ones of trimmed blocks.
Run: python make_chat.py > chat.json                      (transformers 5.24.0, jinja2 3.1.6, Python 3.11)
     python make_chat.py FILE.jinja FOLDER ... > cases    real templates (of a folder: its tokenizer_config.json or
                                                          chat_template.jinja), for PLUMB_CHAT_CASES of tests/jinja/test_chat.c
"""
import datetime
import json
import os
import random
import sys

import jinja2
import transformers.utils.chat_template_utils as utils


class Today(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2024, 7, 26)


utils.datetime = Today


def user(text):
    return {"role": "user", "content": text}


def answer(text):
    return {"role": "assistant", "content": text}


def system(text):
    return {"role": "system", "content": text}


CHATS = [
    [user("Hi")], [system("Be brief."), user(" A  fine film.\n ")], [user("q1\n"), answer("a1 "), user("q2")],
    [system("Sys\n"), user("q1"), answer(" a1"), user("q2"), answer("<think>\nwell\n</think>\n\na2"), user("é😀 <tag> 'q' \"r\" & {{ x }}")],
    [user("q"), user("q2")], [answer("x"), user("y")], [user("")], [system("only")], [user("q"), answer("")],
]
TOOLS = [{"type": "function", "function": {"name": "add", "description": "Adds <a> & 'b'", "parameters": {
    "type": "object", "properties": {"b": {"type": "integer"}, "a": {"type": "number", "enum": [1, 2.5, True, None]}}, "required": []}}}]

TEMPLATES = {
    # ChatML, with a system turn of its own where the chat begins with none.
    "chatml": """{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system
You are a model.<|im_end|>
' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant
' }}{% endif %}""",
    # Headers, a day, a system text cut out by a slice, trimmed contents.
    "headers": """{{- bos_token }}
{%- if custom_tools is defined %}
    {%- set tools = custom_tools %}
{%- endif %}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now("%d %b %Y") %}
    {%- else %}
        {%- set date_string = "01 Jan 2000" %}
    {%- endif %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}

{#- The system text may stand first. #}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|head|>system<|/head|>\n\n" }}
{%- if tools is not none %}
    {{- "Tools: " }}
    {%- for t in tools %}
        {{- t | tojson(indent=4) }}
        {{- "\n\n" }}
    {%- endfor %}
{%- endif %}
{{- "Today: " + date_string + "\n\n" }}
{{- system_message }}
{{- "<|eot|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|head|>' + message['role'] + '<|/head|>\n\n'+ message['content'] | trim + '<|eot|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if message.tool_calls|length != 1 %}
            {{- raise_exception("One call at a time!") }}
        {%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|head|>assistant<|/head|>\n\n' }}
{%- endif %}
""",
    # No system turn, and turns that must alternate.
    "alternate": """{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('No system role here') }}{% endif %}
{% for message in messages %}
{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Roles must alternate user/assistant/...') }}{% endif %}
{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}{{ '<turn>' + role + '
' + message['content'] | trim + '</turn>
' }}{% endfor %}{% if add_generation_prompt %}{{'<turn>model
'}}{% endif %}""",
    # The system text goes into the first user turn; contents may be lists of parts.
    "prefix": """{{ bos_token }}
{%- if messages[0]['role'] == 'system' -%}
    {%- if messages[0]['content'] is string -%}
        {%- set first_user_prefix = messages[0]['content'] + '\n\n' -%}
    {%- else -%}
        {%- set first_user_prefix = messages[0]['content'][0]['text'] + '\n\n' -%}
    {%- endif -%}
    {%- set loop_messages = messages[1:] -%}
{%- else -%}
    {%- set first_user_prefix = "" -%}
    {%- set loop_messages = messages -%}
{%- endif -%}
{%- for message in loop_messages -%}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
        {{ raise_exception("Conversation roles must alternate") }}
    {%- endif -%}
    {{ '<turn>' + ('model' if message['role'] == 'assistant' else message['role']) + '\n' + (first_user_prefix if loop.first else "") }}
    {%- if message['content'] is string -%}
        {{ message['content'] | trim }}
    {%- elif message['content'] is iterable -%}
        {%- for item in message['content'] -%}
            {%- if item['type'] == 'image' -%}
                {{ '<image>' }}
            {%- elif item['type'] == 'text' -%}
                {{ item['text'] | trim }}
            {%- endif -%}
        {%- endfor -%}
    {%- else -%}
        {{ raise_exception("Invalid content type") }}
    {%- endif -%}
    {{ '</turn>\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{'<turn>model\n'}}
{%- endif -%}
""",
    # A namespace, a loop backwards, thoughts cut off.
    "thoughts": """{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- if messages[0].role == 'system' %}
        {{- messages[0].content + '\\n\\n' }}
    {%- endif %}
    {{- "<tools>" }}
    {%- for tool in tools %}
        {{- "\\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- "\\n</tools>\\nas {\\"name\\": <name>}<|im_end|>\\n" }}
{%- else %}
    {%- if messages[0].role == 'system' %}
        {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
    {%- endif %}
{%- endif %}
{%- set ns = namespace(multi_step=true, last=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step and message.role == "user" and message.content is string and not(message.content.startswith('<r>') and message.content.endswith('</r>')) %}
        {%- set ns.multi_step = false %}
        {%- set ns.last = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.content is string %}
        {%- set content = message.content %}
    {%- else %}
        {%- set content = '' %}
    {%- endif %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {%- set reasoning = '' %}
        {%- if message.reasoning_content is string %}
            {%- set reasoning = message.reasoning_content %}
        {%- else %}
            {%- if '</think>' in content %}
                {%- set reasoning = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
                {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
            {%- endif %}
        {%- endif %}
        {%- if loop.index0 > ns.last %}
            {%- if loop.last or (not loop.last and reasoning) %}
                {{- '<|im_start|>' + message.role + '\\n<think>\\n' + reasoning.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}
            {%- else %}
                {{- '<|im_start|>' + message.role + '\\n' + content }}
            {%- endif %}
        {%- else %}
            {{- '<|im_start|>' + message.role + '\\n' + content }}
        {%- endif %}
        {%- if message.tool_calls %}
            {%- for tool_call in message.tool_calls %}
                {%- if (loop.first and content) or (not loop.first) %}{{- '\\n' }}{%- endif %}
                {%- if tool_call.function %}{%- set tool_call = tool_call.function %}{%- endif %}
                {{- '<call>' ~ tool_call.name ~ ' ' }}
                {%- if tool_call.arguments is string %}{{- tool_call.arguments }}{%- else %}{{- tool_call.arguments | tojson }}{%- endif %}
                {{- '</call>' }}
            {%- endfor %}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}""",
    # Macros that call one another, defaults, set blocks, generation.
    "macros": """{% macro turn(role, content, end=eos_token) %}
<{{ role }}>{{ content }}{{ end }}
{% endmacro %}
{%- macro listed(things, sep=", ") -%}
{%- for t in things -%}{{ t }}{{ sep if not loop.last else "" }}{%- endfor -%}
{%- endmacro -%}
{% macro count(n) %}{{ n }}{% if n > 0 %}{{ count(n - 1) }}{% endif %}{% endmacro %}
{%- set default_system -%}
  You are {{ listed(["kind", "brief"]) }}; {{ count(3) }}.
{%- endset -%}
{{ bos_token }}
{%- set system = messages[0].content if messages[0].role == "system" else default_system -%}
{{ turn("system", system) }}
{%- for message in messages if message.role != "system" %}
{% if message.role == "assistant" %}
{% generation %}{{ turn(message.role, content=message.content) }}{% endgeneration %}
{% else %}
{{ turn(message.role, message.content, end="") -}}
{% endif %}
{% endfor %}
{% if add_generation_prompt %}<assistant>{% endif %}
""",
    # break, continue, filters by attribute, loop fields.
    "loops": """{% set roles = messages | map(attribute='role') | unique | list %}{{ roles | join(',') }}
{% for m in messages %}
  {% if m.role == 'system' %}{% continue %}{% endif %}
  {% if loop.index > 4 %}{% break %}{% endif %}
  {{ loop.index }}/{{ loop.length }}/{{ loop.revindex }} {{ m.content | trim | length }} {{ loop.previtem.role }} {{ loop.nextitem.role if not loop.last }}
{% else %}
  nothing
{% endfor %}
{{ messages | selectattr('role', 'equalto', 'user') | list | length }} {{ (messages | rejectattr('role', 'in', ['user', 'system']) | map(attribute='content') | list | last) }}
{{ messages | selectattr('tool_calls', 'defined') | list | length }}{{ messages | selectattr('name') | list | length }}
{% if add_generation_prompt and messages[-1].role != 'assistant' %}A:{% elif messages[-1]['role'] is eq 'assistant' %}{{ eos_token }}{% endif %}
""",
    # Objects and lists: literals, methods, filters, tojson in its forms.
    "objects": """{% set names = {'user': 'U', "assistant": 'A'} %}
{%- for m in messages -%}
{{ names.get(m.role, 'S') }}{{ ':' ~ m.content.replace('\n', ' ')[:5] }}{% for k, v in m | dictsort %} {{ k }}={{ v | string | upper }}{% endfor %} {{ m.items() | list | length }} {{ m | tojson }}
{% endfor %}
{% for t in tools or [] %}{{ t.function.name ~ t.function.parameters.properties.keys() | join('|') }} {{ t | tojson(indent=2) }} {{ t | tojson(separators=(',', ':')) }} {{ t | tojson(sort_keys=true, ensure_ascii=true) }}{% endfor %}
{{ names }} {{ [1, 'a', none, true, 2.5] }} {{ ('x',) }} {{ names | items | list }} {{ documents }} {{ missing }}|{{ missing.x if missing else 'no' }}
""",
}

# (source, names besides the chat's)
SMALL = [(s, {}) for s in [
    "", "a\n", "a\n\n", "{% if true %}\n a\n{% endif %}\n b", "  {% if true %}a{% endif %}  ", "x  {% if true %}a{% endif %}  \n  {# c #}\n y",
    "  {{ 1 }}\n  {{- 2 }}", "  {%+ if true +%}\n a {%+ endif %}\nb", "{% raw %}\n {{ x }}\n {% endraw %}\nb", "{#- c -#}\n x", "{# c +#}\n x",
    "\t{% set a = 1 %}\n\t{{ a }}\n", "a {% set b = 1 -%} \n c", "\n\n  {% if true %}\n\n  x\n\n  {% endif %}\n\n",
    "{{ missing }}|{{ missing is defined }}{{ missing is none }}{{ missing is string }}{{ missing is mapping }}{{ missing is iterable }}{{ missing is sequence }}{{ missing is number }}",
    "{{ missing | length }}{{ missing | default('d') }}{{ missing | trim }}{{ missing | list }}{{ missing ~ 'x' }}{{ 'x' in missing }}{{ not missing }}{{ missing == missing }}{{ missing == '' }}",
    "{{ missing + 'x' }}", "{{ missing.x }}", "{{ missing['x'] }}", "{{ missing() }}", "{{ missing | tojson }}", "{{ missing | int }}", "{{ missing < 1 }}", "{{ -missing }}",
    "{% for x in missing %}{{ x }}{% else %}e{% endfor %}", "{% set x = missing %}{{ x }}|{{ x is defined }}", "{{ messages[9] }}|{{ messages[0].nothing }}|{{ messages[0]['nothing'] }}|{{ 'abc'.x }}|{{ 'abc'[9] }}|{{ messages['a'] }}",
    "{{ messages[0].nothing.more }}", "{{ [missing] }}", "{{ ('a' if false) }}|{{ ('a' if false) is defined }}", "{{ [] | first }}|{{ [] | last }}",
    "{{ none | map('upper') | list }}{{ none | selectattr('a') | list }}", "{{ strftime_now is defined }}{{ raise_exception is defined }}{{ range is defined }}{{ namespace is callable }}{{ nope is defined }}{{ 'x' is callable }}",
    "{{ strftime_now('%d %b %Y') }}|{{ strftime_now('%Y-%m-%d %H:%M:%S') }}|{{ strftime_now('%A, %B %d') }}|{{ strftime_now('%j %y %%') }}|{{ strftime_now('') }}", "{{ raise_exception('no: ' ~ 1) }}", "{% if false %}{{ raise_exception('x') }}{% endif %}ok",
    "{{ {'a': [1, {'b': none}], 'é': '<&\\'\"😀\n'} | tojson }}", "{{ [] | tojson(indent=2) }}{{ {} | tojson(indent=2) }}{{ [1, [], {}, [2]] | tojson(indent=1) }}", "{{ 'a' | tojson }}{{ 1.0 | tojson }}{{ none | tojson }}{{ true | tojson }}{{ (1, 2) | tojson }}",
    "{{ {'b': 1, 'a': 2} | tojson(sort_keys=True) }}{{ ['é'] | tojson(ensure_ascii=True) }}{{ [1, 2] | tojson(separators=(', ', ' : ')) }}{{ {'a': 1} | tojson(indent=0) }}",
    "{% macro f(a, b=2, c=a) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ f(1) }}|{{ f(1, 3) }}|{{ f(1, c=5) }}|{{ f() }}|{{ f(a=0) }}|{{ f(1) | length }}",
    "{% macro f() %}{{ x }}{% endmacro %}{% set x = 1 %}{{ f() }}{% for x in [2, 3] %}{{ f() }}{% endfor %}", "{% macro f(x) %}{% set y = x %}{{ y }}{% endmacro %}{{ f(1) }}{{ y }}", "{% set ns = namespace(n=0) %}{% macro f() %}{% set ns.n = ns.n + 1 %}{% endmacro %}{{ f() }}{{ f() }}{{ ns.n }}",
    "{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1, 2) }}", "{% macro f(a) %}{{ a }}{% endmacro %}{{ f(b=2) }}", "{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1, a=2) }}", "{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}", "{{ g() }}{% macro g() %}{% endmacro %}",
    "{% macro f(a) %}{% for x in a %}{{ x }}{% if x is iterable and x is not string %}{{ f(x) }}{% endif %}{% endfor %}{% endmacro %}{{ f([1, 2]) }}", "{% macro f() %}{{ loop is defined }}{% endmacro %}{% for x in [1] %}{{ f() }}{% endfor %}",
    "{% for x in [1, 2, 3, 4] %}{% if x == 2 %}{% continue %}{% endif %}{% if x == 4 %}{% break %}{% endif %}{{ x }}{% endfor %}", "{% for x in [1, 2] %}{% for y in [1, 2, 3] %}{% if y == 2 %}{% break %}{% endif %}{{ x }}{{ y }}{% endfor %}!{% endfor %}", "{% break %}", "{% for x in [1] %}{% macro f() %}{% continue %}{% endmacro %}{% endfor %}",
    "{% generation %}a{% set z = 1 %}{% endgeneration %}{{ z }}", "{% for x in [1, 2] %}{% generation %}{{ x }}{{ loop.index }}{% endgeneration %}{% endfor %}", "{% set x %}\n a {{ 1 }}\n{% endset %}{{ x | trim }}|{{ x | length }}",
    "{{ {'a': 1}.b }}|{{ {'a': 1}['b'] }}|{{ {'a': 1}.get('b') }}|{{ {'a': 1}.get('b', 2) }}", "{{ {'b': 1, 'A': 2} | dictsort }}{{ {'b': 1, 'A': 2} | dictsort(true) }}{{ {'b': 1, 'A': 2} | dictsort(by='value', reverse=true) }}", "{{ '<b>' | safe }}{{ 1 | safe }}",
    "{{ [3, 1, 2][::-1] }}{{ 'abc'[::-1] }}{{ [1, 2, 3][:-1] }}{{ messages[1:] | length }}", "{{ messages[0].role | upper ~ '!' }}", "{% set messages = messages[:1] %}{{ messages | length }}", "{% set ns = namespace() %}{{ ns.x }}|{{ ns.x is defined }}{% set ns.x = [1] %}{{ ns.x + [2] }}",
    "{% set ns = namespace(a={'b': 1}) %}{{ ns.a.b }}{{ ns['a'] }}", "{{ [1].append(2) }}", "{{ 'a'.nope() }}", "{% if false %}{{ x.nope(1, k=2) }}{% endif %}ok", "{{ x | nope }}", "{{ x is nope }}", "{% nope %}", "{% endgeneration %}", "{% generation %}", "{{ 1 is sameas }}",
    "{{ bos_token }}{{ eos_token }}{{ pad_token }}{{ pad_token is defined }}", "{{ tools is none }}{{ tools is defined }}{{ documents is none }}{{ add_generation_prompt }}", "{{ 'x' if tools else 'y' }}", "{{ range(3) | list }}{{ dict(a=1) }}", "{{ loop }}",
    "{% for m in messages %}{{ loop.first }}{{ loop.last }}{{ loop.index0 }}{{ loop.cycle('a', 'b') }}{% endfor %}", "{{ '%s-%s' | format('a', 1) }}{{ 'a{}'.format(1) }}", "{{ messages | map(attribute='nothing') | list }}", "{{ messages | map(attribute='nothing', default='d') | list }}",
    "{{ missing | items | list }}{{ missing | join(',') }}{{ missing | upper }}{{ missing | string | length }}{{ missing | first }}", "{{ missing[1:] }}", "{{ missing | map(attribute='a') | list }}", "{{ [1, 2] + missing }}", "{{ 'a' in [missing] }}{{ missing in ['a'] }}", "{{ missing in 'a' }}", "{{ {missing: 1} }}", "{{ 'a' | replace('a', missing) }}",
]]

# Blocks that take a body: filters over it, macros that call it back, macros and loops inside of others, names that end with it.
TREE = [{"v": 1, "c": [{"v": 2, "c": [{"v": 3, "c": []}]}, {"v": 4, "c": []}]}, {"v": 5, "c": []}]
LANGUAGE = [
    '{% filter upper %}a{{ messages[0].content }}{% endfilter %}',
    "{% filter replace('a', 'b') | upper | indent(2) %}a\nb{% set z = 1 %}{% endfilter %}{{ z }}",
    '{% for x in [1,2] %}{% filter upper %}q{{ x }}{{ loop.index }}{% endfilter %}{% endfor %}',
    '{% set x | upper | trim %} abc {{ bos_token }}{% endset %}[{{ x }}]',
    '{% set x | length %}abc{% endset %}{{ x + 1 }}',
    '{% filter length %}abc{% endfilter %}',
    '{% filter nope %}abc{% endfilter %}',
    '{% filter list %}abc{% endfilter %}',
    '{% macro f(a) %}<{{ a }}>{{ caller() }}</>{% endmacro %}{% call f(1) %}in{{ bos_token }}{% endcall %}',
    '{% macro f(a) %}{% for x in a %}{{ caller(x, loop.index) }};{% endfor %}{% endmacro %}{% call(x, i=0) f([3, 4]) %}{{ x * 2 }}/{{ i }}{% endcall %}',
    '{% macro f(a) %}{{ a }}{% endmacro %}{% call f(1) %}x{% endcall %}',
    '{% macro f() %}{{ caller is defined }}{% if caller %}{{ caller() }}{% endif %}{% endmacro %}{{ f() }}{% call f() %}x{% endcall %}',
    '{% macro f() %}{{ caller() }}{% endmacro %}{{ f() }}',
    '{% macro f() %}{% set y = 9 %}{{ caller() }}{% endmacro %}{% for x in [1, 2] %}{% set y = x * 10 %}{% call f() %}{{ x }}{{ y }}{{ loop.index }}{% endcall %}{% endfor %}',
    '{% macro g() %}[{{ caller() }}]{% endmacro %}{% macro f() %}({% call g() %}{{ caller() }}{% endcall %}){% endmacro %}{% call f() %}x{% endcall %}',
    "{% macro g(t) %}[{{ t }}{{ caller() }}]{% endmacro %}{% macro f(t) %}({% call g(t ~ '!') %}{{ t }}-{{ caller(t) }}{% endcall %}){% endmacro %}{% for m in messages %}{% call(u) f(m.role) %}{{ u }}{{ m.content }}{{ loop.first }}{% endcall %}{% endfor %}",
    '{% call nope() %}{% endcall %}',
    '{% call 5 %}{% endcall %}',
    '{% call messages %}{% endcall %}',
    "{% for x in [1, 2] %}{% macro f(a) %}{{ a }}{{ x }}{{ loop.index }}{% endmacro %}{{ f('q') }}{% endfor %}",
    '{% for x in [1] %}{% macro f() %}{{ y }}{% endmacro %}{% set y = 5 %}{{ f() }}{% endfor %}',
    '{% for x in [1] %}{% macro f() %}{{ y }}{% endmacro %}{% set y = 5 %}{% for z in [7] %}{% set w = 3 %}{{ f() }}{{ w }}{% endfor %}{% set y = 6 %}{{ f() }}{% endfor %}',
    '{% for x in [1] %}{% macro f() %}{{ w }}{% endmacro %}{% for w in [7] %}{{ f() }}{% endfor %}{% endfor %}|',
    '{% for x in [1] %}{% macro f() %}a{% endmacro %}{% endfor %}{{ f() }}',
    "{% macro o(a) %}{% macro i(b) %}{{ a }}{{ b }}{% endmacro %}{{ i(1) }}{{ i(2) }}{% endmacro %}{{ o('x') }}{{ o('y') }}",
    "{% macro o(a) %}{% set k = a ~ '!' %}{% macro i(b) %}{{ k }}{{ b }}{% endmacro %}{% for z in [1, 2] %}{{ i(z) }}{% endfor %}{% endmacro %}{{ o('x') }}",
    '{% if true %}{% macro f(a) %}{{ a }}{% endmacro %}{% endif %}{{ f(1) }}',
    '{% if false %}{% macro f(a) %}{{ a }}{% endmacro %}{% endif %}{{ f is defined }}',
    '{% for n in tree recursive %}{{ n.v }}{% if n.c %}({{ loop(n.c) }}){% endif %}{% endfor %}',
    '{% for n in tree recursive %}{{ loop.depth }}{{ loop.depth0 }}:{{ n.v }}{{ loop.index }}/{{ loop.length }}{% if n.c %}({{ loop(n.c) }}){% endif %}{{ loop.index }};{% else %}none{% endfor %}',
    '{% for n in tree recursive %}{{ n.v }}{{ loop(n.c) }}{% else %}.{% endfor %}',
    '{% for n in tree if n.v != 4 recursive %}{{ n.v }}{{ loop(n.c) }}{% endfor %}',
    '{% for n in tree recursive %}{% set q = n.v %}{{ loop(n.c) if n.c }}{{ q }}{% endfor %}',
    '{% for a in [1, 2] %}{% for n in tree recursive %}{{ a }}{{ n.v }}{{ loop(n.c) }}{% endfor %}{% endfor %}',
    '{% for n in tree recursive %}{% for m in n.c %}{{ loop.index }}{% endfor %}{{ loop(n.c) }}{% endfor %}',
    '{% for n in [1] %}{{ loop([2]) }}{% endfor %}',
    "{% for n in tree recursive %}{{ loop(n.c) | upper }}{{ loop(n.c) ~ 'x' }}{{ n.v }}{% if n.v == 2 %}{% break %}{% endif %}{% endfor %}",
    '{% for x in [1, 1, 2, 2, 1] %}{% if loop.changed(x) %}{{ x }}{% endif %}{% endfor %}',
    "{% for x in [1, 1, 2] %}{{ loop.changed(x, 'a') }}{{ loop.changed(x) }}{% endfor %}",
    '{% for x in [1, 2] %}{{ loop.changed() }}{% endfor %}',
    '{% with a = 1, b = 2 %}{{ a }}{{ b }}{% set c = 3 %}{% endwith %}{{ a }}|{{ c }}',
    '{% set a = 7 %}{% with a = 1, b = a %}{{ a }}{{ b }}{% endwith %}{{ a }}',
    '{% with %}{% set a = 7 %}{{ a }}{% endwith %}{{ a }}',
    "{% include 'x' %}",
    "{% import 'x' as y %}",
    "{% from 'x' import y %}",
    "{% extends 'x' %}",
    '{% filter upper %}a',
    '{% call f() %}a',
    '{% with a %}{% endwith %}',
    '{% endcall %}',
    '{% filter trim -%}\n  a\n{%- endfilter %}\nb',
    '{% macro f(x) %}\n{{ caller(x) }}\n{% endmacro %}\n{% call(v) f(1) %}\n  v={{ v }}\n{% endcall %}\nc',
    '{% for x in [1, 2] %}{% call f() %}{% continue %}{% endcall %}{% endfor %}',
    '{% macro f() %}{{ caller(1, 2) }}{% endmacro %}{% call(a) f() %}{{ a }}{% endcall %}',
    '{% macro f() %}{{ caller() }}{{ caller() }}{% endmacro %}{% set ns = namespace(n=0) %}{% call f() %}{% set ns.n = ns.n + 1 %}{{ ns.n }}{% endcall %}',
    '{% macro loop(x) %}m{{ x }}{% endmacro %}{{ loop(3) }}',
    '{% for x in [1] %}{% call(y) loop([2]) %}{% endcall %}{% endfor %}',
    '{% macro f(a) %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ f(1, 2, k=3) }}',
    '{% for m in messages %}{% generation %}{% call f(m) %}{{ m.role }}{% endcall %}{% endgeneration %}{% endfor %}{% macro f(m) %}{{ caller() }}{% endmacro %}',
    '{% macro f(m) %}<{{ caller() }}>{% endmacro %}{% for m in messages %}{% generation %}{% call f(m) %}{{ m.role }}{% endcall %}{% endgeneration %}{% endfor %}',
    "{% for n in tree recursive %}{% macro f(x) %}{{ x }}{{ n.v }}{{ loop.depth }}{% endmacro %}{{ f('q') }}{{ loop(n.c) }}{{ f('r') }}{% endfor %}",
    '{% macro o() %}{% macro i() %}{{ caller() }}{% endmacro %}{{ i() }}{% endmacro %}{% call o() %}x{% endcall %}',
    '{% macro f(a, b=a) %}{{ a }}{{ b }}{{ caller(b) if caller }}{% endmacro %}{% call(z) f(1) %}({{ z }}){% endcall %}{{ f(2, 3) }}',
    "{% set ns = namespace(t='') %}{% for n in tree recursive %}{% set ns.t = ns.t ~ n.v %}{{ loop(n.c) }}{% endfor %}{{ ns.t }}",
    '{% for m in messages %}{% with r = m.role %}{% filter upper %}{{ r }}{{ loop.index }}{% endfilter %}{% endwith %}{% endfor %}',
    "{% macro f() %}{% for x in [1, 2] %}{{ caller() }}{{ loop.index }}{% endfor %}{% endmacro %}{% for y in 'ab' %}{% call f() %}{{ y }}{{ loop.index }}{{ loop.last }}{% endcall %}{% endfor %}",
    '{% macro a(n) %}{{ n }}{% if n %}{% call b(n) %}{{ n }}!{% endcall %}{% endif %}{% endmacro %}{% macro b(n) %}[{{ caller() }}{{ a(n - 1) }}]{% endmacro %}{{ a(3) }}',
    # Filters over a body see what it sets; a body that is cut short comes to nothing.
    "{% set a = 'x' %}{% filter replace('X', a) %}{% set a='NEW' %}-X-{% endfilter %}",
    "{% set a = 'x' %}{% set y | replace('X', a) %}{% set a='NEW' %}-X-{% endset %}{{ y }}{{ a }}",
    "{% filter replace('X', zz) %}{% set zz='a' %}aXb{% endfilter %}",
    "{% filter replace('X', f()) %}{% macro f() %}{{ q }}{% endmacro %}{% set q='7' %}X{% endfilter %}{{ f is defined }}",
    "{% filter replace('X', y) | upper %}{% filter replace('Y', z) %}{% set z = 'b' %}{% set y = 'c' %}XY{% endfilter %}{% set y = 'd' %}{% endfilter %}",
    "{% for x in [1, 2] %}{% filter upper %}a{% break %}b{% endfilter %}c{% endfor %}",
    "{% for x in [1, 2] %}{% filter upper %}a{% if x == 1 %}{% continue %}{% endif %}b{% endfilter %}c{% endfor %}",
    "{% set n = namespace(y=0) %}{% for x in [1, 2] %}{% set n.y %}a{% break %}b{% endset %}c{% endfor %}{{ n.y }}",
    "{% set n = namespace(y=0) %}{% for x in [1, 2] %}{% set n.y | upper %}a{% if x == 2 %}{% continue %}{% endif %}b{% endset %}c{% endfor %}{{ n.y }}",
    # A name belongs to the scope that sets it from the scope's beginning on.
    "{% for x in [1] %}[{{ bos_token }}]{% endfor %}{% set bos_token = 2 %}",
    "{% macro m() %}[{{ bos_token }}]{% endmacro %}{{ m() }}{% set bos_token = 2 %}{{ m() }}",
    "{{ bos_token }}{% for x in [1] %}[{{ bos_token }}]{% endfor %}{% set bos_token = 2 %}",
    "{% for x in [1, 2] %}{% filter upper %}{{ bos_token }}{% endfilter %}{% set bos_token = 2 %}{% endfor %}",
    "{% if true %}{% for x in [1] %}[{{ bos_token }}]{% endfor %}{% set bos_token = 2 %}{% endif %}",
    "{% set y %}{% for x in [1] %}[{{ y }}]{% endfor %}{% endset %}{{ y }}",
    "{% for x in [1] %}{% for y in [1] %}[{{ bos_token }}]{% endfor %}{% set bos_token = 3 %}{% endfor %}{% set bos_token = 2 %}",
    "{% for x in [] %}{% else %}{% for y in [1] %}[{{ bos_token }}]{% endfor %}{% set bos_token = 2 %}{% endfor %}",
    "{% for x in [1] if bos_token %}{{ x }}{% endfor %}{% set bos_token = 2 %}",
    "{% set y | replace('X', zz) %}-X{% endset %}{{ y }}",
    "{% for x in [] %}{% else %}{% set q = 2 %}{{ q }}{% endfor %}{{ q }}",
    "{% macro f(a=b, b=1, c=c) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{% set b = 3 %}{% set c = 4 %}{{ f() }}{{ f(b=5) }}",
    "{% macro f(a, a) %}{{ a }}{% endmacro %}{{ f(1) }}",
    "{% for x in [1] %}{% generation %}{% break %}{% endgeneration %}{% endfor %}",
    # Names that jinja2 gives a meaning of their own.
    "{% macro m(a=varargs) %}{{ a }}{% endmacro %}{{ m() }}{{ varargs }}{{ kwargs }}{{ caller }}",
    "{% macro m(varargs, kwargs) %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2) }}",
    "{% macro m(caller) %}{{ caller }}{% endmacro %}{{ m(1) }}",
    "{% macro m(caller) %}{{ 1 }}{% endmacro %}{{ m(1) }}",
    "{% for loop in [1, 2] %}{{ loop }}{% endfor %}",
    "{% for loop, a in [(1, 2)] %}{{ loop }}{% endfor %}",
    "{% for x in [1] %}{% set loop = 2 %}{{ loop }}{% endfor %}",
    "{% for x in [1] %}{% macro f() %}{% set loop = 2 %}{% endmacro %}{% endfor %}",
    "{% for x in [] %}{% else %}{% set loop = 2 %}{% endfor %}",
    "{% set loop = 2 %}{{ loop }}",
    "{% macro f() %}{% set caller = 1 %}{{ caller }}{% endmacro %}{% call f() %}{% endcall %}",
    "{{ [1] in {'a': 1} }}", "{{ {'b': 1} not in {'a': 1} }}", "{{ ([1],) in {'a': 1} }}", "{{ (1, (2,)) in {'a': 1} }}",
    "{{ [[1], [1]] | unique | list }}", "{{ [(1, 2), (1, 2)] | unique | list }}", "{{ {'a': 1}.get([1]) }}", "{{ {'a': 1}.get((1,), 2) }}",
]


def scoped(draw, depth, macros):
    """Random blocks inside of one another that set and print the names a, b and c, and call what is defined around them."""
    parts = []
    for _ in range(draw.randint(1, 3)):
        kind, name = draw.random(), draw.choice("abc")
        inner = lambda more=(): scoped(draw, depth - 1, macros + list(more))
        if kind < 0.25 or depth == 0:
            parts.append("{{ " + name + " }};")
        elif kind < 0.4:
            parts.append(f"{{% set {name} = {draw.choice(['1', '2', name, 'a', chr(39) + 'x' + chr(39)])} %}}")
            if draw.random() < 0.3:
                parts[-1] = "{% if " + draw.choice(["true", "false", "a", "b"]) + " %}" + parts[-1] + draw.choice(
                    ["{% endif %}", "{% else %}{{ c }}{% endif %}", "{% elif b %}{% set c = 4 %}{% endif %}"])
        elif kind < 0.5:
            chosen, otherwise = draw.choice(["", "", " if a", " if c"]), draw.choice(["", "{% else %}{{ a }}{% set b = 9 %}{{ b }}"])
            parts.append(f"{{% for {name} in [3, 4]{chosen} %}}{inner()}{{{{ loop.index }}}}{otherwise}{{% endfor %}}")
        elif kind < 0.58:
            parts.append(f"{{% with {name} = {draw.choice(['5', 'a', 'b'])} %}}{inner()}{{% endwith %}}")
        elif kind < 0.64:
            filters = draw.choice(["upper", "replace('A', a ~ '!')", "replace('B', '<' ~ b ~ '>') | upper"])
            parts.append(f"{{% filter {filters} %}}{inner()}{{% endfilter %}}")
        elif kind < 0.7:
            filters = draw.choice(["", "", f" | replace('A', '-' ~ {draw.choice('abc')})"])
            parts.append(f"{{% set {name}{filters} %}}{inner()}{{% endset %}}")
        elif kind < 0.85:
            macro = f"m{draw.randint(0, 99)}"
            back = draw.choice(["", "[{{ caller(a) if caller }}]"])
            second = draw.choice(["", "", ", d=a", f", d={draw.choice('bc')}"])
            parts.append(f"{{% macro {macro}({name}{second}) %}}{inner()}{back}{{% endmacro %}}{{{{ {macro}({draw.choice(['6', 'b'])}) }}}}")
            if back:
                parts.append(f"{{% call({draw.choice('abc')}) {macro}(7) %}}{inner()}{{% endcall %}}")
            macros = macros + [macro]
        elif macros:
            parts.append(f"{{{{ {draw.choice(macros)}(8) }}}}")
    return "".join(parts)


MAY_REFUSE = [
    "{% macro f(a) %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ f(1, 2, k=3) }}", "{{ {missing: 1} }}", "{{ 'a' | replace('a', missing) }}",
    "{% macro m() %}{{ varargs }}{% endmacro %}{{ m() }}", "{% macro m() %}{% for x in [1] %}{{ kwargs }}{% endfor %}{% endmacro %}{{ m() }}",
    "{% macro m(varargs) %}{% macro n() %}{{ varargs }}{% endmacro %}{{ n() }}{% endmacro %}{{ m(1) }}",
    "{% macro m() %}{% set varargs = 2 %}{{ varargs }}{% endmacro %}{{ m() }}", "{% generation %}{{ varargs }}{{ kwargs }}{% endgeneration %}",
    "{% macro f() %}{{ caller() }}{% endmacro %}{% call f() %}{{ varargs }}{% endcall %}",
    "{% macro f() %}{% generation %}{{ caller is defined }}{% endgeneration %}{% endmacro %}{% call f() %}x{% endcall %}",
    "{% macro m(caller=2) %}{{ caller }}{% endmacro %}{{ m() }}", "{% macro m() %}{% set caller = 2 %}{{ caller }}{% endmacro %}{{ m() }}",
    "{% set loop = 4 %}{% for x in [1] %}{{ loop.index }}{% endfor %}{{ loop }}", "{% for x in [1] %}{% with loop = 2 %}{{ loop }}{% endwith %}{% endfor %}",
    "{% for x in [1] %}{% macro f(loop) %}{{ loop }}{% endmacro %}{{ f(3) }}{% endfor %}",
    "{% macro loop() %}a{% endmacro %}{% for x in [1] %}{{ loop.index }}{% endfor %}",
]


def trimmed(draw):
    """Random layouts of blocks: what trim_blocks and lstrip_blocks do to them."""
    parts = []
    for _ in range(draw.randint(2, 9)):
        kind = draw.random()
        blank = draw.choice(["", " ", "  ", "\n", "\n\n", " \n ", "\t", "\n  "])
        left, right = draw.choice(["", "", "-", "+"]), draw.choice(["", "", "-", "+"])
        if kind < 0.45:
            parts.append(f"{blank}{{%{left} set a = {draw.randint(0, 9)} {right}%}}")
        elif kind < 0.6:
            parts.append(f"{blank}{{#{left} c {right}#}}")
        elif kind < 0.75:
            parts.append(f"{blank}{{{{{left.replace('+', '')} a {right.replace('+', '')}}}}}")
        elif kind < 0.85:
            parts.append(f"{blank}{{%{left} raw {right.replace('+', '')}%}}{draw.choice(['', ' ', chr(10)])}r{blank}{{%{left} endraw {right}%}}")
        else:
            parts.append(blank + draw.choice(["x", "x\n", "\nx", "é "]))
    return "".join(parts) + draw.choice(["", "\n", " \n", "\n\n"])


def case(name, source, names):
    out = {"template": name, "source": source, "names": names}
    try:
        out["output"] = utils._compile_jinja_template(source).render(**names)
        if source in MAY_REFUSE:
            out["may_refuse"] = True
    except Exception as error:  # whatever Python raises is an error to us
        out["refused"] = type(error) is jinja2.exceptions.TemplateError
        out["error"] = f"{type(error).__name__}: {error}"[:200]
    return out


def names_of(chat, generation, **more):
    return {"messages": chat, "tools": None, "documents": None, "add_generation_prompt": generation, "bos_token": "<s>", "eos_token": "</s>", **more}


def chats_of(name, source, **more):
    return [case(name, source, names_of(chat, generation, **more)) for chat in CHATS for generation in (True, False)]


def read_real(path):
    """(name, source) of a template file, or of a checkpoint's folder."""
    if os.path.isdir(path):
        own = os.path.join(path, "chat_template.jinja")
        if os.path.exists(own):
            return [(path, open(own, encoding="utf-8").read())]
        found = json.load(open(os.path.join(path, "tokenizer_config.json"), encoding="utf-8")).get("chat_template")
        if isinstance(found, list):
            found = next(t["template"] for t in found if t["name"] == "default")
        return [(path, found)] if found else []
    return [(os.path.basename(path), open(path, encoding="utf-8").read())]


def main():
    cases = []
    for path in sys.argv[1:]:
        for name, source in read_real(path):
            cases += chats_of(name, source, unk_token="<unk>")
    if len(sys.argv) == 1:
        for name, source in TEMPLATES.items():
            cases += chats_of(name, source) + chats_of(name, source, tools=TOOLS, enable_thinking=False)[:4]
        cases += [case("small", source, names_of(CHATS[1], True, **names)) for source, names in SMALL]
        cases += [case("language", source, names_of(CHATS[1], True, tree=TREE)) for source in LANGUAGE + MAY_REFUSE]
        draw = random.Random(12)
        cases += [case("trim", trimmed(draw), names_of(CHATS[0], True)) for _ in range(300)]
        cases += [case("scopes", scoped(draw, 3, []), {}) for _ in range(400)]
        cases += [case("scopes", scoped(draw, 3, []), {"a": "A", "b": "B"}) for _ in range(400)]
    print("[\n" + ",\n".join(json.dumps(c, ensure_ascii=False) for c in cases) + "\n]")


main()
