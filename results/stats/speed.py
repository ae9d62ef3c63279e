"""The speed of a server under load: one line per request on disk, and the figures computed from these lines.

Both the script that measures and the parser that checks it use this. The definitions are those of `vllm bench serve`
(vllm/benchmarks/serve.py, calculate_metrics), so that figures can be compared:

- TTFT, time to first token: from sending a request to receiving its first token, including the wait for a slot.
- ITL, inter-token latency: from one chunk with tokens to the next, over all chunks of all requests. A chunk is one
  token unless the server bundles them (speculative decoding, a busy server). Then `tokens_per_chunk` says how many, and
  this is what AIPerf calls inter-chunk latency.
- TPOT, time per output token: (E2E - TTFT) / (tokens - 1) of a request, with the server's token count. AIPerf and
  GuideLLM call this inter-token latency.
- E2E: from sending a request to its last chunk.
- output, total and request throughput: generated tokens, prompt and generated tokens, and completed requests, over the
  load's wall time from sending the first request to the end of the last, including the ramp at both ends.
- prefill speed: prompt tokens / TTFT of a request (AIPerf's prefill throughput per user). With one request at a time it
  is llama-bench's pp, plus a round trip and sampling the first token. Generation speed: 1 / TPOT, which is
  llama-bench's tg at that depth plus sampling, and llama-server's predicted_per_second.
"""

from __future__ import annotations

import math
from collections import Counter
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

import msgspec

from results.json_text import NOT_THAT_JSON

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from results.records import Score

REQUESTS_NAME = "requests.jsonl"
_LEAST_PREFILL = 20  # tokens of a prompt: the time of a shorter one says nothing about the speed of reading
FAILED_SHARE = 0.1  # of a load's requests; if more fail, the rest was not the requested load


