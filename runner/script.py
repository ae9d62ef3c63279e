"""Run the benchmark's script as a subprocess: its command line, its environment, and following it next to the
server.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

from parsers.contract import read_end
from processes import process as processes
from results.errors import CapReached, RateLimited, ResultsError, ResumeMismatch, ScriptError, UsageError
from results.plain_text import tail
from runner.events import EventTail, last_error
from settings.benchmarks import WAIT_VARIABLE
from settings.optimising.rows import REFLECTOR_KEY
from settings.providers import COMPATIBLE, provider_of
from settings.secrets import read_key, without_secrets
from settings.variables import Filled, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from processes.process import Exit, ManagedProcess
    from runner.spec import RunSpec
    from settings.benchmarks import Benchmark
    from settings.setting import Setting

ROOT = Path(__file__).resolve().parent.parent
OUTPUT_LIMIT_BYTES = 1 << 30  # of stdout, which parsers read whole; a script that prints more is broken
ERROR_WITHIN_BYTES = 64 << 10  # from its end: where a script says why it failed
STOP_S = 10.0  # for a script to end in order
UNNEEDED_S = 1.0  # for one that has nothing to save yet
LOOK_S = 0.1  # how often to look for new events; the end is seen at once


@dataclass(frozen=True, kw_only=True)
class Target:
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


@dataclass(frozen=True, kw_only=True)
class Script:
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


@dataclass(frozen=True)
class ScriptRun:
    """How the script ended. seconds: its whole time, including restarts of the server; not that before its server was
    there.
    """

    exit: Exit
    seconds: float


class Watching(Protocol):
    """Who looks after the server while a script is at work; see `servers.watchdog.Watchdog`."""

    def look(self, in_flight: int | None) -> None: ...

    def watched(self) -> Sequence[int]: ...


class Outputs(Protocol):
    """Where a script's stdout and stderr go; a `RunFolder` says it of the benchmark's script."""

    @property
    def script_out(self) -> Path: ...

    @property
    def script_log(self) -> Path: ...


class NothingToWatch:
    """Implements `Watching` for a script that needs no server."""

    def look(self, in_flight: int | None) -> None:
        del in_flight

    def watched(self) -> tuple[int, ...]:
        return ()


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


class EarlyScript:
    """A script that loads while its server does, and waits for it. A context manager, whose end stops the script."""

    def __init__(self, script: Script, folder: Outputs) -> None:
        self._grace_s = UNNEEDED_S
        waits, self._tell = os.pipe()
        try:
            environment = {**script.environment, WAIT_VARIABLE: str(waits)}
            self.events = EventTail(folder.script_out)
            self.process = _started(replace(script, environment=environment), folder, passed=(waits,))
        except BaseException:
            os.close(self._tell)
            raise
        finally:
            os.close(waits)

    def go(self) -> None:
        """The server is there. To be called once."""
        self._grace_s = STOP_S
        with contextlib.suppress(BrokenPipeError):  # it has ended already, as `run_script` will see
            os.write(self._tell, b"\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        try:
            self.process.stop(self._grace_s)
        finally:
            os.close(self._tell)


def run_script(
    script: Script,
    folder: Outputs,
    watchdog: Watching,
    *,
    on_event: Callable[[dict[str, Any]], None],
    on_process: Callable[[ManagedProcess], None] | None = None,
    early: EarlyScript | None = None,
) -> ScriptRun:
    """Run the script to its end while the watchdog keeps the server working. on_process: called with it at once. early:
    it, if it was started before its server, which is there now.

    Raises ScriptError (timeout, too much output) and ServerError (no restart left); the script is gone by then.
    """
    events = EventTail(folder.script_out) if early is None else early.events
    in_flight: int | None = None  # as the script counts; external scripts may not report it
    began = time.monotonic()
    with _started(script, folder) if early is None else early.process as process:
        if on_process is not None:
            on_process(process)
        if early is not None:
            early.go()
        while True:
            ended = process.poll()
            for event in events.read():
                in_flight = in_flight if event.get("in_flight") is None else event["in_flight"]
                on_event(event)
            if ended is not None:
                _drain(events, on_event)
                return ScriptRun(ended, time.monotonic() - began)
            if script.timeout_s is not None and time.monotonic() - began > script.timeout_s:
                raise ScriptError(
                    f"the script was still running after {script.timeout_s:g} s",
                    hint="raise --script-timeout; what is finished is kept, and --resume continues from there",
                )
            _require_small(folder.script_out)
            watchdog.look(in_flight)
            select.select([process.fileno(), *watchdog.watched()], [], [], LOOK_S)


def _started(script: Script, folder: Outputs, *, passed: Sequence[int] = ()) -> ManagedProcess:
    return processes.start(
        script.command,
        output=folder.script_log,
        stdout=folder.script_out,
        env=script.environment,
        cwd=script.cwd,
        passed=passed,
    )


def require_success(ended: ScriptRun, folder: Outputs, *, said_from: int, command: tuple[str, ...]) -> None:
    """Raises ScriptError, CapReached, RateLimited, ResultsError or ResumeMismatch with the script's own words.

    said_from: where its output begins in the file, behind that of earlier tries.
    """
    if ended.exit.code == 0:
        return
    said_bytes = folder.script_out.stat().st_size - said_from
    last = last_error(read_end(folder.script_out, min(said_bytes, ERROR_WITHIN_BYTES)))
    if ended.exit.code == ResultsError.exit_code and last.get("message"):
        if last["kind"] == ResumeMismatch.kind:
            hint = "use the same settings as the first time, or start a new run without --resume"
            raise ResumeMismatch(last["message"], hint=last["hint"] if "rejudge" in last["hint"] else hint)
        raise ResultsError(last["message"], hint=last["hint"])
    if ended.exit.code == CapReached.exit_code and last.get("kind") == CapReached.kind:
        raise CapReached(last["message"], hint=last["hint"])
    if ended.exit.code == RateLimited.exit_code and last.get("kind") == RateLimited.kind:
        raise RateLimited(last["message"], hint=last["hint"])
    raise ScriptError(
        last.get("message") or f"the script failed: {ended.exit.describe()}",
        hint=last.get("hint") or f"see {folder.script_log}",
        log_tail=tail(read_end(folder.script_log, 8 << 10)),
        command=command,
    )


def _drain(events: EventTail, on_event: Callable[[dict[str, Any]], None]) -> None:
    position = -1
    while position != events.size_bytes:
        position = events.size_bytes
        for event in events.read():
            on_event(event)


def _require_small(printed: Path) -> None:
    if printed.exists() and printed.stat().st_size > OUTPUT_LIMIT_BYTES:
        raise ScriptError(
            f"the script printed more than {OUTPUT_LIMIT_BYTES >> 30} GiB into {printed}",
            hint="let it print less, or to stderr; one JSON line per event is enough",
        )
