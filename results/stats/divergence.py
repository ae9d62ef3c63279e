"""How far a model's predictions are from a reference's: one line per window on disk, and the figures made of these.

Both ways to measure (`llama-perplexity`, and the running server) and the parser that checks them use this. A window is
a piece of the text, of which the second half of the tokens is predicted, each from all tokens before it. Natural
logarithms, as in llama-perplexity (tools/perplexity/perplexity.cpp of llama.cpp), whose definitions these are:

- KL divergence at a token: sum of p ln(p / q) over the vocabulary, p being the reference's probabilities, q the
  model's. Where only the likeliest tokens are known, the others count as one: `compared` gives a lower bound.
- same top: whether both find the same token the likeliest.
- change: probability of the text's token by the model minus that by the reference.
- perplexity: exp of the mean of -ln(probability of the text's token); perplexity ratio: model's / reference's.

Neighbouring tokens depend on each other, so the window is the unit of all intervals. All windows are equally long, so a
figure is the mean of the windows' means, and its 95 % interval is Student's, over them; a share's is Wilson's. A
percentile is no such mean: its interval is a bootstrap's over windows (percentile method, 1,000 draws, fixed seed). A
maximum has none.
"""

from __future__ import annotations

import math
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

import msgspec

from results.json_text import NOT_THAT_JSON
from results.stats.intervals import mean_of_samples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

JOURNAL_NAME = "kld.jsonl"
PERPLEXITY_LOG = (
    "perplexity.log"  # beside it: what llama-perplexity printed for the model, and for the reference
)
REFERENCE_LOG = "reference.log"
FULL_PRECISION = frozenset({"F16", "BF16", "F32"})
LEAST_LOGPROB = -104.0  # a float32 can't hold a smaller probability; llama.cpp then says -3.4e38
_DRAWS = 1000
_FEW_WINDOWS = 5
_LEAST_FOR_BOOTSTRAP = 5  # windows: of fewer, the draws are too much alike
_SUM_ERROR = 3e-9  # of a sum of float32 probabilities, for each of them: 1.2e-4 was seen of 49,152


class KldWindow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of `kld.jsonl`: a window, with a value for each of its measured tokens.

    logprobs: of the text's tokens, by the model; reference_logprobs: by the reference. klds: see `compared`. tails: the
    model's probability outside the tokens that were compared one by one; reference_tails: the reference's; empty where
    the whole vocabulary was compared. Without a reference only logprobs are there.
    """

    index: int
    logprobs: tuple[float, ...]
    reference_logprobs: tuple[float, ...] = ()
    klds: tuple[float, ...] = ()
    same_top: tuple[bool, ...] = ()
    tails: tuple[float, ...] = ()
    reference_tails: tuple[float, ...] = ()


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A value with its 95 % interval over windows; None where there are too few."""

    value: float
    low: float | None = None
    high: float | None = None


class KldFigures(msgspec.Struct, frozen=True, kw_only=True):
    """tokens: measured. tail, reference_tail: mean probability that was compared as one; None: nothing was. Without a
    reference only the perplexity is there.
    """

    windows: int
    tokens: int
    perplexity: Estimate
    reference_perplexity: Estimate | None = None
    perplexity_ratio: Estimate | None = None
    mean_kld: Estimate | None = None
    p99_kld: Estimate | None = None
    max_kld: float | None = None
    same_top: Estimate | None = None
    mean_change: Estimate | None = None
    rms_change: Estimate | None = None
    tail: float | None = None
    reference_tail: float | None = None


class KldReference(msgspec.Struct, frozen=True, kw_only=True):
    """What was compared with. sha256: of the model's content. quantization: of its file, or of a folder its data type.

    served: the settings that shaped its predictions, such as the KV cache's types. run_id: of the run that made it;
    empty if it was made for the run that compares.
    """

    name: str
    sha256: str | None = None
    quantization: str | None = None
    served: dict[str, Any] = {}
    run_id: str = ""

    @property
    def measures(self) -> str:
        """What a comparison with it is called: divergence from the model only where that is in full precision."""
        if self.quantization in FULL_PRECISION:
            return "KL divergence"
        return f"agreement with {self.quantization or 'a reference of unknown precision'}"


