"""Read and check the value of a setting, in the same way for options, manifests and records."""

from __future__ import annotations

import contextlib
import json
import math
import re
from typing import TYPE_CHECKING, Any, cast

from results.errors import UsageError
from settings.scoring.weights import read_weights, written_weights
from settings.variables import Filled, as_written, expand, split_words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from settings.setting import Setting

_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([KMGT]?)(?:i?B)?", re.IGNORECASE)
_OTHER_NAMES = {"docker": "container", "podman": "container", "bwrap": "bubblewrap", "none": "process"}
_EXAMPLES = {
    "DAY": "2024-09-01",
    "N": "20",
    "N,...": "1,8",
    "S": "0",
    "LIST": "easy,hard",
    "KIND,...": "single,dense",
    "PATH": "/health",
}
_SECONDS = {"s": 1, "m": 60, "h": 3600}
SEVERAL = "`sweep` takes several, separated by commas; `run` takes one"
_LARGEST = 2**63 - 1  # of whole numbers; no program that gets them takes more
_UNITS = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}


def read_value(setting: Setting, value: Any, *, variables: bool = True) -> Any:
    """The value for a run: None stays None, texts may be `Filled`, words become a tuple.

    value: a text from the command line, or a manifest's value. variables: whether to fill in ${NAME}.
    Raises UsageError, which says what is wrong.
    """
    if value is None:
        return None
    if setting.kind == "words":
        return tuple(_words(value, variables=variables))
    if setting.kind == "adapters":
        return tuple(_adapters(value, variables=variables)) or None
    if setting.kind == "json":
        return _json(value, variables=variables)
    if setting.kind == "weights":
        return written_weights(read_weights(expand(value) if variables and isinstance(value, str) else value))
    if not isinstance(value, str):
        return _typed(setting, value)
    text = expand(value) if variables else value
    if setting.is_numeric:
        return (
            _from_text(setting, text) if isinstance(text, Filled) or not variables else _typed(setting, text)
        )
    if setting.kind == "flag":
        return _flag(text)
    return _typed(setting, text)


def allowed(setting: Setting) -> str:
    """Which numbers a numeric setting takes; empty for another one."""
    return f"give a number, {_range(setting)}" if setting.is_numeric else ""


def closest(word: str, known: Iterable[str]) -> str:
    """`; did you mean ...?`, or an empty text."""
    meant = close_match(word, known)
    return f"; did you mean {meant}?" if meant else ""


def close_match(word: str, known: Iterable[str]) -> str:
    """The one of `known` that is meant by a word like it; empty if none is."""
    import difflib

    names = {name.lower().replace("-", "_"): name for name in known}
    plain = word.lower().replace("-", "_").lstrip("_")
    other = _OTHER_NAMES.get(plain)
    close = [other] if other in names else difflib.get_close_matches(plain, names, n=1, cutoff=0.6)
    return names[close[0]] if close else ""


def _typed(setting: Setting, value: Any) -> Any:
    if setting.is_numeric:
        return _number(setting, value)
    if setting.kind == "size":
        return _size(setting, value)
    if setting.kind == "flag":
        if not isinstance(value, bool):
            raise UsageError(f"{_shown(value)} is neither true nor false")
        return value
    if setting.is_own and _is_number(value):
        value = str(value)
    if not isinstance(value, str):
        raise UsageError(f"{_shown(value)} is not a text{_quotes(value)}")
    return _text(setting, value)


def _text(setting: Setting, value: str) -> str:
    known = value in setting.every_choice or (setting.also and re.fullmatch(setting.also, value))
    if setting.choices and not known:
        raise UsageError(
            f"{value!r} is not one of {', '.join(setting.choices)}{closest(value, setting.every_choice)}",
            hint=SEVERAL if set(value.split(",")) <= set(setting.choices) else "",
        )
    if setting.pattern and not re.fullmatch(setting.pattern, value):
        example = "" if "such as" in setting.help else _EXAMPLES.get(setting.metavar, "")
        raise UsageError(
            f"{value!r} is not {setting.metavar}{example and f', such as {example}'}: {setting.help}"
        )
    if not value.strip() and not (setting.pattern and re.fullmatch(setting.pattern, "")):
        raise UsageError("is empty")
    return value


def _words(value: Any, *, variables: bool) -> list[str]:
    if isinstance(value, str):
        return split_words(value if variables else as_written(value))
    if not isinstance(value, list | tuple):
        raise UsageError(f"{_shown(value)} is neither a text nor a list of words")
    words = [str(word) if _is_number(word) else word for word in value]
    for word in words:
        if not isinstance(word, str):
            raise UsageError(f"{_shown(word)} in it is not a text{_quotes(word)}")
    return [expand(word) for word in words] if variables else words


