"""Words that click refuses: what is wrong with them, and one thing to try."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any

import click

from results.errors import UsageError
from results.files import user_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

# Options of llama-server and vLLM that have another name here, and what other programs call ours.
OURS = {
    "-c": "--ctx-size",
    "-m": "--model",
    "-n": "--max-tokens",
    "-ngl": "--gpu-layers",
    "-np": "--parallel",
    "-s": "--seed",
    "-tp": "--tensor-parallel-size",
    "--api-base": "--base-url",
    "--margin": "--fail-if-worse",
    "--max-model-len": "--ctx-size",
    "--n-gpu-layers": "--gpu-layers",
    "--n-predict": "--max-tokens",
    "--num-samples": "--n-samples",
    "--output-dir": "--results-dir",
    "--samples": "--limit",
    "--task": "--benchmark",
    "--temp": "--temperature",
    "--timeout": "--request-timeout",
    "--url": "--base-url",
}
_NUMBER = re.compile(r"-?\d+(\.\d+)?")


@contextlib.contextmanager
def in_our_words() -> Iterator[None]:
    """Turn click's errors into UsageError, which has a hint. Help that is shown as an error stays."""
    try:
        yield
    except click.UsageError as error:
        if isinstance(error, getattr(click.exceptions, "NoArgsIsHelpError", ())):
            raise
        raise _explained(error) from None


def no_such_option(
    name: str, possibilities: Iterable[str], ctx: click.Context | None, *, for_server: bool = False
) -> UsageError:
    """name: as it was typed. for_server: the command passes options on to the server after --."""
    typed, name = name, name.partition("=")[0] if name.startswith("--") else name
    known = {option for each in ctx.command.params for option in each.opts} if ctx else set()
    likely = [each for each in possibilities if each != "--help"]
    meant = OURS[name] if OURS.get(name) in known else next(iter(likely), "")
    if name == "--model" and "models" in known:
        hints = ["models stand without an option: `sweep some.gguf other.gguf --benchmark ...`"]
    else:
        hints = [f"did you mean {meant}?"] if meant else []
        hints += [f"one of the server's goes after --: `-- {typed}`"] if for_server else []
    return UsageError(f"there is no option {name}", hint=_joined(*hints, _see(ctx) if hints else _usage(ctx)))


def no_such_command(name: str, known: Iterable[str], ctx: click.Context) -> UsageError:
    """name: as it was typed. known: the commands."""
    from settings.values import close_match

    meant = close_match(name, known)
    return UsageError(
        f"there is no command {name!r}", hint=_joined(f"did you mean {meant}?" if meant else "", _see(ctx))
    )


def stray_word(word: str, benchmarks: Iterable[str]) -> UsageError:
    """A word of `run` that belongs to no option and doesn't stand after --."""
    from settings.suites import is_suite_file

    if word in benchmarks or is_suite_file(word):
        hint = f"give it as --benchmark {word}"
    elif word.lower().endswith(".gguf") or "/" in word:
        hint = f"give a model as --model {word}; `sweep` takes several"
    else:
        hint = "an option has one value here; what goes to the server stands after --"
    return UsageError(f"{word!r} belongs to no option", hint=hint)


def require_words(models: Sequence[str], given: Mapping[str, Any]) -> None:
    """Raise UsageError if `sweep` is given nothing, or a number in place of a model."""
    stray = next((word for word in models if _NUMBER.fullmatch(word) and not user_path(word).exists()), None)
    if stray is not None:
        raise UsageError(
            f"{stray!r} belongs to no option",
            hint="commas separate several values of an option, as in --gpu-layers 0,80",
        )
    if not models and not given:
        raise UsageError(
            "nothing says what to run",
            hint="name models and a benchmark: sweep 'models/*.gguf' --benchmark human_eval; or a manifest",
        )


def _explained(error: click.UsageError) -> UsageError:
    from settings.benchmarks import BENCHMARKS

    if isinstance(error, click.NoSuchOption):
        return no_such_option(error.option_name, error.possibilities or (), error.ctx)
    if isinstance(error, click.MissingParameter):
        name = error.param.human_readable_name.upper() if error.param else "a word"
        return UsageError(f"{name} is missing", hint=_usage(error.ctx))
    if isinstance(error, click.BadParameter):
        return _bad_value(error)
    message = error.format_message().rstrip(".")
    stray = re.search(r"unexpected extra arguments? \((\S+?)[ )]", message)
    options = {option for each in error.ctx.command.params for option in each.opts} if error.ctx else set()
    if stray and stray[1] in BENCHMARKS and "--benchmark" in options:
        return UsageError(f"{stray[1]!r} belongs to no option", hint=f"give it as --benchmark {stray[1]}")
    message = message.replace("got unexpected", "unexpected").replace("Got unexpected", "unexpected")
    return UsageError(message[:1].lower() + message[1:], hint=_usage(error.ctx) or _see(error.ctx))


def _bad_value(error: click.BadParameter) -> UsageError:
    from settings.values import close_match

    message, hint = error.message.rstrip("."), _see(error.ctx)
    kind = error.param.type if error.param else None
    if isinstance(kind, click.Choice):
        known = [str(each) for each in kind.choices]
        typed = message.partition("' is not one of")[0].lstrip("'")
        meant = close_match(typed, known)
        message = f"{typed!r} is not one of {', '.join(known)}"
        hint = f"did you mean {meant}?" if meant else hint
    elif isinstance(kind, click.IntRange | click.FloatRange):
        comma = re.match(r"'(\d+),(\d+)'", message)
        hint = f"write {comma[1]}.{comma[2]}" if comma else hint
        message = re.sub(r"is not in the range (.*)<=x<=(.*)", r"is out of range: \1 to \2", message)
        message = re.sub(r"is not in the range x>=(.*)", r"is out of range: \1 or more", message)
        message = message.replace("is not a valid integer range", "is not a whole number")
        message = message.replace("is not a valid float range", "is not a number")
    elif isinstance(kind, click.Path):
        message = message.removeprefix("Directory ").removeprefix("File ").replace("directory", "folder")
        hint = f"give a {'folder' if message.endswith('is a file') else 'file'}; {hint}"
    option = error.param.opts[0] if isinstance(error.param, click.Option) else ""
    return UsageError(f"{option}: {message}" if option else message[:1].lower() + message[1:], hint=hint)


def _see(ctx: click.Context | None) -> str:
    return f"see `{ctx.command_path if ctx else 'bench_runner.py'} --help`"


def _usage(ctx: click.Context | None) -> str:
    if ctx is None:
        return ""
    return f"{' '.join(ctx.get_usage().removeprefix('Usage: ').split())}; {_see(ctx)}"


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part).replace("?;", "?")