class KldResult(msgspec.Struct, frozen=True, kw_only=True):
    """`details["kld"]` of a run's score: what was measured, on what, and the figures.

    way: "served" or "llama-perplexity". reference: None for a run that only becomes one. text_sha256: of the file;
    tokens_sha256: of all tokens of the measured windows. window: tokens of one. top: tokens compared one by one, the
    rest as one; None: the whole vocabulary. build: of the server or program. key: by which a run that is a reference
    is found in the cache; empty if it is none.
    """

    way: str
    text_sha256: str
    tokens_sha256: str
    window: int
    top: int | None = None
    server: str = ""
    build: str = ""
    reference: KldReference | None = None
    key: str = ""
    figures: KldFigures

    @property
    def is_bound(self) -> bool:
        """Whether its divergences are lower bounds."""
        return self.top is not None and bool(self.figures.tail or self.figures.reference_tail)


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """Two predictions of one token, compared: see `compared`."""

    kld: float
    same_top: bool
    tail: float
    reference_tail: float


def compared(reference: Mapping[int, float], model: Mapping[int, float]) -> Compared:
    """Compare the log-probabilities by token id, of the likeliest tokens or of all. Neither is empty.

    Tokens that only one side has, and those that neither has, count as one. To join events never raises a KL divergence
    (data processing inequality), so `kld` is a lower bound of the full one. It grows as more tokens are known, and it
    is exact when all are. tail, reference_tail: probability of what was joined.
    """
    common = reference.keys() & model.keys()
    pairs = [(reference[token], model[token]) for token in common]
    tail = max(0.0, 1.0 - math.fsum(math.exp(q) for _, q in pairs))
    reference_tail = max(0.0, 1.0 - math.fsum(math.exp(p) for p, _ in pairs))
    kld = math.fsum(math.exp(p) * (p - q) for p, q in pairs)
    if reference_tail:
        kld += reference_tail * math.log(reference_tail / max(tail, _SUM_ERROR * len(pairs)))
    return Compared(
        kld=max(0.0, kld),
        same_top=_likeliest(reference) == _likeliest(model),
        tail=tail,
        reference_tail=reference_tail,
    )


def _likeliest(logprobs: Mapping[int, float]) -> int:
    return max(logprobs, key=lambda token: (logprobs[token], -token))


def figures(windows: Sequence[KldWindow]) -> KldFigures:
    """The figures of at least one window. All have equally many tokens, and all or none have a reference."""
    perplexity = _mapped(math.exp, _mean([[-value for value in of.logprobs] for of in windows]))
    tokens = sum(len(of.logprobs) for of in windows)
    if not all(of.reference_logprobs for of in windows):
        return KldFigures(windows=len(windows), tokens=tokens, perplexity=perplexity)
    pairs = [list(zip(of.logprobs, of.reference_logprobs, strict=True)) for of in windows]
    changes = [[math.exp(q) - math.exp(p) for q, p in of] for of in pairs]
    squares = _mean([[change**2 for change in of] for of in changes])
    klds = [of.klds for of in windows]
    return KldFigures(
        windows=len(windows),
        tokens=tokens,
        perplexity=perplexity,
        reference_perplexity=_mapped(math.exp, _mean([[-p for _, p in of] for of in pairs])),
        perplexity_ratio=_mapped(math.exp, _mean([[p - q for q, p in of] for of in pairs])),
        mean_kld=_within(_mean(klds), least=0.0),
        p99_kld=_percentile(klds, 99),
        max_kld=max(max(of) for of in klds),
        same_top=_share([of.same_top for of in windows]),
        mean_change=_mean(changes),
        rms_change=_mapped(math.sqrt, _within(squares, least=0.0)),
        tail=_tail([of.tails for of in windows]),
        reference_tail=_tail([of.reference_tails for of in windows]),
    )


def few_windows(of: KldFigures) -> tuple[str, ...]:
    """A warning where there are so few windows that the intervals say little."""
    if of.windows >= _FEW_WINDOWS:
        return ()
    count = "1 window says" if of.windows == 1 else f"{of.windows} windows say"
    return (f"{count} little: give a longer --kld-text, or a higher --limit",)


def interval_of_mean(values: Sequence[float]) -> Estimate:
    """The mean of independent values with Student's interval. Needs at least one."""
    mean = fmean(values)
    if len(values) < 2:
        return Estimate(value=mean)
    from scipy.special import stdtrit

    half = float(stdtrit(len(values) - 1, 0.975)) * stdev(values) / math.sqrt(len(values))
    return Estimate(value=mean, low=mean - half, high=mean + half)


def exp_of(of: Estimate) -> Estimate:
    """Of a difference of logarithms, the ratio."""
    return _mapped(math.exp, of)


