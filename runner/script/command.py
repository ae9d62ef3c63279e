"""What a benchmark's script is started with: its command line, its environment, its folder."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Self

import msgspec

from results.errors import UsageError
from runner.script import ROOT
from settings.optimising.rows import REFLECTOR_KEY
from settings.providers import COMPATIBLE, provider_of
from settings.secrets import read_key, without_secrets
from settings.variables import Filled, shown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from runner.spec import RunSpec
    from settings.benchmarks import Benchmark
    from settings.setting import Setting


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What the script is told about the server, and where it writes. words: further ones, for our own scripts.
    base_url: "" without a server. api_url: where its API lies; None: at /v1 below. address: what our own scripts get;
    None: the base_url. key_variables: where else than in OPENAI_API_KEY the provider's key is looked for.
    """

    base_url: str
    model_name: str
    output_dir: Path
    concurrency: int
    api_key: str | None = None
    words: tuple[str, ...] = ()
    api_url: str | None = None
    address: str | None = None
    key_variables: tuple[str, ...] = ()


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """A script that is ready to start.

    shown: the command for records and people. cwd: None means the user's current folder. timeout_s: for the whole
    script; None means no limit.
    """

    command: tuple[str, ...]
    shown: tuple[str, ...]
    environment: Mapping[str, str]
    cwd: Path | None
    timeout_s: float | None

    @classmethod
    def without_server(cls, command: tuple[str, ...], *, shown: tuple[str, ...]) -> Self:
        """One of ours that works on answers that are there, and takes the time that it takes."""
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        return cls(command=command, shown=shown, environment=environment, cwd=ROOT, timeout_s=None)


def prepare_script(spec: RunSpec, target: Target, *, family_style: str | None = None) -> Script:
    """The run's script. Our own scripts run in the checkout, where their packages are. family_style: how they ask the
    model where the settings leave it open. Raises UsageError.
    """
    command = script_command(spec, target)
    if family_style is not None and spec.external_script is None:
        command = (*command, "--family-style", family_style)
    return Script(
        command=command,
        shown=without_secrets(command),
        environment=script_environment(spec, target),
        cwd=ROOT if spec.external_script is None else None,
        timeout_s=spec.asked["script_timeout"],
    )


def script_command(spec: RunSpec, target: Target) -> tuple[str, ...]:
    """The exact command line. Raises UsageError if --script-args have an unknown placeholder, or one whose value would
    become an option.
    """
    script = spec.external_script
    if script is None:
        options = {
            "base-url": target.address or target.base_url,
            "model": target.model_name,
            "output": str(target.output_dir),
            "concurrency": str(target.concurrency),
        }
        words = [part for name, value in options.items() if value for part in _words(f"--{name}", value)]
        if spec.server.provider is not None:
            words += _words("--provider", spec.server.provider)
        if spec.server.provider_params is not None:
            words += _words("--provider-params", spec.server.provider_params)
        for setting, value in spec.for_script():
            words += option_words(setting, value)
        words += suite_words(spec.benchmark)
        return (sys.executable, "-m", spec.benchmark.module, *words, *target.words)
    facts = _facts(spec, target)
    try:
        args = [_with_facts(part, facts) for part in spec.asked["script_args"] or ()]
    except (KeyError, IndexError, ValueError) as error:
        known = " ".join(f"{{{name}}}" for name in facts)
        raise UsageError(
            f"--script-args: unknown placeholder {error}",
            hint=f"known: {known}; write {{{{ for a brace",
            settings=("script_args",),
        ) from error
    interpreter = () if os.access(script, os.X_OK) else (sys.executable,)
    return (*interpreter, str(script), *args)


def option_words(setting: Setting, value: Any) -> list[str]:
    """The setting as an option of our own scripts."""
    if setting.kind == "flag":
        return [setting.option] if value else []
    return _words(setting.option, value if isinstance(value, str) else str(value))


def suite_words(benchmark: Benchmark) -> list[str]:
    """Which suite it is; nothing for a benchmark that is a program."""
    return [] if benchmark.suite is None else _words("--suite", str(benchmark.suite))


def _words(option: str, text: str) -> list[str]:
    """An option and its value, in one word if the value looks like an option."""
    if text.startswith("-"):
        whole = f"{option}={text}"
        return [Filled(whole, f"{option}={shown(text)}") if isinstance(text, Filled) else whole]
    return [option, text]


def _with_facts(word: str, facts: Mapping[str, str]) -> str:
    """Fill in placeholders. In records, a word with variables stays as written."""
    whole = word.format_map(facts)
    if whole.startswith("-") and not word.startswith("-"):
        raise UsageError(
            f"--script-args: {shown(word)} would become {whole!r}, which a program reads as an option",
            hint=f"write it in one word with its option: --name={shown(word)}",
            settings=("script_args",),
        )
    return Filled(whole, word.written) if isinstance(word, Filled) else whole


def script_environment(spec: RunSpec, target: Target) -> dict[str, str]:
    """The same facts as environment variables, including those that most tools read.

    Replaces the user's OPENAI_API_KEY, so that a key for another service is never sent to this server.
    """
    facts = _facts(spec, target)
    return {
        **os.environ,
        **{f"BENCH_{name.upper()}": value for name, value in facts.items() if value},
        "BENCH_API_KEY": target.api_key or "",
        "OPENAI_BASE_URL": facts["api_url"],
        **(dict.fromkeys(target.key_variables, target.api_key) if target.api_key else {}),
        "OPENAI_API_KEY": target.api_key or "none",
        **_reflector_key(spec),
        "PYTHONUNBUFFERED": "1",
    }


def _reflector_key(spec: RunSpec) -> dict[str, str]:
    """The key of the provider whose model writes prompts: what stands in its own variable may be replaced above."""
    name = spec.asked["reflector_provider"] or (COMPATIBLE if spec.asked["reflector_base_url"] else None)
    if name is None:
        return {}
    key = next(filter(None, map(read_key, provider_of(name).key_variables)), "")
    return {REFLECTOR_KEY: key}


def _facts(spec: RunSpec, target: Target) -> dict[str, str]:
    model = spec.server.model
    asked = {
        name: "" if (value := spec.asked[name]) is None else str(value)
        for name, setting in spec.asked.table.items()
        if setting.to_script and not setting.is_own
    }
    return {
        "base_url": target.base_url,
        "api_url": target.api_url or f"{target.base_url}/v1",
        "model": target.model_name,
        "model_path": str(model.path.absolute()) if model is not None and model.path is not None else "",
        "output_dir": str(target.output_dir),
        "concurrency": str(target.concurrency),
        **asked,
    }
