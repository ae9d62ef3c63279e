"""The settings of a run that a manifest can give: those of the command `run`, their names with underscores."""

from __future__ import annotations

import difflib
import json
import math
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from results.errors import UsageError
from settings.benchmarks import BENCHMARKS, all_options
from settings.parsers import PARSERS
from settings.variables import expand

if TYPE_CHECKING:
    from collections.abc import Iterable

Expansions = tuple[tuple[str, str], ...]

Kind = Literal["text", "whole", "number", "words", "path", "model"]
_COUNT = 1_000_000  # as runner.spec.require_count
_SEED = 2**31 - 1
SERVER_KINDS = ("llama.cpp", "vllm", "command", "attach")


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One setting. words: a list of words, or a text that is split as a shell does it. path: of a file that exists.

    choices: the only values there are. minimum, maximum: inclusive. default: what `run` takes when it is not given.
    own: of single benchmarks, handed on to their scripts as text. pattern: what the whole of such a text matches.
    """

    name: str
    kind: Kind
    help: str
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    default: Any = None
    own: bool = False
    pattern: str = ""


def _count(name: str, text: str) -> Setting:
    return Setting(name=name, kind="whole", help=text, minimum=1, maximum=_COUNT)


def _seconds(name: str, text: str, default: float | None = None) -> Setting:
    return Setting(name=name, kind="number", help=text, minimum=0, default=default)


def settings() -> dict[str, Setting]:
    """All of them by name, in the order of --help."""
    general = (
        Setting(name="benchmark", kind="text", help="What is run.", choices=tuple(BENCHMARKS)),
        Setting(name="script", kind="path", help="Another program instead of our script."),
        Setting(name="script_args", kind="words", help="Its arguments, with placeholders such as {base_url}."),
        _seconds("script_timeout", "Seconds for the whole script."),
        Setting(name="parser", kind="text", help="What reads the script's output.", choices=tuple(PARSERS)),
        Setting(
            name="model",
            kind="model",
            help="A GGUF file, a glob of GGUF files, a Hugging Face folder or name, hf:repo/file.gguf, or demo.",
        ),
        Setting(name="server", kind="text", help="The kind of server.", choices=SERVER_KINDS),
        Setting(name="server_binary", kind="text", help="llama-server, vllm, or the Python that has vLLM."),
        Setting(name="server_command", kind="text", help="Any server: 'serve {model} --port {port}'."),
        Setting(
            name="health_path", kind="text", help="Answers 200 when a server of that command is ready.",
            default="/health",
        ),
        Setting(name="base_url", kind="text", help="A server that already runs."),
        Setting(name="gpu_layers", kind="whole", help="Layers on the GPU (llama.cpp); -1: all.", minimum=-1),
        _count("ctx_size", "Tokens of context for each slot."),
        _count("parallel", "Slots of the server, and requests at once."),
        Setting(
            name="gpu_memory_utilization", kind="number", help="vLLM's own: a fraction of the card.", minimum=0,
            maximum=1,
        ),
        _count("tensor_parallel_size", "vLLM's own: cards that share the model."),
        Setting(name="port", kind="whole", help="Of the server; a free one when left out.", minimum=1, maximum=65535),
        _count("limit", "Only the first so many samples."),
        _count("n_samples", "Completions a sample, for pass@k."),
        Setting(name="temperature", kind="number", help="0: greedy.", minimum=0, maximum=5),
        _count("max_tokens", "The longest answer."),
        Setting(name="seed", kind="whole", help="Of the sampling.", minimum=0, maximum=_SEED),
        Setting(
            name="shuffle", kind="whole", help="Samples in a random order, the same for the same number.", minimum=0,
            maximum=_SEED,
        ),
        Setting(
            name="prompt_style", kind="text", help="How the model is asked.", choices=("auto", "chat", "completion")
        ),
        Setting(
            name="sandbox", kind="text", help="Where the model's code is executed.",
            choices=("auto", "bubblewrap", "landlock", "container", "process"), default="auto",
        ),
        _seconds("ready_timeout", "Seconds until the server must be ready.", 600.0),
        _seconds("stall_timeout", "Seconds without progress until the server is restarted.", 120.0),
        Setting(
            name="max_restarts", kind="whole", help="How often in one run.", minimum=0, default=3
        ),
        Setting(name="server_args", kind="words", help="Handed to the server as they are.", default=()),
    )  # fmt: skip
    own = (
        Setting(
            name=option.key,
            kind="path" if option.is_path else "text",
            help=f"{option.help} Of {', '.join(benchmarks)}.",
            own=True,
            pattern=option.pattern,
        )
        for option, benchmarks in all_options().values()
    )
    return {setting.name: setting for setting in (*general, *own)}


def read_value(setting: Setting, value: Any) -> tuple[Any, Expansions]:
    """The value as `build_spec` takes it (None stays None), and what variables filled in: (value, as written).

    Raises UsageError saying what is wrong with it.
    """
    if setting.kind == "words" and value is not None:
        expanded = [expand(word) for word in _words(value)]
        words = tuple(text for text, _ in expanded)
        filled = tuple(pair for _, pairs in expanded for pair in pairs)
        return (words if setting.name == "server_args" else shlex.join(words)), filled
    if not isinstance(value, str):
        return typed(setting, value), ()
    text, filled = expand(value)
    if filled and setting.kind in {"whole", "number"}:
        return _from_text(setting, text), filled
    return typed(setting, text), filled


def typed(setting: Setting, value: Any) -> Any:
    """The value when it is one of the setting. Raises UsageError."""
    if value is None:
        return None
    if setting.kind in {"whole", "number"}:
        return _number(setting, value)
    if setting.own and _is_number(value):
        value = str(value)
    if not isinstance(value, str):
        raise UsageError(f"{_shown(value)} is not a text{_quotes(value)}")
    if setting.choices and value not in setting.choices:
        raise UsageError(
            f"{value!r} is not one of {', '.join(setting.choices)}{closest(value, setting.choices)}"
        )
    if not value.strip() and setting.name != "health_path":  # an empty one is meant there: none is asked
        raise UsageError("is empty")
    return value


def closest(word: str, known: Iterable[str]) -> str:
    """`; did you mean ...?`, or nothing."""
    plain = word.lower().replace("-", "_").lstrip("_")
    close = difflib.get_close_matches(plain, list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""


def _words(value: Any) -> list[str]:
    if isinstance(value, str):
        try:
            return shlex.split(value)
        except ValueError as error:
            raise UsageError(f"can't be split into words: {error}") from None
    if not isinstance(value, list):
        raise UsageError(f"{_shown(value)} is neither a text nor a list of words")
    words = [str(word) if _is_number(word) else word for word in value]
    for word in words:
        if not isinstance(word, str):
            raise UsageError(f"{_shown(word)} in it is not a text{_quotes(word)}")
    return words


def _from_text(setting: Setting, text: str) -> float | int:
    try:
        return _number(setting, int(text) if setting.kind == "whole" else float(text))
    except ValueError:
        raise UsageError(f"{text!r} is not {_what(setting)}") from None


def _number(setting: Setting, value: Any) -> float | int:
    if not _is_number(value) or (setting.kind == "whole" and not isinstance(value, int)):
        raise UsageError(f"{_shown(value)} is not {_what(setting)}")
    low, high = setting.minimum, setting.maximum
    if not math.isfinite(value) or (low is not None and value < low) or (high is not None and value > high):
        raise UsageError(f"{value} is out of range: {_range(low, high)}")
    return cast("float | int", value)


def _what(setting: Setting) -> str:
    return "a whole number" if setting.kind == "whole" else "a number"


def _range(low: float | None, high: float | None) -> str:
    if high is None:
        return f"{low:g} or more"
    return f"{low:.12g} to {high:.12g}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    """As it stands in a manifest."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return json.dumps(value, ensure_ascii=False)


def _quotes(value: Any) -> str:
    return "" if isinstance(value, dict | list) or value is None else "; put it in quotes"
