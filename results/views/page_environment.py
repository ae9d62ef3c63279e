"""The templates' environment that all pages share, those of `report` and of `serve`: every text is escaped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from results.plain_text import plain, plain_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jinja2 import BaseLoader, Environment
    from markupsafe import Markup


def page_environment(loader: BaseLoader) -> Environment:
    """Jinja2 escapes every text that a template prints, after `plain` has written out what could hide or steer in it,
    unless a filter here made or checked it.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup, escape

    def finalized(value: Any) -> Any:
        return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    def drawn(text: str) -> Markup:
        """What our own code drew, which escapes by `page_text`."""
        return Markup(text)  # noqa: S704 - see above

    def lines(text: str) -> Markup:
        return escape(plain_lines(text))

    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        finalize=finalized,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {each.__name__: each for each in (drawn, lines, sentence, firsts, seconds)}
    return environment


def sentence(text: str) -> str:
    """Begins with a capital and ends with a full stop."""
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"


def firsts(sides: Sequence[tuple[str | None, str | None, bool]]) -> list[tuple[str | None, bool]]:
    """The left side of a difference."""
    return [(first, changed) for first, _, changed in sides]


def seconds(sides: Sequence[tuple[str | None, str | None, bool]]) -> list[tuple[str | None, bool]]:
    """The right side of a difference."""
    return [(second, changed) for _, second, changed in sides]