class Load(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One load: a number of concurrent requests, each with a number of tokens in and out.

    depth: the tokens in the context before an answer begins, if that was asked for; all of them are in the prompt.
    """

    concurrency: int
    prompt_tokens: int
    output_tokens: int
    depth: int | None = None

    @property
    def name(self) -> str:
        """The name in llama-bench's style: "pp512+tg128 x4", or "d8192+tg128 x1"."""
        before = f"pp{self.prompt_tokens}" if self.depth is None else f"d{self.depth}"
        return f"{before}+tg{self.output_tokens} x{self.concurrency}"


class SpeedRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of `requests.jsonl`. Times are in seconds.

    attempt: a load that was interrupted, or whose server died, is measured again as a whole; the last attempt counts.
    count: number of requests in the attempt. start_s: since the attempt began. e2e_s: until the last chunk or the
    failure. gaps_s: between successive chunks with tokens. Token counts are the server's; cached_tokens: those of the
    prompt that it took from its cache. server_*: llama-server's own timings. error: why there is no answer, in one
    line.
    """

    load: Load
    attempt: int
    index: int
    count: int
    start_s: float
    ttft_s: float | None = None
    e2e_s: float
    gaps_s: tuple[float, ...] = ()
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    finish_reason: str = ""
    server_prompt_tokens_per_s: float | None = None
    server_generation_tokens_per_s: float | None = None
    error: str = ""


class Distribution(msgspec.Struct, frozen=True, kw_only=True):
    """Percentiles by linear interpolation between order statistics, like numpy and therefore vLLM's bench."""

    mean: float
    min: float
    p50: float
    p90: float
    p95: float
    p99: float
    max: float


class Throughput(msgspec.Struct, frozen=True, kw_only=True):
    """A rate with its 95 % interval; None if there are too few batches for an interval."""

    value: float
    low: float | None = None
    high: float | None = None


class LoadFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one load. Latencies are in milliseconds, of completed requests.

    valid: few enough requests failed. ended_early: requests completed with fewer tokens than requested; their tokens
    count. server_*: medians of llama-server's own timings. errors: messages and how often they occurred.
    """

    load: Load
    attempt: int
    valid: bool
    requests: int
    completed: int
    failed: int
    ended_early: int
    seconds: float
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    requests_per_s: float
    output_tokens_per_s: Throughput
    total_tokens_per_s: float
    prefill_tokens_per_s: Distribution | None = None
    generation_tokens_per_s: Distribution | None = None
    ttft_ms: Distribution | None = None
    tpot_ms: Distribution | None = None
    itl_ms: Distribution | None = None
    e2e_ms: Distribution | None = None
    tokens_per_chunk: float | None = None
    server_prompt_tokens_per_s: float | None = None
    server_generation_tokens_per_s: float | None = None
    errors: dict[str, int] = {}


def read_requests(data: bytes) -> tuple[list[SpeedRequest], int]:
    """The requests in a journal, and the number of unreadable lines, such as a torn one."""
    requests, unreadable = [], 0
    for line in data.splitlines():
        try:
            requests.append(msgspec.json.decode(line, type=SpeedRequest))
        except NOT_THAT_JSON:
            unreadable += bool(line.strip())
    return requests, unreadable


def last_attempts(requests: Iterable[SpeedRequest]) -> dict[Load, list[SpeedRequest]]:
    """The requests of each load's last attempt."""
    found: dict[Load, list[SpeedRequest]] = {}
    for request in requests:
        known = found.get(request.load)
        if known is None or known[0].attempt < request.attempt:
            found[request.load] = [request]
        elif known[0].attempt == request.attempt:
            known.append(request)
    return found


def is_whole(requests: Sequence[SpeedRequest]) -> bool:
    """Whether the attempt has each of its requests exactly once."""
    return {request.index for request in requests} == set(range(requests[0].count)) and len(
        requests
    ) == requests[0].count


def figures(requests: Sequence[SpeedRequest]) -> LoadFigures:
    """The figures of one attempt at one load. Needs at least one request."""
    load = requests[0].load
    done = [request for request in requests if not request.error]
    failed = len(requests) - len(done)
    began = min(request.start_s for request in requests)
    seconds = max(request.start_s + request.e2e_s for request in requests) - began
    read = sum(request.prompt_tokens or 0 for request in done)
    written = sum(request.completion_tokens or 0 for request in done)
    tpots = [tpot for request in done if (tpot := _tpot_s(request))]
    chunks = sum(1 + len(request.gaps_s) for request in done)
    return LoadFigures(
        load=load,
        attempt=requests[0].attempt,
        valid=bool(done) and failed <= FAILED_SHARE * len(requests),
        requests=len(requests),
        completed=len(done),
        failed=failed,
        ended_early=sum((request.completion_tokens or 0) < load.output_tokens for request in done),
        seconds=seconds,
        prompt_tokens=read,
        completion_tokens=written,
        cached_tokens=sum(request.cached_tokens or 0 for request in done),
        requests_per_s=len(done) / seconds if seconds else 0.0,
        output_tokens_per_s=_throughput(done, load.concurrency, began, written / seconds if seconds else 0.0),
        total_tokens_per_s=(read + written) / seconds if seconds else 0.0,
        prefill_tokens_per_s=_distribution(
            request.prompt_tokens / request.ttft_s
            for request in done
            if request.ttft_s and request.prompt_tokens
        ),
        generation_tokens_per_s=_distribution(1 / tpot for tpot in tpots),
        ttft_ms=_distribution(1000 * request.ttft_s for request in done if request.ttft_s is not None),
        tpot_ms=_distribution(1000 * tpot for tpot in tpots),
        itl_ms=_distribution(1000 * gap for request in done for gap in request.gaps_s),
        e2e_ms=_distribution(1000 * request.e2e_s for request in done),
        tokens_per_chunk=written / chunks if chunks else None,
        server_prompt_tokens_per_s=_median(request.server_prompt_tokens_per_s for request in done),
        server_generation_tokens_per_s=_median(request.server_generation_tokens_per_s for request in done),
        errors=dict(Counter(request.error for request in requests if request.error).most_common(5)),
    )


def percentile(ordered: Sequence[float], percent: float) -> float:
    """A percentile of ascending values, interpolated linearly: Hyndman & Fan (1996), type 7, numpy's default."""
    position = (len(ordered) - 1) * percent / 100
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def table(loads: Sequence[LoadFigures]) -> list[tuple[str, str]]:
    """A table for people: a heading in two rows, and one row per load, each as (name, text)."""
    lines = [
        ("prefill", "TTFT ms", "generation", "ITL ms", "all requests", ""),
        ("tokens/s", "p50 / p99", "tokens/s", "p50 / p99", "tokens/s (95 %)", ""),
        *map(_row, loads),
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    names = ["speed", "", *(figures.load.name for figures in loads)]
    texts = (
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
    return list(zip(names, texts, strict=True))


def measured_loads(details: Mapping[str, Any]) -> list[LoadFigures]:
    """The loads in a score's details; empty for other benchmarks."""
    try:
        return msgspec.convert(details.get("loads", []), list[LoadFigures])
    except msgspec.ValidationError:
        return []


def headline(loads: Sequence[LoadFigures]) -> str:
    """How fast a chat is, in a line: the shortest and the longest prompt, with one request at a time.

    Such as "151 tokens/s after 0.01 s at d0, 98 tokens/s after 6.1 s at d8192". Empty if neither was measured.
    """
    alone = [of for of in loads if of.valid and of.load.concurrency == 1]
    alone.sort(key=lambda of: of.load.prompt_tokens)
    found = []
    for of in (alone[0], alone[-1])[: len(alone)] if alone else ():
        speed, ttft = _p50(of.generation_tokens_per_s), _p50(of.ttft_ms)
        if speed is not None and ttft is not None:
            at = of.load.name.partition("+")[0]
            found.append(f"{speed:.3g} tokens/s after {ttft / 1000:.2g} s at {at}")
    return ", ".join(found)


def answering_speed(score: Score) -> float | None:
    """Generated tokens per second of a benchmark's answers, all requests together; None if unknown.

    For a resumed run it is the last try's, because tokens are counted over all tries but seconds only for the last. A
    run with answers out of a cache has none.
    """
    if score.cached:
        return None
    told = score.details.get("tokens_per_s")
    if isinstance(told, int | float):
        return float(told)
    first_try = score.details.get("new_completions", score.completions) == score.completions
    if first_try and score.completion_tokens and score.generate_s:
        return score.completion_tokens / score.generate_s
    return None


def named_figures(loads: Iterable[LoadFigures]) -> dict[str, float]:
    """Every figure of the valid loads, under a name that ends in its unit."""
    found: dict[str, float] = {}
    for of in loads:
        if not of.valid:
            continue
        rate = of.output_tokens_per_s
        values: Mapping[str, float | None] = {
            "output throughput, tokens/s": rate.value,
            "output throughput, low end of the 95 % interval, tokens/s": rate.low,
            "output throughput, high end of the 95 % interval, tokens/s": rate.high,
            "total throughput, tokens/s": of.total_tokens_per_s,
            "request throughput, requests/s": of.requests_per_s,
            "prefill speed, p50, tokens/s": _p50(of.prefill_tokens_per_s),
            "generation speed, p50, tokens/s": _p50(of.generation_tokens_per_s),
        }
        named = {f"{of.load.name}: {name}": value for name, value in values.items()}
        for name, latency in (
            ("TTFT", of.ttft_ms),
            ("TPOT", of.tpot_ms),
            ("ITL", of.itl_ms),
            ("E2E", of.e2e_ms),
        ):
            if latency is not None:
                for of_it in ("mean", "p50", "p90", "p95", "p99"):
                    named[f"{of.load.name}: {name}, {of_it}, ms"] = getattr(latency, of_it)
        found |= {name: round(value, 6) for name, value in named.items() if value is not None}
    return found


def _tpot_s(request: SpeedRequest) -> float | None:
    if request.ttft_s is None or request.completion_tokens is None or request.completion_tokens < 2:
        return None
    return (request.e2e_s - request.ttft_s) / (request.completion_tokens - 1)


def _throughput(done: Sequence[SpeedRequest], size: int, began: float, value: float) -> Throughput:
    """Tokens per second with an interval from batches of `size` requests, ordered by their ends.

    Concurrent requests share the server, so single ones are not independent; batches of as many as run at once nearly
    are. The interval uses the ratio estimator's standard error (Cochran 1977, "Sampling techniques", 6.4) over the
    batches' tokens and durations, and Student's t with one degree of freedom less than there are batches. There is none
    for fewer than three batches. Remaining requests belong to the last batch.
    """
    ends = sorted((request.start_s + request.e2e_s, request.completion_tokens or 0) for request in done)
    count = len(ends) // size
    if count < 3:
        return Throughput(value=value)
    batches = []
    before = began
    for number in range(count):
        batch = ends[number * size : (number + 1) * size if number < count - 1 else None]
        batches.append((sum(tokens for _, tokens in batch), batch[-1][0] - before))
        before = batch[-1][0]
    duration = sum(seconds for _, seconds in batches)
    if not duration:
        return Throughput(value=value)
    rate = sum(tokens for tokens, _ in batches) / duration
    squares = math.fsum((tokens - rate * seconds) ** 2 for tokens, seconds in batches)
    stderr = math.sqrt(squares * count / (count - 1)) / duration
    half = _t_quantile(count - 1) * stderr
    return Throughput(value=value, low=max(0.0, value - half), high=value + half)


def _t_quantile(degrees: int) -> float:
    """The quantile of Student's t, two-sided, 95 %."""
    from scipy.special import stdtrit  # not scipy.stats, which takes a second to import

    return float(stdtrit(degrees, 0.975))


def _distribution(values: Iterable[float]) -> Distribution | None:
    ordered = sorted(values)
    if not ordered:
        return None
    percentiles = {f"p{percent}": percentile(ordered, percent) for percent in (50, 90, 95, 99)}
    return Distribution(mean=fmean(ordered), min=ordered[0], max=ordered[-1], **percentiles)


def _p50(values: Distribution | None) -> float | None:
    return None if values is None else values.p50


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _row(of: LoadFigures) -> tuple[str, ...]:
    if not of.valid:
        error = next(iter(of.errors), "")
        return (f"FAILED: {of.failed} of {of.requests} requests", "", "", "", "", error[:80])
    rate = of.output_tokens_per_s
    interval = "" if rate.low is None else f" ({rate.low:.1f} to {rate.high:.1f})"
    prefill = of.prefill_tokens_per_s if of.load.prompt_tokens >= _LEAST_PREFILL else None
    prefill_text, generation = (
        "" if one is None else f"{one.p50:.1f}" for one in (prefill, of.generation_tokens_per_s)
    )
    ttft, itl = ("" if one is None else f"{one.p50:.1f} / {one.p99:.1f}" for one in (of.ttft_ms, of.itl_ms))
    failed = f"{of.failed} of {of.requests} failed" if of.failed else ""
    return (prefill_text, ttft, generation, itl, f"{rate.value:.1f}{interval}", failed)
