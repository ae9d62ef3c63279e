"""The part of a run that may fail: start the server, run the script, stop the server, parse the output."""

from __future__ import annotations

import time
from contextlib import ExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from parsers.contract import ScriptOutput, read_end
from parsers.fit import fitted
from results.durable import explained
from results.errors import BenchError, ParseError, ScriptError, UsageError
from results.records import Outcome
from runner.asked_style import on_style
from runner.attached import ProvidedServer
from runner.display import TrialLines
from runner.fingerprint import fingerprint, served_by
from runner.kld.serverless import PHASES, NoServer
from runner.program_age import changed_s
from runner.script.command import Target, prepare_script
from runner.script.following import EarlyScript, ScriptRun, require_success, run_script
from runner.serving import MeasuredServer
from servers.effective import gives_prompt_logprobs
from servers.speculation.acceptance import drafted_in_log
from servers.watchdog import Watchdog
from settings.parsers import BY_PROMPT_LOGPROBS
from settings.providers import provider_of
from telemetry.measure import Telemetry

if TYPE_CHECKING:
    from types import TracebackType

    from parsers.contract import Parser
    from results.records import Incident, RunRecord
    from results.store.family_styles import StyleClaim
    from results.store.runs import RunEntry
    from results.telemetry import TelemetrySummary
    from runner.display import Display
    from runner.kld.choice import KldChoice
    from runner.scoring.asked import ScoringAsked
    from runner.scoring.baseline import Baseline
    from runner.script.command import Script
    from runner.script.standby import Standby
    from runner.serving import Held, Serving
    from runner.spec import RunSpec
    from servers.plan import LaunchPlan

RAW_OUTPUT_BYTES = 8 << 10  # how much of the script's stdout is in the record; the file has all of it
ERROR_WITHIN_BYTES = 64 << 10  # how much of its end is searched for the reason of a failure
STARTING = {
    "attach": "using the running server",
    "embedded": "starting the built-in llama.cpp",
    "llama.cpp": "starting llama-server",
    "provider": "asking the provider",
    "llama-perplexity": "running llama-perplexity, without a server,",
    "vllm": "starting vLLM",
}
SAID_PHASES = {
    "expected": "finding what the reference solutions give",
    "generate": "generating",
    "load": "loading the model",
    "probe": "probing the prompt style",
    "reference": "asking the reference first",
}


