"""The contracts between a benchmark (Task), a way to reach a model (Provider) and the runner between."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import msgspec

from evaluation.models.sampling import Sampling
from results.failed_check import FailedCheck  # noqa: TC001 - a field: msgspec reads it at run time
from results.messages import Message, ToolCall  # noqa: TC001 - fields as well
from results.scores.scored_continuation import ScoredContinuation  # noqa: TC001 - as well

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from results.records import Completion, Metric
    from settings.providers import Supports

Tool = dict[
    str, Any
]  # as it stands in a request: {"type": "function", "function": {"name", "description", "parameters"}}


class PromptStyle(enum.StrEnum):
    """How the model is asked: a turn of a conversation, or a text to go on with."""

    CHAT = "chat"
    COMPLETION = "completion"


class Prompt(NamedTuple):
    """What the model is told. An empty system is not sent: some chat templates refuse the role.

    history: what was said before the user's text, of a chat that is under way. tools: that the model may call.
    """

    system: str
    user: str
    history: tuple[Message, ...] = ()
    tools: tuple[Tool, ...] = ()


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One item of a data set.

    tags: what scores are also given by, such as {"difficulty": "easy"}. choices: answers of one token, of which the
    likeliest is taken where the server tells probabilities; else, and where empty, an answer is generated.
    continuations: of the prompt, of which each is scored by its log-probability instead of an answer being generated.
    least_prompt_tokens: a server that counts fewer tokens in the prompt has cut it; 0: not known. stop: sequences that
    end its answer; empty: the task's. max_tokens: of its answer, if fewer than the run's default; None: as that. style:
    its own; None: the task's. json_schema: that its answer fits, where that is asked for; None: the task's.
    """

    task_id: str
    data: dict[str, Any]
    expected: Any = None
    tags: dict[str, str] = {}
    choices: tuple[str, ...] = ()
    continuations: tuple[str, ...] = ()
    least_prompt_tokens: int = 0
    stop: tuple[str, ...] = ()
    max_tokens: int | None = None
    style: PromptStyle | None = None
    json_schema: dict[str, Any] | None = None


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One completion to ask for, with all that determines it; `evaluation.loop.requests` makes it.

    index: which completion of the sample. sampling: the run's, with this request's own seed. stop: sequences that end
    the answer; json_schema: of the answer, where one is asked for; choices, continuations: as in `Sample`;
    prompt_sha256: of what is asked, by which it is known again. history, tools: as in `Prompt`; turns: what was said
    after the user's text, in earlier requests for the same completion.
    """

    task_id: str
    index: int
    style: PromptStyle
    system: str
    user: str
    sampling: Sampling = msgspec.field(default_factory=Sampling)
    stop: tuple[str, ...] = ()
    json_schema: dict[str, Any] | None = None
    choices: tuple[str, ...] = ()
    continuations: tuple[str, ...] = ()
    prompt_sha256: str = ""
    history: tuple[Message, ...] = ()
    turns: tuple[Message, ...] = ()
    tools: tuple[Tool, ...] = ()


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the model said. error: why there is no answer (one line); empty when there is one. too_long: the prompt does
    not fit into the context of the server. refused: the server understood the request and will not answer it.

    generated_tokens: all that the model wrote, also where the server counts its thoughts elsewhere. reasoning_tokens:
    those of its thoughts. context_advice: what to try where the context was full before `max_tokens` were generated;
    empty where it was not.

    choice_probabilities: of the choices that were likely enough to be told, where the text is the likeliest of them;
    empty where the answer was generated. continuations: the score of each of the request's, where it has any; the text
    is the likeliest of them.

    tool_calls: that the model asks for. transcript: as in `results.records.Completion`; of an answer that took several
    requests, the text is the last one's, and tokens, seconds and cost are those of all.

    cost_usd: what the provider charges for it; None where that is not known, or nobody charges. cached: it was given
    before, and no request was sent for it.
    """

    text: str = ""
    reasoning: str = ""
    finish_reason: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    generated_tokens: int | None = None
    reasoning_tokens: int | None = None
    request_s: float | None = None
    attempts: int = 1
    error: str = ""
    too_long: bool = False
    refused: bool = False
    context_advice: str = ""
    choice_probabilities: dict[str, float] = {}
    continuations: tuple[ScoredContinuation, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    transcript: tuple[Message, ...] = ()
    cost_usd: float | None = None
    cached: bool = False


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """What a task makes of one answer.

    completion: what was judged (for code: what was executed after the prompt). ended: the answer's own end
    was found although the token limit was reached. broken: it could not be judged (the sandbox failed): the
    evaluation stops, and a resume tries it again. near_time_limit, failed_check, read_in: as in
    `results.records.Completion`.
    """

    passed: bool
    completion: str = ""
    detail: str = ""
    execute_s: float | None = None
    metrics: dict[str, float] = {}
    ended: bool = False
    broken: bool = False
    near_time_limit: bool = False
    failed_check: FailedCheck | None = None
    read_in: str = ""


class Solver(Protocol):
    """How one sample becomes one answer: by a single request, or by several that build on each other."""

    async def solve(
        self, sample: Sample, request: Request, ask: Callable[[Request], Awaitable[Answer]]
    ) -> Answer:
        """The answer to a sample. request: the first one; ask: sends one. Raises what `ask` raises."""


class Task(Protocol):
    """A benchmark. It knows nothing of how a model is reached."""

    @property
    def style(self) -> PromptStyle:
        """How its prompts are meant."""

    @property
    def stop(self) -> tuple[str, ...]:
        """Sequences that end an answer; the server is asked to stop there."""

    @property
    def json_schema(self) -> dict[str, Any] | None:
        """Of the answers, where the benchmark wants JSON."""

    @property
    def judge_workers(self) -> int:
        """How many answers are judged at once, in threads; 0 where judging is so cheap that no thread is
        needed.
        """

    @property
    def solver(self) -> Solver:
        """How its samples are answered."""

    def load(self) -> None:
        """Read the data set. Raises BenchError. Called again, it does nothing."""

    def get_task_name(self) -> str:
        """The benchmark's name, such as `human_eval`."""

    def get_samples(self, limit: int | None) -> Sequence[Sample]:
        """The first `limit` samples, or all."""

    def get_prompt(self, sample: Sample) -> Prompt:
        """What the model is asked."""

    def calculate_metrics(self, prediction: str, expected: Any, sample: Sample) -> Judgement:
        """Judge one answer, without what the model only thought. Thread-safe unless `judge_workers` is 0."""

    def judge_transcript(self, transcript: Sequence[Message], sample: Sample) -> Judgement:
        """Judge what was said and called, where an answer has a transcript; otherwise as `calculate_metrics`."""

    def judge_continuations(self, scored: Sequence[ScoredContinuation], sample: Sample) -> Judgement:
        """Judge how likely the sample's continuations are, where it has any."""

    def aggregate_metrics(self, completions: Sequence[Completion]) -> Mapping[str, Metric]:
        """The scores over all, as fractions."""


class Provider(Protocol):
    """A way to reach a model. It knows nothing of the benchmark. Wrappers, such as a cache, have the same contract."""

    @property
    def supports(self) -> Supports:
        """What requests may ask for there; what else they ask for is left out, or done without the server."""

    async def generate(self, request: Request) -> Answer:
        """The answer; it has its `error` where the request can't be answered. Many may be under way at once.

        Raises ServerError where going on makes no sense (the server is gone for good, or refuses everything), and
        UsageError where it refuses what was asked for.
        """

    async def check_connection(self, max_retries: int, timeout: float) -> None:  # noqa: ASYNC109 - the caller's word
        """Raises ServerError unless the server answers within `timeout` seconds in one of the attempts."""
