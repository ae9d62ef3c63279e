"""What the script of a run of kld is told of its reference, which is made first if it isn't in the cache."""

from __future__ import annotations

import contextlib
import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

from results.durable import explained
from results.errors import ResultsError
from results.files import open_to_read
from results.store.run_folder import RunFolder
from runner.kld.choice import facts_of, key_of, reference_request
from runner.kld.predictions_cache import (
    claimed,
    is_there,
    is_whole,
    make_room,
    note_whole,
    predictions_folder,
)
from runner.kld.way import measured_text
from runner.script.command import Target, prepare_script
from runner.script.following import require_success, run_script
from servers.launch import plan as make_plan
from servers.supervisor import launch
from servers.watchdog import Watchdog
from settings.benchmark_settings import KLD_TOP, KLD_WINDOW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from results.records import Incident
    from results.stats.divergence import KldReference
    from runner.display import Display
    from runner.kld.choice import KldChoice
    from runner.spec import RunSpec
    from servers.models import Model
    from servers.plan import LaunchPlan

_BYTES_PER_TOKEN = 2.5  # of text; most vocabularies have more, so that the need is not told too low
_KEPT_BYTES = 11  # of a likely token: id and log-probability in base64
_LARGEST_VOCABULARY = 300_000


@contextlib.contextmanager
def reference_words(
    spec: RunSpec, plan: LaunchPlan, choice: KldChoice, folder: RunFolder, display: Display
) -> Iterator[tuple[str, ...]]:
    """The script's words about the reference, for as long as it runs. Starts no server.

    What is read is kept from being deleted meanwhile. Raises ResultsError where another run has deleted it before that.
    A run with nothing to compare with writes its predictions into the cache, so that it can be a reference.
    """
    read = choice.key if choice.model is None else _key(spec, choice.model, folder)
    if read is not None:
        with claimed(read, display.say, to_read=True) as there:
            if not is_there(read):
                raise ResultsError(
                    f"another run has just deleted the predictions of the reference, to make room: {there}",
                    hint="run it again"
                    if choice.model is not None
                    else "make them again: rerun the run that --kld-reference names, and give the new run's id",
                )
            yield ("--reference", str(there))
        return
    key = key_of(spec, spec.server, plan, run_id=folder.run_id, text_sha256=text_sha256(spec))
    name = plan.model.name if plan.model else (plan.model_name or "server")
    with claimed(key, display.say) as there:
        if not is_whole(key, spec.asked["limit"]):
            _tell_need(spec, key, display.say)
        yield _writing(there, facts_of(spec, spec.server, name=name, run_id=folder.run_id))
        note_whole(key, spec.asked["limit"])


def make_reference(
    spec: RunSpec,
    choice: KldChoice,
    folder: RunFolder,
    display: Display,
    *,
    pause: Callable[[], None],
) -> None:
    """Serve the reference and ask for its predictions, unless they are in the cache. No server is left when it returns.

    pause: stops a server that is kept for later runs, so that the reference has its memory. Raises like `launch` and
    `run_script`.
    """
    if choice.model is None:
        return
    key = _key(spec, choice.model, folder)
    limit = spec.asked["limit"]
    found = f"the predictions of the reference {choice.model.name} are in the cache"
    with claimed(key, display.say, to_read=True):  # others that read it needn't be waited for
        if is_whole(key, limit):
            display.say(found)
            return
    with claimed(key, display.say):
        if is_whole(key, limit):
            display.say(found)
            return
        _tell_need(spec, key, display.say)
        pause()
        _ask(spec, choice.model, key, folder, display)
        note_whole(key, limit)


def text_sha256(spec: RunSpec) -> str:
    """Of the file that is measured on. Raises ResultsError."""
    path = measured_text(spec.asked)
    with explained("read", path), open_to_read(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _ask(spec: RunSpec, model: Model, key: str, folder: RunFolder, display: Display) -> None:
    """In a folder of its own inside the run's: its log, and the script's output."""
    own = RunFolder(folder.path / "reference")
    with explained("write", own.path):
        own.path.mkdir(exist_ok=True)
    request = reference_request(spec, model)
    plan = make_plan(request, nonce="reference")
    facts = facts_of(spec, request, name=model.name, run_id="")
    target = Target(
        base_url=plan.base_url.url,
        model_name=plan.model_name or model.name,
        output_dir=own.path,
        concurrency=int(plan.asked.get("parallel") or 1),
        api_key=plan.api_key,
        words=_writing(predictions_folder(key), facts),
    )
    script = prepare_script(spec, target)
    display.say(f"serving the reference {model.name} first")
    began = own.script_out.stat().st_size if own.script_out.exists() else 0
    with launch(plan, log_path=own.server_log, ready_timeout_s=spec.asked["ready_timeout"]) as server:
        watchdog = Watchdog(
            server,
            stall_timeout_s=spec.asked["stall_timeout"],
            max_restarts=spec.asked["max_restarts"],
            on_incident=_ignored,
            say=display.say,
        )

        def show(event: dict[str, Any]) -> None:
            if event["event"] == "progress":
                display.progress(event)
            elif event["event"] == "start":
                display.progress({**event, "done": event["finished"]})

        ended = run_script(script, own, watchdog, on_event=show)
    display.close()
    require_success(ended, own, said_from=began, command=script.shown)


def _ignored(incident: Incident) -> None:
    """A restart changes no prediction; the watchdog tells the user."""


def _key(spec: RunSpec, model: Model, folder: RunFolder) -> str:
    request = reference_request(spec, model)
    plan = make_plan(request, nonce="reference")
    return key_of(spec, request, plan, run_id=folder.run_id, text_sha256=text_sha256(spec))


def _writing(folder: Path, facts: KldReference) -> tuple[str, ...]:
    return ("--write-reference", str(folder), "--facts", msgspec.json.encode(facts).decode())


def _tell_need(spec: RunSpec, key: str, say: Callable[[str], None]) -> None:
    """Say what the predictions need on disk before anything starts, and make room for them."""
    path = measured_text(spec.asked)
    with explained("read", path):
        tokens = path.stat().st_size / _BYTES_PER_TOKEN / 2
    if (limit := spec.asked["limit"]) is not None:
        tokens = min(tokens, limit * int(spec.asked["kld_window"] or KLD_WINDOW) / 2)
    top = min(int(spec.asked["kld_top"] or KLD_TOP), _LARGEST_VOCABULARY)
    need = int(tokens * (top + 1) * _KEPT_BYTES)
    make_room(key, need, say)
    say(
        f"the reference's predictions take up to {need / (1 << 20):.1f} MiB in {predictions_folder(key).parent}"
    )
