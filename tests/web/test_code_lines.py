"""Models' texts on pages: coloured, bounded, and never markup."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest

from web.pages.answers import code
from web.pages.answers.code import MOST_LINE_CHARS, Part, as_html, code_lines, parts, shown, token_lines

ANSWERS_CSS = Path(__file__).resolve().parents[2] / "web" / "pages" / "static" / "answers.css"
HOSTILE = "x = '</script><script>alert(1)</script>' # \x1b[31m \u202e & \"onload=\" \x00 \u2028 end"
_TAG = re.compile(r'</?(?:span(?: class="[a-z]+")?|mark)>')
# light and dark: on code, on what was removed and on what was added, as in the style of pages
_GROUNDS = (("#f3f5f7", "#fdebe9", "#e9f6ec"), ("#161c23", "#331a18", "#12291a"))


def _text(html: str) -> str:
    without = _TAG.sub("", html)
    assert "<" not in without
    assert '"' not in without
    return unescape(without)


@pytest.mark.parametrize("language", ["python", "json", ""])
@pytest.mark.parametrize(
    "text", [HOSTILE, f"'''{HOSTILE}\n{HOSTILE}", f"f'{{{HOSTILE}", f'"""\n{HOSTILE}\n```']
)
def test_nothing_of_a_text_becomes_markup_and_no_character_is_lost(text: str, language: str) -> None:
    lines = [_text(as_html(tokens)) for tokens in code_lines(text, language)]
    written = text.replace("\x1b", "\\u001b").replace("\u202e", "\\u202e").replace("\x00", "\\u0000")
    assert lines == written.replace("\u2028", "\\u2028").split("\n")


def test_code_has_colours_by_class_and_each_line_closes_its_elements() -> None:
    lines = [
        as_html(tokens)
        for tokens in code_lines('def f(x):\n    """Two\n    lines."""\n    return "a" if x else 1')
    ]
    assert lines[0] == '<span class="tk">def</span> <span class="td">f</span>(x):'
    assert lines[2] == '<span class="tc">    lines.&#34;&#34;&#34;</span>'
    assert '<span class="ts">&#34;a&#34;</span>' in lines[3]
    assert '<span class="tn">1</span>' in lines[3]


def test_a_part_of_a_line_is_marked_across_its_colours() -> None:
    (line,) = code_lines("return 'ab'")
    assert as_html(line, 3, 9) == (
        '<span class="tk">ret</span><mark><span class="tk">urn</span></mark><mark> </mark>'
        '<mark><span class="ts">&#39;a</span></mark><span class="ts">b&#39;</span>'
    )
    assert _text(as_html(line, 3, 9).replace("<mark>", "").replace("</mark>", "")) == "return 'ab'"


def test_as_many_lines_come_back_as_were_given() -> None:
    for text in ("", "\n", "\n\n\n", "a\n", "\r\nb", "a\rb", "'''", "\\", "\\\n", "\t\n \n"):
        for language in ("python", "json", ""):
            assert len(code_lines(text, language)) == len(re.split(r"\r\n|[\r\n]", text)), (text, language)
    assert token_lines([], "python") == []


def test_a_huge_line_is_cut_with_a_note_and_without_a_lexer() -> None:
    found = shown("x = 1\n" + "<" * 1_000_000 + "\nlast", most_bytes=30_000)
    assert "998,000 more characters in this line" in found.lines[1]
    assert len("".join(found.lines)) < 4 * MOST_LINE_CHARS + 200
    assert found.lines[2] == "last"


def test_what_has_no_room_is_counted() -> None:
    text = "\n".join(f"line_{n} = {n}" for n in range(5000))
    found = shown(text, most_bytes=10_000)
    kept = sum(len(_text(line)) + 1 for line in found.lines)
    assert sum(len(line.encode()) + 1 for line in found.lines) <= 10_000
    assert found.left_out == len(text) - kept
    assert shown(text, most_bytes=10**6).left_out == 0


def test_an_answer_is_prose_and_fenced_code() -> None:
    text = "Here:\n```python\ndef f():\n    pass\n```\nOr\n~~~json\n{}\n~~~\n```sh\nls\n```\nAnd open:\n```\nx = 1"
    assert [*parts(text)] == [
        Part("Here:"), Part("def f():\n    pass", "python"), Part("Or"), Part("{}", "json"), Part("ls", "text"),
        Part("And open:"), Part("x = 1", "python"),
    ]  # fmt: skip
    assert [*parts("```` \n```\n````")] == [Part("```", "python")]
    assert [*parts("")] == []


@pytest.mark.parametrize(
    "line", ["~" * 600_000 + "`", "~~~" + " " * 600_000 + "`", "~~~" + "a" * 600_000 + "`", "`" * 600_000]
)
def test_no_line_is_tried_as_a_fence_again_and_again(line: str) -> None:
    """Where it is, the first three take longer than a test may."""
    assert bool(code._FENCE.fullmatch(line)) == (line[0] == "`")


def test_a_long_line_is_no_fence() -> None:
    text = "```python\nx = 1\n```" + " " * 198 + "\ny = 2\n```"
    assert [*parts(text)] == [Part(text[10:-4], "python")]


def test_colours_can_be_read_on_every_ground_in_both_themes() -> None:
    css = ANSWERS_CSS.read_text()
    themes = [dict(re.findall(r"--(code-\w+): (#\w{6})", theme)) for theme in css.split("@media")[:2]]
    for colours, grounds in zip(themes, _GROUNDS, strict=True):
        assert len(colours) == 6
        for name, colour in colours.items():
            for ground in grounds:
                assert _contrast(colour, ground) >= 4.5, (name, ground, _contrast(colour, ground))


def _contrast(colour: str, ground: str) -> float:
    darker, lighter = sorted(map(_luminance, (colour, ground)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