class Attempt:
    """One try at a run. `record` always has what is known so far."""

    def __init__(
        self,
        spec: RunSpec,
        plan: LaunchPlan,
        entry: RunEntry,
        record: RunRecord,
        display: Display,
        *,
        serving: Serving,
        style: StyleClaim | None = None,
        kld: KldChoice | None = None,
        standby: Standby | None = None,
    ) -> None:
        self.record = record
        self._style = style
        self._kld = kld
        self._standby = standby
        self._spec = spec
        self._plan = plan
        self._entry = entry
        self._folder = folder = entry.folder
        self._display = display
        self._trials = TrialLines()
        self._began = time.monotonic()
        # A resumed run continues in the same files.
        self._output_began = folder.script_out.stat().st_size if folder.script_out.exists() else 0
        self._earlier_s = record.results.time_taken or 0.0
        self._serving = serving
        self._server = self._measured_server()
        self._telemetry: Telemetry | None = None
        self._prompt_logprobs: bool | None = None

    def measure(self) -> None:
        """Start the server, and the script beside it where it can wait; run the script, stop the server. Raises
        ServerError, ScriptError, Interrupted.
        """
        with ExitStack() as stack:
            words = self._plan.script_words
            if self._kld is not None:
                from runner.kld.reference import make_reference, reference_words

                about = (self._folder, self._display)
                make_reference(self._spec, self._kld, *about, pause=self._serving.pause)
                self._server = self._measured_server()  # the kept one may be gone
                words = stack.enter_context(reference_words(self._spec, self._plan, self._kld, *about))
            self._measure(words)

    def _measured_server(self) -> MeasuredServer | NoServer | ProvidedServer:
        if self._plan.is_provider:
            return ProvidedServer()
        if not self._plan.has_server:
            stall_timeout_s = self._spec.asked["stall_timeout"]
            return NoServer(self._plan, self._folder.path, stall_timeout_s=stall_timeout_s)
        return MeasuredServer(
            self._plan,
            self._serving,
            log_path=self._folder.server_log,
            ready_timeout_s=self._spec.asked["ready_timeout"],
        )

    def _measure(self, words: tuple[str, ...]) -> None:
        where, provider = self._plan.asked_at, self._spec.server.provider
        target = Target(
            base_url=where.url if where else "",
            api_url=where.api_url if where else None,
            address=where.written if where else None,
            key_variables=provider_of(provider).key_variables if provider else (),
            model_name=self._plan.model_name or self.record.model,
            output_dir=self._folder.path,
            concurrency=int(self._plan.asked.get("parallel") or 1),
            api_key=self._plan.api_key,
            words=words,
        )
        known = self._style.known if self._style is not None else None
        script = prepare_script(self._spec, target, family_style=known.style if known is not None else None)
        starting = self._server.is_started or self._spec.server.is_running
        does = STARTING.get(self._plan.kind, "starting the server") if starting else "using the same server"
        self._display.say(f"{does} for {self.record.model}")
        if self._plan.disk_bytes is not None:
            need = f"{self._plan.disk_bytes / (1 << 30):.2f} GiB"
            self._display.say(
                f"the reference's base logits need up to {need} of disk, unless they are in the cache"
            )
        with ExitStack() as stack:
            stack.callback(self._note_output)
            self._measure_devices(stack)
            early = self._early_start(script, stack)
            held = self._server.acquire(partial(self._require_alive, early))
            stack.push(self._release)
            if held is not None:
                self._note_server(held)
                self._telemetry_phase("generate")
            script = self._with_cache(script, held)
            self._update(script_command=script.shown)
            self._entry.write(self.record)
            ended = run_script(
                script,
                self._folder,
                self._watching(held),
                on_event=self._on_event,
                on_process=self._server.note_script,
                early=early,
            )
            self._phases(script_s=ended.seconds)
            if (
                ended.exit.code == 0
                and self._spec.parser in BY_PROMPT_LOGPROBS
                and not self._plan.is_provider
            ):
                self._prompt_logprobs = gives_prompt_logprobs(self._plan, target.model_name)
        self._note_program()
        try:
            self._require_success(ended)
        except ScriptError as error:
            raise (self._server.failure(error) if isinstance(self._server, NoServer) else error) from error

    def _early_start(self, script: Script, stack: ExitStack) -> EarlyScript | None:
        """The script, which loads while the server does; None where it can't wait for it, or where its command depends
        on what is served.
        """
        can_wait = self._spec.benchmark.starts_early and self._spec.external_script is None
        if not can_wait or not self._plan.has_server or self._spec.asked["cache"]:
            if self._standby is not None:
                self._standby.dismiss()
            return None
        self._update(script_command=script.shown)
        return stack.enter_context(EarlyScript(script, self._folder, self._standby))

    def _require_alive(self, early: EarlyScript | None) -> None:
        """That nobody waits in vain for a server: a script that ends before it has begun is why the run failed."""
        if early is not None and (ended := early.process.poll()) is not None:
            self._require_success(ScriptRun(ended, 0.0))

    def _require_success(self, ended: ScriptRun) -> None:
        command = self.record.script_command
        require_success(ended, self._folder, said_from=self._output_began, command=command)

    def _with_cache(self, script: Script, held: Held | None) -> Script:
        """With what the server's answers depend on, if some are kept."""
        if held is None or not self._spec.asked["cache"]:
            return script
        # A build that doesn't say which one it is, as the built-in one, is known by its age.
        effective = {**held.server.effective, "program_changed_s": changed_s(self._plan)}
        identity = served_by(self._spec, effective if held.server.effective else {})
        if identity is None:
            raise UsageError(
                "--cache can't tell what is served: the content of the model isn't known",
                hint="leave --cache out, or give the model as a file or folder",
                settings=("cache",),
            )
        words = ("--cache-identity", identity)
        return msgspec.structs.replace(
            script, command=(*script.command, *words), shown=(*script.shown, *words)
        )

    def _measure_devices(self, stack: ExitStack) -> None:
        """Nothing here has to do with what a provider does."""
        server = self._server
        if isinstance(server, ProvidedServer):
            return
        self._telemetry = telemetry = Telemetry(  # looks for devices, which takes seconds if a driver hangs
            self._folder.telemetry,
            pids=server.pids,
            fetch_metrics=server.metrics,
            on_gpu=self._plan.kind != "embedded" and self._plan.asked.get("gpu_layers") != 0,
            server_was_up=not server.is_started,
        )
        stack.callback(telemetry.stop)
        telemetry.start()
        telemetry.phase("load")

    def _telemetry_phase(self, name: str) -> None:
        if self._telemetry is not None:
            self._telemetry.phase(name)

    def _watching(self, held: Held | None) -> Watchdog | NoServer | ProvidedServer:
        if isinstance(self._server, NoServer | ProvidedServer):
            return self._server
        if held is None:
            raise RuntimeError("a run with a server holds one")
        return Watchdog(
            held.server,
            stall_timeout_s=self._spec.asked["stall_timeout"],
            max_restarts=self._spec.asked["max_restarts"],
            on_incident=self._on_incident,
            say=self._display.say,
        )

    def _note_program(self) -> None:
        """What the program in the server's place really used."""
        if not isinstance(self._server, NoServer) or self.record.server is None:
            return
        effective, differences = self._server.effective()
        self._update(
            server=msgspec.structs.replace(self.record.server, effective=effective, differences=differences)
        )
        for difference in differences:
            self._display.say(f"note: {difference}")

    def note_telemetry(self) -> None:
        """Put the measurements into the record, after `measure` has succeeded or failed. Never fails a run."""
        if self._telemetry is None:
            return
        score = self.record.score
        # Answers out of a cache took no energy here.
        completions = score.details.get("new_completions") if score is not None and not score.cached else None
        solved = None
        if score is not None and completions is not None and completions == score.completions:
            solved = score.outcomes.get(Outcome.PASSED)
        try:
            self._update(
                telemetry=self._with_drafts(self._telemetry.summary(completions=completions, solved=solved))
            )
        except Exception as problem:  # noqa: BLE001 - the score is worth more
            self._display.say(f"note: what was measured could not be summed up: {problem!r}")

    def _with_drafts(self, summary: TelemetrySummary) -> TelemetrySummary:
        """With the proposed and accepted tokens from the server's log, where its metrics don't tell."""
        if summary.draft_tokens is not None or self._plan.asked.get("spec_type") is None:
            return summary
        drafted = drafted_in_log(self._folder.server_log)
        if drafted is None:
            return summary
        return msgspec.structs.replace(
            summary, draft_tokens=drafted.proposed, accepted_draft_tokens=drafted.accepted
        )

    def note_hash(self, sha256: str | None) -> None:
        """Put the model's hash into the record: it is known later than the rest, because it takes time to compute."""
        if self.record.model_identity is not None:
            self._update(model_identity=msgspec.structs.replace(self.record.model_identity, sha256=sha256))

    def note_fingerprint(self) -> None:
        """Put the fingerprint into the record of a run that succeeded, by which it is found again."""
        with suppress(BenchError):  # a file of the settings is gone by now
            self._update(fingerprint=fingerprint(self._spec))

    def score(self, parser: Parser) -> None:
        """Parse the script's output. Raises ParseError."""
        output = ScriptOutput.from_files(
            self._folder.script_out,
            self._folder.script_log,
            self._folder.path,
            exit_code=0,
            prompt_logprobs=self._prompt_logprobs,
        )
        try:
            score = fitted(parser.parse(output))
        except ParseError as error:
            error.hint = error.hint or f"see {self._folder.script_out}; another --parser may read it"
            raise
        results = msgspec.structs.replace(self.record.results, score=score.score)
        self._update(score=score, results=results)
        self._phases(generate_s=score.generate_s, execute_s=score.execute_s)

    def note_composite(self, asked: ScoringAsked, baseline: Baseline | None) -> None:
        """Put the composite score into the record, or why there is none; the server is stopped. Raises Interrupted."""
        from runner.scoring.step import with_composite

        self._entry.write(self.record)
        self.record = with_composite(self.record, self._folder, asked, self._display, baseline=baseline)

    def _release(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del kind, trace
        self._telemetry_phase("stop")
        self._phases(stop_s=self._server.release(error))

    def _note_server(self, held: Held) -> None:
        server = held.server
        if self.record.server is not None:
            facts = msgspec.structs.replace(
                self.record.server, effective=server.effective, differences=server.differences
            )
            self._update(server=facts)
        if held.is_new:
            self._phases(load_s=server.load_s)
            self._display.say(f"ready after {server.load_s:.1f} s at {server.plan.base_url}")
        for difference in server.differences:
            self._display.say(f"note: {difference}")

    def _on_incident(self, incident: Incident) -> None:
        """Record the incident on disk at once, so that it is kept however the run ends."""
        self._update(incidents=(*self.record.incidents, incident))
        self._entry.write(self.record)

    def _on_event(self, event: dict[str, Any]) -> None:
        if isinstance(self._server, NoServer):
            self._server.note_progress()
        if event["event"] == "progress":
            self._display.progress(event)
        elif event["event"] == "style" and self._style is not None:
            self.record, note = on_style(self._style, event, self.record)
            self._entry.write(self.record)
            if note:
                self._display.say(f"note: {note}")
        elif event["event"] == "start":
            if self._style is not None:
                self._style.leave()  # whatever decides it has done so by now
            self._display.progress({**event, "done": event["finished"]})
        elif event["event"] == "phase":
            self._on_phase(event["phase"])
        elif event["event"] == "trial" and (line := self._trials.line(event)):
            self._display.say(line)

    def _on_phase(self, name: str) -> None:
        if isinstance(self._server, NoServer) and name in PHASES:
            self._telemetry_phase(name)
            self._server.note_phase(name)
            self._phases(load_s=self._server.load_s)
        if name in SAID_PHASES:
            self._display.say(SAID_PHASES[name])

    def _note_output(self) -> None:
        with explained("read", self._folder.script_out):
            raw = read_end(self._folder.script_out, RAW_OUTPUT_BYTES)
        seconds = self._earlier_s + time.monotonic() - self._began
        self._update(
            results=msgspec.structs.replace(self.record.results, time_taken=round(seconds, 3), raw_output=raw)
        )

    def _phases(self, **seconds: float | None) -> None:
        rounded = {name: None if value is None else round(value, 3) for name, value in seconds.items()}
        self._update(phases=msgspec.structs.replace(self.record.phases, **rounded))

    def _update(self, **fields: Any) -> None:
        self.record = msgspec.structs.replace(self.record, **fields)