def _adapters(value: Any, *, variables: bool) -> list[str]:
    """A text is one adapter, whose name may have spaces."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple):
        raise UsageError(f"{_shown(value)} is neither a text nor a list of texts")
    for text in texts:
        if not isinstance(text, str) or not text.strip():
            raise UsageError(f"{_shown(text)} is not FILE or FILE:SCALE")
    return [expand(text) if variables else text for text in texts]


def _json(value: Any, *, variables: bool) -> str:
    """Canonical JSON: the same object always gives the same text."""
    text = value if isinstance(value, str) else None
    if text is not None:
        if variables:
            text = expand(text)
        try:
            value = json.loads(text)
        except ValueError as error:
            raise UsageError(f"{text!r} is not valid JSON: {error}") from None
        except RecursionError:
            raise UsageError("is nested too deeply") from None
    if not isinstance(value, dict):
        raise UsageError(
            f"{_shown(value)} is not a JSON object", hint="""such as '{"enable_thinking": false}'"""
        )
    plain = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return Filled(plain, text.written) if isinstance(text, Filled) else plain


def _flag(text: str) -> bool:
    if text not in {"true", "false"}:
        raise UsageError(f"{text!r} is neither true nor false")
    return text == "true"


def size_bytes(text: str) -> int:
    """The bytes of a size such as 512M or 2G. Raises UsageError for another text."""
    found = _SIZE.fullmatch(text)
    if found is None:
        raise UsageError(f"{_shown(text)} is not a size such as 512M or 2G")
    size = float(found[1]) * (1 << _UNITS[found[2].upper()])
    if size > _LARGEST:
        raise UsageError(f"{_shown(text)} is out of range", hint="give fewer digits")
    return int(size)


def _size(setting: Setting, value: Any) -> int:
    if _is_number(value):
        return int(_number(setting, value))
    if not isinstance(value, str):
        raise UsageError(f"{_shown(value)} is not a size such as 512M or 2G")
    try:
        return int(_number(setting, size_bytes(value.strip())))
    except UsageError as error:
        if "out of range" not in error.message:
            raise
        raise UsageError(f"{value} is out of range: {_range(setting)}") from None


def _from_text(setting: Setting, text: str) -> float | int:
    try:
        return _number(setting, int(text) if setting.kind == "whole" else float(text))
    except ValueError:
        raise UsageError(f"{text!r} is not {_what(setting)}", hint=_meant(setting, text)) from None


def _number(setting: Setting, value: Any) -> float | int:
    if not _is_number(value) or (setting.kind != "number" and not isinstance(value, int)):
        raise UsageError(f"{_shown(value)} is not {_what(setting)}", hint=_meant(setting, str(value)))
    low, high, above = setting.minimum, setting.maximum, setting.above
    inside = (
        (low is None or value >= low) and (high is None or value <= high) and (above is None or value > above)
    )
    known = abs(value) <= _LARGEST if isinstance(value, int) else math.isfinite(value)
    if not inside or not known:
        raise UsageError(f"{value} is out of range: {_range(setting)}")
    return cast("float | int", value)


def _meant(setting: Setting, text: str) -> str:
    """What to write instead of a text that is no number; empty if that can't be known."""
    if setting.minimum == -1 and text in {"all", "max"}:
        return "-1 is for all"
    if setting.default is None and text in {"all", "none"}:
        return "leave it out"
    if re.fullmatch(r"[-\d.]+(,[-\d.]+)+", text):
        return SEVERAL if setting.kind == "whole" else f"write {text.replace(',', '.', 1)}; {SEVERAL}"
    unit = re.fullmatch(r"(\d+(?:\.\d+)?) ?([a-zA-Z]+)", text)
    if setting.metavar == "S" and unit and unit[2][0].lower() in _SECONDS:
        return f"in seconds: {float(unit[1]) * _SECONDS[unit[2][0].lower()]:g}"
    if setting.kind == "whole" and unit and unit[2] in {"k", "K"}:
        return f"write {int(float(unit[1]) * 1024)}"
    with contextlib.suppress(ValueError, OverflowError):
        if setting.kind == "whole" and float(text).is_integer():
            return f"write {int(float(text))}"
    return ""


def _what(setting: Setting) -> str:
    return "a number" if setting.kind == "number" else "a whole number"


def _range(setting: Setting) -> str:
    low, high, above = (_bound(setting, value) for value in (setting.minimum, setting.maximum, setting.above))
    if above:
        return f"more than {above}" + (f", at most {high}" if high else "")
    return f"{low} to {high}" if high else f"{low} or more"


def _bound(setting: Setting, value: float | None) -> str:
    """The bound as text; empty if there is none."""
    if value is None:
        return ""
    if setting.kind != "size":
        return f"{value:.12g}"
    unit = max((unit for unit, power in _UNITS.items() if value >= 1 << power), key=_UNITS.__getitem__)
    return f"{value / (1 << _UNITS[unit]):g}{unit}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    """The value as a manifest writes it."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return json.dumps(value, ensure_ascii=False)


def _quotes(value: Any) -> str:
    return "" if isinstance(value, dict | list) or value is None else "; put it in quotes"
