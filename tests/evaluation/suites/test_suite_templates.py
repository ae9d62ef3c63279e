"""Templates of a suite file fill in a row; a file from anybody can read nothing else, and its templates end."""

from __future__ import annotations

import pytest

from evaluation.suites.template_rules import TemplateProblem
from evaluation.suites.templates import BUDGET, Expression, Template

WORDS = "a " * 30_000
ROW = {
    "text": "x" * 1000,
    "count": 3,
    "items": list(range(1000)),
    "choices": ["no", "yes"],
    "label": 1,
    "answers": {"text": ["one", "two"]},
}


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ text[:3] }}|{{ count + 1 }}|{{ 7 % 4 }}|{{ 7 // 2 }}", "xxx|4|3|3"),
        (
            "{% for choice in choices %}{{ 'ABCD'[loop.index0] }}. {{ choice }}\n{% endfor %}",
            "A. no\nB. yes\n",
        ),
        ("{{ choices | join(', ') | upper }} {{ text[:2] ~ count ~ 'b' }}", "NO, YES xx3b"),
        ("{{ choices[label] }} {{ answers.text[0] }} {{ choices.index('yes') }}", "yes one 1"),
        ("{% set n = count * 2 %}{{ n }}{% if n is odd %} odd{% else %} even{% endif %}", "6 even"),
        ("{{ 'A [x] b'|replace(' [x]', '.')|trim }} {{ 'a b'.split()|length }}", "A. b 2"),
        ("{{ none_of_it | default('-') }}{% raw %}{{ text }}{% endraw %}", "-{{ text }}"),
        ("ends with a newline\n", "ends with a newline\n"),
        ("{{ '<b>' }}", "<b>"),
    ],
)
def test_what_templates_can_do(source, text):
    assert Template(source).fill(ROW) == text


def test_our_own_filters():
    """As `re.sub(r"\\[.*?\\]", "", text)`, but in time that grows with the text alone."""
    assert (
        Template("{{ t|without_brackets }}").fill({"t": "a [b] c [d [e] f]\n[g\nh] i"})
        == "a  c  f]\n[g\nh] i"
    )
    assert Template("{{ t|without_brackets|length }}").fill({"t": "[" * 100_000}) == "100000"


def test_an_expression_gives_a_value_and_not_a_text():
    assert Expression("label").value(ROW) == 1
    assert Expression("answers.text").value(ROW) == ["one", "two"]
    assert Expression("{'no': 0, 'yes': 1}[choices[1]]").value(ROW) == 1
    assert Expression("'long' if count > 2 else 'short'").value(ROW) == "long"


def test_a_missing_field_is_told_with_the_closest():
    with pytest.raises(
        TemplateProblem, match=r"there is no field 'tex' \(did you mean text\?\); the row has answers"
    ):
        Template("{{ tex }}").fill(ROW)


@pytest.mark.parametrize(
    "source",
    [
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}",
        "{% extends 'x' %}",
        "{{ ''.__class__.__mro__ }}",
        "{{ ''|attr('__class__') }}",
        "{{ items|map('attr', '__class__')|list }}",
        "{{ '{0.__class__}'.format(text) }}",
        "{{ text.format_map(answers) }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ self.x }}",
        "{{ range(10) }}",
        "{{ lipsum() }}",
    ],
)
def test_nothing_but_the_row_can_be_read(source):
    with pytest.raises(TemplateProblem):
        Template(source).fill(ROW)


DOUBLED = {
    "texts": "{% set t = text %}" + "{% set t = t ~ t %}" * 60 + "{{ t|length }}",
    "sums": "{% set t = text %}" + "{% set t = t + t %}" * 60 + "{{ t|length }}",
    "lists": "{% set t = items %}" + "{% set t = t + t %}" * 60 + "{{ t|length }}",
    "nests": "{% set t = [text] %}" + "{% set t = [t, t] %}" * 40 + "{{ t }}",
    "compared": "{% set t = [text] %}" + "{% set t = [t, t] %}" * 40 + "{{ t == t }}",
    "replaced": "{% set t = text %}" + "{% set t = t|replace('x', 'xx') %}" * 60 + "{{ t|length }}",
    "methods": "{% set t = text %}" + "{% set t = t.replace('x', 'xx') %}" * 60 + "{{ t|length }}",
    "joined": "{% set t = '" + WORDS + "'.split() %}{{ t|join('" + "b" * 60_000 + "')|length }}",
    "mapped": "{{ items|map('string')|map('replace', '', '" + "y" * 50_000 + "')|list|length }}",
}


@pytest.mark.parametrize("source", DOUBLED.values(), ids=DOUBLED)
def test_what_would_fill_the_memory_ends_at_the_budget(source):
    with pytest.raises(TemplateProblem, match=f"more than {BUDGET:,}"):
        Template(source).fill(ROW)


LONG = {
    "loops": "{% for a in items %}{% for b in items %}{% for c in items %}{% endfor %}{% endfor %}{% endfor %}",
    "searches": "{% set t = '"
    + WORDS
    + "'.split() %}{% for a in t %}{% if 'b' in t %}{% endif %}{% endfor %}",
    "tests": "{% set t = '" + WORDS + "'.split() %}{% for a in t %}{{ 'b' is in(t) }}{% endfor %}",
    "counts": "{% set t = '" + WORDS + "'.split() %}{% for a in t %}{{ t.count('b') }}{% endfor %}",
    "slices": "{% set t = '" + WORDS + "'.split() %}{% for a in t %}{% set s = t[1:] %}{% endfor %}",
}


@pytest.mark.parametrize("source", LONG.values(), ids=LONG)
def test_what_would_take_for_ever_ends_at_the_budget(source):
    with pytest.raises(TemplateProblem, match=f"more than {BUDGET:,}"):
        Template(source).fill(ROW)


@pytest.mark.parametrize(
    "source",
    [
        "{{ 9**9**9 }}",
        "{{ text * 1000000000 }}",
        "{{ '%0999999999d' % 1 }}",
        "{{ 'a'.ljust(10000000000) }}",
        "{{ text|center(10000000000) }}",
        "{{ items|tojson(100000) }}",
        "{{ 7|round(-10000000) }}",
        "{{ [7]|map('round', -10000000)|list }}",
        "{{ [[1], [2]]|sum(start=[]) }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% for a in items recursive %}{{ loop(items) }}{% endfor %}",
        "{% set t %}{{ text }}{% endset %}",
        "{{ " + "(" * 500 + "1" + ")" * 500 + " }}",
        "{{ " + "-" * 5000 + "1 }}",
        "{{ " + "1 + " * 5000 + "1 }}",
    ],
)
def test_what_costs_more_than_it_shows_is_refused(source):
    with pytest.raises(TemplateProblem):
        Template(source).fill(ROW)
