"""Text that would steer a terminal or pass for something else, and the test that none of it comes through."""

from __future__ import annotations

import re

# Sets the window's title, clears the screen, colours (also by a control character of one byte), returns to the line's
# beginning, forges a line, turns the direction of text, hides, and is a formula to a spreadsheet.
EVIL = "=x\x1b]0;owned\x07\x1b[2J\x1b[31m\x9b31m\rre\nerror: forged\u202edlrow\u2066\u200b\u2028\x7f\x00\x08|<b>`$x$[red]![x](http://x)"
LONG = f"```\n{EVIL}\n~~~\n</pre><script>x</script>\n" + "L" * 5000
HONEST = "Größe 日本語 👩🏽‍💻 naïve"
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u2028\u2029\u202a-\u202e\u2060-\u206f\ufeff]")


def harmless(shown: str, *, tabs: bool = True, lines: bool = True) -> None:
    assert not CONTROL.search(shown), ascii(shown)
    assert tabs or "\t" not in shown
    assert not lines or not any(line.startswith("error: forged") for line in shown.splitlines()), ascii(shown)