def read_windows(data: bytes) -> tuple[dict[int, KldWindow], int]:
    """The windows in a journal by index, and the number of unreadable lines, such as a torn one."""
    windows: dict[int, KldWindow] = {}
    unreadable = 0
    for line in data.splitlines():
        try:
            window = msgspec.json.decode(line, type=KldWindow)
        except NOT_THAT_JSON:
            unreadable += bool(line.strip())
        else:
            windows[window.index] = window
    return windows, unreadable


def kld_result(details: Mapping[str, Any]) -> KldResult | None:
    """What a score's details say of a run of kld; None for other benchmarks."""
    try:
        return msgspec.convert(details["kld"], KldResult) if "kld" in details else None
    except msgspec.ValidationError:
        return None


def _mean(by_window: Iterable[Sequence[float]]) -> Estimate:
    return interval_of_mean([fmean(values) for values in by_window])


def _share(by_window: Sequence[Sequence[bool]]) -> Estimate:
    """Wilson's interval for an effective sample size, because Student's has no width where all are alike."""
    shares = [fmean(map(float, values)) for values in by_window]
    found = mean_of_samples(shares, sum(map(len, by_window)))
    return Estimate(value=found.value, low=found.low, high=found.high)


def _percentile(by_window: Sequence[Sequence[float]], percent: float) -> Estimate:
    import numpy as np

    values = np.asarray(by_window, dtype=float)
    value = float(np.percentile(values, percent))
    if len(values) < _LEAST_FOR_BOOTSTRAP:
        return Estimate(value=value)
    drawn = np.random.default_rng(0).integers(0, len(values), size=(_DRAWS, len(values)))
    found = [np.percentile(values[draw], percent) for draw in drawn]
    low, high = np.percentile(found, [2.5, 97.5])
    return Estimate(value=value, low=float(low), high=float(high))


def _mapped(function: Callable[[float], float], of: Estimate) -> Estimate:
    """Of a growing function."""
    ends = (None if end is None else function(end) for end in (of.low, of.high))
    return Estimate(value=function(of.value), **dict(zip(("low", "high"), ends, strict=True)))


def _within(of: Estimate, least: float) -> Estimate:
    ends = (None if end is None else max(least, end) for end in (of.low, of.high))
    return Estimate(value=of.value, **dict(zip(("low", "high"), ends, strict=True)))


def _tail(by_window: Sequence[Sequence[float]]) -> float | None:
    values = [value for window in by_window for value in window]
    return fmean(values) if values else None


def table(result: KldResult) -> list[tuple[str, str]]:
    """For people: each figure as (name, text)."""
    of, reference = result.figures, result.reference
    rows = [("perplexity", estimate_text(of.perplexity))]
    if reference is not None and of.mean_kld is not None:
        bound = ", lower bound" * result.is_bound
        known = f" against {reference.name}" if reference.name else ""
        rows = [
            (reference.measures, f"mean {estimate_text(of.mean_kld)} nats{bound}{known}"),
            ("", f"99th percentile {estimate_text(of.p99_kld)}, maximum {_digits(of.max_kld)}"),
            ("same top token", estimate_text(of.same_top, percent=True)),
            ("probability", f"mean change {estimate_text(of.mean_change, percent=True)}"),
            ("", f"RMS change {estimate_text(of.rms_change, percent=True)}"),
            *rows,
            ("of the reference", estimate_text(of.reference_perplexity)),
            ("ratio", estimate_text(of.perplexity_ratio)),
        ]
    compared_as = f", the {result.top} likeliest of each" if result.top is not None else ""
    if result.top is not None and of.reference_tail is not None:
        compared_as += f" ({1 - of.reference_tail:.1%} of the probability)"
    rows.append(("measured on", f"{of.tokens} tokens in {of.windows} windows{compared_as}; {result.way}"))
    return rows


def headline(result: KldResult) -> str:
    """In a line, such as "KL divergence 0.0044, same top 96.0 %". Without a reference the perplexity."""
    of = result.figures
    if result.reference is None or of.mean_kld is None or of.same_top is None:
        return f"perplexity {of.perplexity.value:.4g}"
    unit = "" if result.reference.quantization in FULL_PRECISION else ": KLD"
    return f"{result.reference.measures}{unit} {_digits(of.mean_kld.value)}, same top {100 * of.same_top.value:.1f} %"


def estimate_text(of: Estimate | None, *, percent: bool = False) -> str:
    """A figure with its interval, for people."""
    if of is None:
        return "unknown"
    scale, unit = (100, " %") if percent else (1, "")
    within = ""
    if of.low is not None and of.high is not None:
        within = f"  (95 % interval {_digits(of.low * scale)} to {_digits(of.high * scale)})"
    return f"{_digits(of.value * scale)}{unit}{within}"


def _digits(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"
