"""One run from start to end: record first, server, script, parse, record last, run log."""

from __future__ import annotations

import datetime as dt
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import msgspec

from parsers import registry
from parsers.contract import ScriptOutput, read_end
from results.errors import BenchError, Interrupted, ScriptError
from results.records import (
    ErrorRecord,
    Phases,
    Results,
    RunRecord,
    RunStatus,
    Score,
    ServerFacts,
)
from results.run_folder import RunFolder
from results.run_log import RUN_LOG_NAME, RunLog
from runner.host import harness_facts, host_facts
from runner.resume import require_same
from runner.script import run_script, script_command, script_environment
from servers.in_force import read_back
from servers.launch import plan as make_plan
from servers.models import identity
from servers.ports import require_free_port
from servers.supervisor import launch

if TYPE_CHECKING:
    from runner.display import Display
    from runner.script import ScriptRun
    from runner.spec import RunSpec
    from servers.plan import LaunchPlan
    from servers.supervisor import Server

RAW_OUTPUT_BYTES = 64 << 10  # of the script's stdout, in the record; the file has all of it


def run(spec: RunSpec, display: Display) -> RunRecord:
    """Do the run; return its record, which by then is in its folder and in the run log.

    A run that fails is recorded as failed, and one that is interrupted as interrupted, before the error goes on.
    Raises BenchError; whatever it raises, server and script are gone by then.
    """
    parser = registry.get(spec.parser)
    log = RunLog(spec.results_dir / RUN_LOG_NAME, warn=display.say)
    old = RunFolder.find(spec.results_dir, spec.resume) if spec.resume else None
    before = old.read_record() if old else None
    nonce = before.config["nonce"] if before else f"{time.time_ns() & 0xFFFF:04x}"
    plan = make_plan(spec.server, nonce=nonce)
    if plan.argv:
        require_free_port(plan.port, plan.host)
    log.check()
    name = spec.server.model.name if spec.server.model else (plan.model_name or "server")
    now = dt.datetime.now(dt.UTC)
    folder = old or RunFolder.create(spec.results_dir, spec.benchmark.name, name, now)
    with folder.claim(), ThreadPoolExecutor(1) as background:
        model = None if spec.server.model is None else spec.server.model
        hashing = background.submit(identity, model) if model else None  # while the server loads
        record = RunRecord(
            run_id=folder.run_id,
            timestamp=before.timestamp if before else now.isoformat(timespec="seconds"),
            status=RunStatus.STARTED,
            benchmark=spec.benchmark.name,
            model=name,
            config={**spec.config, **plan.asked, "port": plan.port, "nonce": nonce},
            server=ServerFacts(kind=plan.kind, command=plan.argv, url=plan.base_url, asked=plan.asked),
            resumed=before.resumed + 1 if before else 0,
            incidents=before.incidents if before else (),
            host=host_facts(),
            harness=harness_facts(),
        )
        if before:
            require_same(before, record, hashing.result() if hashing else None)
        folder.write_record(record)
        display.say(f"run {folder.run_id}")
        attempt = _Attempt(spec, plan, folder, record, display)
        error: BaseException | None = None
        try:
            attempt.measure()
            attempt.score(parser)
        except BaseException as caught:  # noqa: BLE001 - recorded, then raised again
            error = caught
        attempt.record = msgspec.structs.replace(
            attempt.record,
            status=_status(error),
            error=_error_record(error),
            model_identity=hashing.result() if hashing else None,
        )
        folder.write_record(attempt.record)
        log.append(attempt.record, replace=before is not None)
    display.close()
    if error is not None:
        raise _with_resume(error, folder.run_id)
    return attempt.record


