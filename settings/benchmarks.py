"""The benchmarks: the script of each, and the parsers for its output and for that of external scripts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from results.errors import UsageError
from results.files import user_path
from settings.suites import ENDINGS, is_suite_file, shipped_suites, suite_facts
from settings.values import close_match

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# Those whose answers are Python programs with reference solutions, and can have a composite score.
CODING_BENCHMARKS = ("human_eval", "human_eval_plus", "mbpp", "mbpp_plus", "tasks")
NAME = re.compile("[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")  # an external script's benchmark


class Benchmark(msgspec.Struct, frozen=True, kw_only=True):
    """module: our script. parser: the parser of our script's output; external_parser: that of an external script's.

    checks: our script has --check, which reads the data and checks that the settings fit it. starts_early: it can be
    started before its server, for which it waits in `ServerSession.reach` once it has loaded what it needs. suite: the
    file that declares it; None for one that is a program.
    """

    name: str
    module: str
    parser: str = "summary"
    external_parser: str = "human_eval_cli"
    about: str
    checks: bool = False
    starts_early: bool = False
    suite: Path | None = None


BENCHMARKS = {
    benchmark.name: benchmark
    for benchmark in (
        Benchmark(
            name="human_eval",
            module="scripts.run_human_eval",
            about="HumanEval: 164 Python functions to complete, judged by unit tests (pass@k)",
            starts_early=True,
        ),
        Benchmark(
            name="lcb",
            module="scripts.run_lcb",
            external_parser="livecodebench",
            about="LiveCodeBench: programming contest problems, by date and difficulty, judged by tests (pass@k)",
            starts_early=True,
        ),
        Benchmark(
            name="human_eval_plus",
            module="scripts.evalplus.run_human_eval_plus",
            external_parser="evalplus",
            about="HumanEval+: HumanEval's functions judged on many more inputs (pass@k on all, and on its own)",
            checks=True,
        ),
        Benchmark(
            name="mbpp",
            module="scripts.run_mbpp",
            external_parser="json",
            about="MBPP: 500 short Python functions from a sentence and assertions, judged by these (pass@k)",
            checks=True,
            starts_early=True,
        ),
        Benchmark(
            name="mbpp_plus",
            module="scripts.evalplus.run_mbpp_plus",
            external_parser="evalplus",
            about="MBPP+: 378 of MBPP's functions judged on many more inputs (pass@k on all, and on its own)",
            checks=True,
        ),
        Benchmark(
            name="tasks",
            module="scripts.run_tasks",
            external_parser="json",
            about="Your own coding tasks from a file, or a starter set of twenty, judged by test cases (pass@k)",
            checks=True,
            starts_early=True,
        ),
        Benchmark(
            name="gsm8k",
            module="scripts.run_gsm8k",
            external_parser="json",
            about="GSM8K: 1319 grade-school word problems, judged by the exact number",
            checks=True,
            starts_early=True,
        ),
        Benchmark(
            name="mmlu",
            module="scripts.run_mmlu",
            external_parser="json",
            about="MMLU: 14042 four-choice questions on 57 subjects, by log-probabilities or letter",
            checks=True,
            starts_early=True,
        ),
        Benchmark(
            name="ifeval",
            module="scripts.lm_eval.run_ifeval",
            parser="lm_eval",
            external_parser="lm_eval",
            about="IFEval: 541 prompts with instructions that a program verifies; by lm-eval, installed separately",
            checks=True,
        ),
        Benchmark(
            name="needle",
            module="scripts.run_needle",
            external_parser="json",
            about="Needles in a haystack: facts found again in long texts, by kind, length and depth",
            checks=True,
            starts_early=True,
        ),
        Benchmark(
            name="tools",
            module="scripts.run_tools",
            external_parser="json",
            about="Tool calling: right tools and arguments, no needless call, errors, several turns; or BFCL's files",
            checks=True,
            starts_early=True,
        ),
        Benchmark(
            name="speed",
            module="scripts.run_speed",
            parser="speed",
            external_parser="llama_bench",
            about="Speed of a chat at depths, and under load: prefill, time to first token, generation; no score",
        ),
        Benchmark(
            name="kld",
            module="scripts.run_kld",
            parser="kld",
            external_parser="json",
            about="Fidelity to a reference model: KL divergence, same-top rate, perplexity on a text; no score",
        ),
    )
}


def external_benchmark(name: str) -> Benchmark:
    """The benchmark of an external script: one of ours, or any other name for the record. Raises UsageError."""
    if name not in BENCHMARKS and not NAME.fullmatch(name):
        raise UsageError(
            f"--benchmark {name!r} is not a valid name",
            hint="use at most 64 letters, digits and the characters _ . -",
            settings=("benchmark",),
        )
    return BENCHMARKS.get(name) or Benchmark(name=name, module="", about="an external script")


def get_benchmark(name: str) -> Benchmark:
    """The benchmark of that name, or the suite in that file. Raises UsageError for another, naming the closest."""
    if name in BENCHMARKS:
        return BENCHMARKS[name]
    if name in shipped_suites():
        return _suite(shipped_suites()[name])
    if is_suite_file(name):
        return _suite(user_path(name))
    close = close_match(name, (*BENCHMARKS, *shipped_suites()))
    file = next((f"./{name}{ending}" for ending in ENDINGS if user_path(name + ending).is_file()), "")
    hint = f"did you mean {file or close}? " if file or close else ""
    raise UsageError(
        f"there is no benchmark {name!r}",
        hint=f"{hint}known: {', '.join(sorted(BENCHMARKS))}; suites: `suites list`, or a file FILE.yaml",
        settings=("benchmark",),
    )


def recorded_benchmark(name: str, config: Mapping[str, Any]) -> Benchmark | None:
    """That of a record, by its name and config; None for one that is not ours. Raises UsageError."""
    if name in BENCHMARKS:
        return BENCHMARKS[name]
    if "suite_sha256" not in config:
        return None
    return get_benchmark(asked_name(name, config))


def asked_name(name: str, config: Mapping[str, Any]) -> str:
    """What --benchmark was given for a record: of a suite of one's own, its file."""
    return str(config.get("suite") or name)


def _suite(path: Path) -> Benchmark:
    facts = suite_facts(path)
    if facts.name in BENCHMARKS or not NAME.fullmatch(facts.name):
        raise UsageError(
            f"{path}: a suite can't be named {facts.name!r}"
            + (", because a benchmark is" if facts.name in BENCHMARKS else ""),
            hint="use at most 64 letters, digits and the characters _ . -, and a name of its own",
            settings=("benchmark",),
        )
    return Benchmark(
        name=facts.name,
        module="scripts.run_suite",
        external_parser="json",
        about=facts.about,
        checks=True,
        starts_early=True,
        suite=path,
    )
