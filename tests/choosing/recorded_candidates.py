"""Recorded runs of real GGUF files, given for what a recommendation asks."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from choosing.asked_runs import AskedRuns
from choosing.recommendation.constraints import Constraints, Question
from results.errors import Interrupted
from results.records import ErrorRecord, ModelIdentity, RunStatus, Score, ServerFacts
from results.stats.divergence import KldReference, KldResult, KldWindow, figures
from results.stats.speed import Load, SpeedRequest
from results.stats.speed import figures as speed_figures
from runner.display import Lines
from servers.capacity.fit import Room
from settings.asked import Asked
from tests.results.recorded_runs import F, P, record_run
from tests.servers.gguf_file import STRING, U32, gguf

GIB = 1 << 30


class RecordedRuns:
    """Gives recorded runs for what is asked: of each model a speed, and how many of the samples it solves."""

    def __init__(self, results_dir, speeds, solved, samples=1000, kld=None):
        self.results_dir = results_dir
        self.display = Lines()
        self.speeds, self.solved, self.samples, self.kld = speeds, solved, samples, kld or {}
        self.asked = []
        self.there = {}
        self.interrupt_at = None
        self.build = "b9000-1a2b3c4"
        self.telemetry = None

    def ask(self, wanted, *, copies=1, one_at_a_time=False):
        del copies, one_at_a_time
        return tuple(self._one(asked) for asked in wanted)

    def _one(self, asked):
        if len(self.asked) == self.interrupt_at:
            raise Interrupted(9)
        model, benchmark = asked["model"].rpartition("/")[2].removesuffix(".gguf"), asked["benchmark"]
        limit = asked["limit"] or self.samples
        key = (model, benchmark, limit, asked["server_args"])
        sha256 = hashlib.sha256(Path(asked["model"]).read_bytes()).hexdigest()
        determined_by = (*key, asked["max_tokens"], self.build, sha256)
        if determined_by not in self.there:
            self.asked.append(key)
            self.there[determined_by] = self._run(model, benchmark, limit, asked, sha256)
        folder, record = self.there[determined_by]
        if record.status is RunStatus.FAILED:
            return AskedRuns(runs=(), failed=record)
        return AskedRuns(runs=((folder, record),))

    def _run(self, model, benchmark, limit, asked, sha256):
        command = (
            "/opt/llama-server",
            "-m",
            asked["model"],
            "--port",
            "4",
            "--alias",
            f"{model}-1",
            "-c",
            "4096",
        )
        facts = {
            "model": model, "benchmark": benchmark,
            "server": ServerFacts(kind="llama.cpp", command=command, effective={"build": self.build}),
            "model_identity": ModelIdentity(name=model, sha256=sha256),
            "config": {"path": asked["model"], "server_args": list(asked["server_args"] or ()),
                       "max_tokens": asked["max_tokens"], "limit": asked["limit"]},
        }  # fmt: skip
        if self.speeds.get(model) is None:
            error = ErrorRecord(kind="server_exited", message="the server ended with code 1")
            folder = record_run(
                self.results_dir, no_verdicts=True, status=RunStatus.FAILED, error=error, **facts
            )
        elif benchmark == "speed":
            score = Score(score=None, details={"loads": speed_loads(asked, self.speeds[model])})
            folder = record_run(
                self.results_dir, no_verdicts=True, score=score, telemetry=self.telemetry, **facts
            )
        elif benchmark == "kld":
            folder = record_run(self.results_dir, no_verdicts=True, score=kld_score(self.kld[model]), **facts)
        else:
            solved = self.solved[model]
            folder = record_run(self.results_dir, [P if n in solved else F for n in range(limit)], **facts)
        return folder, folder.read_record()


def speed_loads(asked, tokens_per_s):
    found = []
    for depth in map(int, asked["depths"].split(",")):
        load = Load(concurrency=1, prompt_tokens=max(depth, 16), output_tokens=128, depth=depth)
        gap = 1 / (tokens_per_s if depth else 2 * tokens_per_s)
        requests = [
            SpeedRequest(load=load, attempt=1, index=i, count=3, start_s=3.0 * i, ttft_s=0.5, e2e_s=0.5 + 127 * gap,
                         gaps_s=(gap,) * 127, prompt_tokens=max(depth, 16), completion_tokens=128)
            for i in range(3)
        ]  # fmt: skip
        found.append(msgspec.to_builtins(speed_figures(requests)))
    return found


def kld_score(mean):
    window = KldWindow(
        index=0, logprobs=(-1.0, -2.0), reference_logprobs=(-1.0, -2.0), klds=(mean, mean), same_top=(True, True),
        tails=(0.0, 0.0), reference_tails=(0.0, 0.0),
    )  # fmt: skip
    result = KldResult(
        way="served", text_sha256="aa" * 32, tokens_sha256="bb" * 32, window=4, figures=figures([window]),
        reference=KldReference(name="big-F16", sha256="ff" * 32, quantization="F16"),
    )  # fmt: skip
    return Score(score=None, details={"kld": msgspec.to_builtins(result)})


def models(folder, *names, trained=65536):
    folder.mkdir(exist_ok=True)
    for name in names:
        pairs = {"general.name": (STRING, name), "llama.context_length": (U32, trained)}
        (folder / f"{name}.gguf").write_bytes(gguf(pairs))
    return tuple(str(folder / f"{name}.gguf") for name in names)


def question(texts, *, limit=None, kld=None, benchmarks=("human_eval",), **changes):
    constraints = Constraints(
        **{"room": Room(cards=(24 * GIB,), host_bytes=64 * GIB), "ctx_size": 32768, **changes}
    )
    asked = Asked({"limit": limit} if limit else {})
    return Question(
        models=texts, constraints=constraints, benchmarks=dict.fromkeys(benchmarks, asked), common=Asked({}),
        kld=kld,
    )  # fmt: skip


HALF = set(range(500))
SPEEDS = {"Q8": 40.0, "Q4": 70.0, "Q2": 90.0}
SOLVED = {"Q8": HALF, "Q4": HALF, "Q2": set(range(400))}


def fresh(source):
    """The same models in a folder that nobody has looked at."""
    return RecordedRuns(source.results_dir.with_name("other"), source.speeds, source.solved)