class _Attempt:
    """The part of a run that may fail; `record` holds what is known so far."""

    def __init__(
        self, spec: RunSpec, plan: LaunchPlan, folder: RunFolder, record: RunRecord, display: Display
    ) -> None:
        self.spec = spec
        self.plan = plan
        self.folder = folder
        self.record = record
        self.display = display
        self._began = time.monotonic()

    def measure(self) -> None:
        """Server up, script through, server down. Raises ServerError, ScriptError, Interrupted."""
        self.display.say(f"starting {self.plan.kind} for {self.record.model}")
        with ExitStack() as stack:
            server = launch(
                self.plan,
                log_path=self.folder.server_log,
                ready_timeout_s=self.spec.supervision.ready_timeout_s,
            )
            stack.callback(self._stop, server)
            self._note_server(server)
            ended = self._run_script(server)
            self._phases(script_s=ended.seconds)
            self.record = msgspec.structs.replace(
                self.record, incidents=(*self.record.incidents, *ended.incidents)
            )
        self._require_success(ended)

    def _stop(self, server: Server) -> None:
        self._phases(stop_s=server.stop())

    def _note_server(self, server: Server) -> None:
        in_force, differences = read_back(self.plan, server.log.text())
        facts = self.record.server
        if facts is None:
            raise TypeError("a run's record names its server from the start")
        self.record = msgspec.structs.replace(
            self.record,
            server=msgspec.structs.replace(facts, in_force=in_force, differences=differences),
        )
        self._phases(load_s=server.load_s)
        self.display.say(f"ready after {server.load_s:.1f} s at {self.plan.base_url}")
        for difference in differences:
            self.display.say(f"note: {difference}")

    def _run_script(self, server: Server) -> ScriptRun:
        plan = self.plan
        model_name = plan.model_name or self.record.model
        concurrency = int(plan.asked.get("parallel") or 1)
        where = {
            "server_url": plan.base_url,
            "model_name": model_name,
            "folder": self.folder.path,
            "concurrency": concurrency,
        }
        command = script_command(self.spec, **where)
        self.record = msgspec.structs.replace(self.record, script_command=command)
        self.folder.write_record(self.record)
        return run_script(
            command,
            script_environment(self.spec, **where, api_key=plan.api_key),
            spec=self.spec,
            server=server,
            folder=self.folder,
            on_event=self._on_event,
            on_message=self.display.say,
        )

    def _on_event(self, event: dict[str, Any]) -> None:
        if event["event"] == "progress":
            self.display.progress(event)
        elif event["event"] == "phase" and event.get("phase") in {"generate", "probe"}:
            self.display.say({"generate": "generating", "probe": "probing the prompt style"}[event["phase"]])

    def _require_success(self, ended: ScriptRun) -> None:
        if ended.exit.code == 0:
            return
        tail = _last_lines(read_end(self.folder.script_log, 8 << 10))
        last = _last_error(read_end(self.folder.script_out, 64 << 10))
        raise ScriptError(
            last.get("message") or f"the script failed: {ended.exit.describe()}",
            hint=last.get("hint") or f"see {self.folder.script_log}",
            log_tail=tail,
            command=self.record.script_command,
        )

    def score(self, parser: Any) -> None:
        """Parse what the script left. Raises ParseError."""
        self._note_output()
        output = ScriptOutput.from_files(
            self.folder.script_out, self.folder.script_log, self.folder.path, exit_code=0
        )
        score: Score = parser.parse(output)
        results = msgspec.structs.replace(self.record.results, score=score.score)
        self.record = msgspec.structs.replace(self.record, score=score, results=results)
        self._phases(generate_s=score.generate_s, execute_s=score.execute_s)
        for warning in score.warnings:
            self.display.say(f"WARNING: {warning}")

    def _note_output(self) -> None:
        raw = read_end(self.folder.script_out, RAW_OUTPUT_BYTES)
        results = Results(time_taken=round(time.monotonic() - self._began, 3), raw_output=raw)
        self.record = msgspec.structs.replace(self.record, results=results)

    def _phases(self, **seconds: float | None) -> None:
        rounded = {name: None if value is None else round(value, 3) for name, value in seconds.items()}
        phases: Phases = msgspec.structs.replace(self.record.phases, **rounded)
        self.record = msgspec.structs.replace(self.record, phases=phases)


def _status(error: BaseException | None) -> RunStatus:
    if error is None:
        return RunStatus.SUCCEEDED
    return RunStatus.INTERRUPTED if isinstance(error, Interrupted) else RunStatus.FAILED


def _error_record(error: BaseException | None) -> ErrorRecord | None:
    if error is None:
        return None
    if isinstance(error, BenchError):
        return ErrorRecord(kind=error.kind, message=error.message, hint=error.hint, log_tail=error.log_tail)
    return ErrorRecord(kind="unexpected", message=f"{type(error).__name__}: {error}")


def _with_resume(error: BaseException, run_id: str) -> BaseException:
    """Say how to go on, where the run could."""
    if isinstance(error, Interrupted):
        error.hint = f"go on with the same command and --resume {run_id}"
    return error


def _last_lines(text: str, count: int = 20) -> str:
    return "\n".join(text.rstrip().splitlines()[-count:])


def _last_error(stdout: str) -> dict[str, str]:
    """The script's own words for its failure: its last "error" event."""
    for line in reversed(stdout.splitlines()):
        if line.startswith("{"):
            try:
                event = msgspec.json.decode(line)
            except msgspec.DecodeError:
                continue
            if isinstance(event, dict) and event.get("event") == "error":
                return {key: str(event.get(key) or "") for key in ("message", "hint")}
    return {}

