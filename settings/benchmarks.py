"""The benchmarks there are: a script, and the parsers that read what it and its like print."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from results.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Option:
    """An option of `run` that is handed on to the scripts which know it; two benchmarks may share one.

    name: without the dashes. metavar: as in --help. is_path: of a file that must exist; the script gets it absolute.
    pattern: what a value must match as a whole.
    """

    name: str
    metavar: str
    help: str
    is_path: bool = False
    pattern: str = ""

    @property
    def key(self) -> str:
        """Its name in a manifest and in a record."""
        return self.name.replace("-", "_")


_LEVEL = "(easy|medium|hard|extreme)"
_FOREIGN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_COUNT = "[1-9][0-9]{0,7}"
_COUNTS = f"{_COUNT}(,{_COUNT})*"
DATASET = Option(
    name="dataset", metavar="FILE", help="The data set as a file, instead of fetching it.", is_path=True
)
FEW_SHOT = Option(
    name="few-shot",
    metavar="N",
    help="Worked examples before each question: 0 to 8, of MMLU 0 to 5.",
    pattern="[0-8]",
)
ANSWER_BY = Option(
    name="answer-by",
    metavar="auto|letter",
    help="letter: written answers only, no log-probabilities.",
    pattern="auto|letter",
)


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """module: our script. parser: reads our script's output; foreign_parser: that of somebody else's script.

    options: those that only this and some others have. checks: its script has --check, which reads the data and says
    whether the options fit. unused: sampling options that mean nothing to it.
    """

    name: str
    module: str
    parser: str = "summary"
    foreign_parser: str = "human_eval_cli"
    about: str
    options: tuple[Option, ...] = ()
    checks: bool = False
    unused: tuple[str, ...] = ()


BENCHMARKS = {
    benchmark.name: benchmark
    for benchmark in (
        Benchmark(
            name="human_eval",
            module="scripts.run_human_eval",
            about="HumanEval: 164 Python functions to complete, judged by unit tests (pass@k)",
        ),
        Benchmark(
            name="lcb",
            module="scripts.run_lcb",
            foreign_parser="livecodebench",
            about="LiveCodeBench: problems of programming contests, by date and difficulty, judged by tests (pass@k)",
            options=(
                Option(
                    name="release",
                    metavar="R",
                    help="Of the data: release_v6, v6 for what it added, v4_v6; default: release_v6.",
                    pattern="release_v[1-9][0-9]?|v[1-9][0-9]?(_v[1-9][0-9]?)?",
                ),
                DATASET,
                Option(name="start-date", metavar="DAY", help="Contests from that day on.", pattern=_DAY),
                Option(name="end-date", metavar="DAY", help="Contests up to that day.", pattern=_DAY),
            ),
        ),
        Benchmark(
            name="tasks",
            module="scripts.run_tasks",
            foreign_parser="json",
            about="Your own coding tasks from a file, or a starter set of twenty, judged by test cases (pass@k)",
            checks=True,
            options=(
                Option(
                    name="tasks",
                    metavar="FILE",
                    help="YAML or JSON; default: the starter set.",
                    is_path=True,
                ),
                Option(
                    name="difficulty",
                    metavar="LIST",
                    help="Only those, such as easy,hard.",
                    pattern=f"{_LEVEL}(,{_LEVEL})*",
                ),
                Option(
                    name="sample",
                    metavar="N",
                    help="N tasks at random, of each difficulty its share.",
                    pattern=_COUNT,
                ),
                Option(
                    name="sample-seed",
                    metavar="S",
                    help="Of --sample; default: 0.",
                    pattern="[0-9]{1,18}",
                ),
            ),
        ),
        Benchmark(
            name="gsm8k",
            module="scripts.run_gsm8k",
            foreign_parser="json",
            about="GSM8K: 1319 word problems of grade school, judged by the exact number",
            checks=True,
            options=(DATASET, FEW_SHOT),
        ),
        Benchmark(
            name="mmlu",
            module="scripts.run_mmlu",
            foreign_parser="json",
            about="MMLU: 14042 questions of 57 subjects with four choices, by log-probabilities or letter",
            checks=True,
            options=(DATASET, FEW_SHOT, ANSWER_BY),
        ),
        Benchmark(
            name="speed",
            module="scripts.run_speed",
            parser="speed",
            foreign_parser="llama_bench",
            about="Speed under load: throughput, time to first token, inter-token latency; no score",
            options=(
                Option(
                    name="concurrencies",
                    metavar="N,...",
                    help="Requests at once, one load each; default: 1 and the server's slots.",
                    pattern=_COUNTS,
                ),
                Option(
                    name="prompt-tokens",
                    metavar="N,...",
                    help="Length of the prompts; default: 512.",
                    pattern=_COUNTS,
                ),
                Option(
                    name="output-tokens",
                    metavar="N,...",
                    help="Length of the answers; default: 128.",
                    pattern=_COUNTS,
                ),
                Option(
                    name="requests",
                    metavar="N",
                    help="Of each load; default: 10, or 5 for each of those at once.",
                    pattern=_COUNT,
                ),
            ),
            unused=("n_samples", "max_tokens", "prompt_style", "shuffle"),
        ),
    )
}


def all_options() -> dict[str, tuple[Option, tuple[str, ...]]]:
    """Every benchmark's own options by key, each with the names of the benchmarks that know it."""
    found: dict[str, tuple[Option, tuple[str, ...]]] = {}
    for benchmark in BENCHMARKS.values():
        for option in benchmark.options:
            found[option.key] = (option, (*found.get(option.key, (option, ()))[1], benchmark.name))
    return found


def foreign_benchmark(name: str) -> Benchmark:
    """What somebody else's script measures: one of ours, or any other name for the record. Raises UsageError."""
    if name not in BENCHMARKS and not _FOREIGN_NAME.fullmatch(name):
        raise UsageError(
            f"--benchmark {name!r} is no name for a record",
            hint="letters, digits and _ . - , at most 64 of them",
        )
    return BENCHMARKS.get(name) or Benchmark(name=name, module="", about="somebody else's script")


def get_benchmark(name: str) -> Benchmark:
    """Raises UsageError for an unknown name, with the closest one."""
    try:
        return BENCHMARKS[name]
    except KeyError:
        known = ", ".join(sorted(BENCHMARKS))
        close = difflib.get_close_matches(name.lower().replace("-", "_"), BENCHMARKS, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]}? " if close else ""
        raise UsageError(f"there is no benchmark {name!r}", hint=f"{hint}known: {known}") from None
