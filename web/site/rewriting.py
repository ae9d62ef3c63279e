"""Make a page of the dashboard a page of a site: links lead to files, and what needs a server is left out."""

from __future__ import annotations

from html import escape
from html.parser import HTMLParser
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_VOID = {"meta", "link", "input", "img", "br", "hr", "wbr", "source", "col"}
_LEFT_OUT_TAGS = {"form"}
_LEFT_OUT_CLASSES = {"menu", "who", "needs-server"}


def rewritten(html: str, link_to: Callable[[str], str | None]) -> str:
    """The page with other links. link_to: the link for an address of the dashboard; None if the site doesn't have it,
    and then only its text stays.
    """
    parser = _Rewriter(link_to)
    parser.feed(html)
    parser.close()
    return "".join(parser.parts)


def addresses_in(html: str) -> list[str]:
    """The addresses of the dashboard that the rewritten page leads to, in its order."""
    found: list[str] = []
    rewritten(html, found.append)
    return found


class _Rewriter(HTMLParser):
    """Repeats what it reads, byte for byte, but for links and what is left out."""

    def __init__(self, link_to: Callable[[str], str | None]) -> None:
        super().__init__(convert_charrefs=False)
        self.parts: list[str] = []
        self._link_to = link_to
        self._left_out: list[str] = []  # open elements, from the one that is left out

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._left_out:
            if tag not in _VOID:
                self._left_out.append(tag)
            return
        classes = set((dict(attrs).get("class") or "").split())
        if tag in _LEFT_OUT_TAGS or classes & _LEFT_OUT_CLASSES:
            if tag not in _VOID:
                self._left_out.append(tag)
            return
        self.parts.append(self._with_links(tag, attrs, self.get_starttag_text() or ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if not self._left_out:
            self.parts.append(self._with_links(tag, attrs, self.get_starttag_text() or ""))

    def handle_endtag(self, tag: str) -> None:
        if not self._left_out:
            self.parts.append(f"</{tag}>")
        elif tag in self._left_out:
            while self._left_out.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        self._keep(data)

    def handle_entityref(self, name: str) -> None:
        self._keep(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self._keep(f"&#{name};")

    def handle_decl(self, decl: str) -> None:
        self._keep(f"<!{decl}>")

    def _keep(self, text: str) -> None:
        if not self._left_out:
            self.parts.append(text)

    def _with_links(self, tag: str, attrs: list[tuple[str, str | None]], written: str) -> str:
        if not any(name in {"href", "src"} and (value or "").startswith("/") for name, value in attrs):
            return written
        text = [f"<{tag}"]
        for name, value in attrs:
            to = value
            if name in {"href", "src"} and (value or "").startswith("/"):
                to = self._link_to(value or "")
                if to is None:
                    continue
            text.append(f" {name}" if to is None else f' {name}="{escape(to)}"')
        return "".join(text) + ("/>" if written.endswith("/>") else ">")
