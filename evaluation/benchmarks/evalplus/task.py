"""HumanEval+ and MBPP+ (Liu et al. 2023): functions judged on the inputs of HumanEval or MBPP, and on many more."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec.structs import replace

from evaluation.answers.code import COMPLETION_STOPS, Extracted, from_chat, from_completion
from evaluation.answers.fences import fenced
from evaluation.benchmarks.evalplus.expected import SETS, Expected, inside
from evaluation.benchmarks.evalplus.inside import encoded
from evaluation.benchmarks.human_eval.task import CHAT_PROMPT
from evaluation.data.data_set import DataSetTask
from evaluation.failed_checks import located
from evaluation.pass_at_k import pass_at_k_metrics
from evaluation.protocols import Judgement, Prompt, PromptStyle, Sample
from results.prompts.prompt_file import Example
from results.stats.sample_order import order_key
from sandbox import Program, UnitTests

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from evaluation.benchmarks.evalplus.data import Problem
    from evaluation.loop.grader import Grader
    from results.records import Completion, Metric

BASE = "base"  # a completion's metric: whether it passes on the inputs of HumanEval or MBPP alone
# Where a text that goes on behind MBPP+'s docstring leaves the function, as evalplus has it.
_MBPP_STOPS = ('\n"""', "\nassert", "\nif __name__", "\nprint(")
_SLOWER = 4.0  # times that of the reference, as evalplus allows
_JUDGING = """\
for _given, _expected in _plus["cases"]:
    _got = {name}(*_given)
    if not _plus["oracle"].judges(_given, _got, _expected):
        assert _got == _expected
        raise AssertionError("the result is not what this task wants")
"""


class Judged(NamedTuple):
    """One problem that can be judged. expected: by set; empty for a problem that is not asked."""

    problem: Problem
    expected: Mapping[str, Expected]


class Usable(NamedTuple):
    """excluded: why a problem can't be judged, by its id. contract: how many inputs break it, by the problem's id."""

    problems: tuple[Judged, ...]
    excluded: dict[str, str]
    contract: dict[str, int]


def usable(problems: Sequence[Problem], expected: Mapping[str, Mapping[str, Expected]]) -> Usable:
    """Those whose reference solutions give data for all inputs, and why others can't be judged. expected: of those that
    are asked, at least.
    """
    failed = {
        problem.task_id: why
        for problem in problems
        if (why := next((some.failed for some in _of(problem, expected).values() if some.failed), ""))
    }
    broken = {name: sum(len(some.breaks) for some in sets.values()) for name, sets in expected.items()}
    return Usable(
        tuple(Judged(one, _of(one, expected)) for one in problems if one.task_id not in failed),
        failed,
        {name: count for name, count in broken.items() if count},
    )


def expected_of_asked(
    problems: Sequence[Problem],
    compute: Callable[[Sequence[Problem]], Mapping[str, Mapping[str, Expected]]],
    *,
    limit: int | None,
    shuffle: int | None,
) -> dict[str, Mapping[str, Expected]]:
    """What is expected of the problems that a run asks: the first `limit` in its order that can be judged."""
    order = problems
    if shuffle is not None:
        order = sorted(problems, key=lambda problem: order_key(shuffle, problem.task_id))
    found: dict[str, Mapping[str, Expected]] = {}
    judged = 0
    while len(found) < len(order) and (limit is None or judged < limit):
        until = (
            None if limit is None else len(found) + limit - judged
        )  # for each that fails, one more is asked
        new = compute(order[len(found) : until])
        found.update(new)
        judged += sum(not any(some.failed for some in sets.values()) for sets in new.values())
    return found


def _of(problem: Problem, expected: Mapping[str, Mapping[str, Expected]]) -> Mapping[str, Expected]:
    return expected.get(problem.task_id, {})


def program(benchmark: str, judged: Judged, inputs: str, code: str) -> Program:
    """What is executed for a solution on one set of inputs, "base" or "plus". code: the whole solution."""
    problem = judged.problem
    given = problem.base_input if inputs == "base" else problem.plus_input
    cases = json.dumps([[encoded(list(one)) for one in given], judged.expected[inputs].outputs])
    # Under one name, which no function of a problem has: what stands there is not called by the tests by accident.
    before = (
        f"_plus = {{}}\nexec(compile({inside()!r}, '<evalplus>', 'exec', dont_inherit=True), _plus)\n"
        f"_plus['cases'] = zip(*map(_plus['decoded'], _plus['json'].loads({cases!r})))\n"
        f"_plus['oracle'] = _plus['Oracle']({benchmark!r}, {problem.entry_point!r}, {problem.atol!r})\n"
    )
    tests = UnitTests(
        code=_JUDGING.format(name=problem.entry_point), entry_point=problem.entry_point, before=before
    )
    return Program(code=code, as_main=False, tests=tests)


class EvalPlusTask(DataSetTask):
    """Implements `Task`. benchmark: human_eval_plus or mbpp_plus."""

    def __init__(
        self, benchmark: str, problems: Sequence[Judged], *, style: PromptStyle, grader: Grader
    ) -> None:
        samples = [Sample(task_id=one.problem.task_id, data={"judged": one}) for one in problems]
        super().__init__(benchmark, samples, style)
        self._benchmark = benchmark
        self._is_mbpp = benchmark == "mbpp_plus"
        if style is PromptStyle.COMPLETION:
            self.stop = _MBPP_STOPS if self._is_mbpp else COMPLETION_STOPS
        self.judge_workers = grader.workers
        self._grader = grader

    def get_prompt(self, sample: Sample) -> Prompt:
        """The bare prompt to go on with, or a request for the whole function, in EvalPlus's words."""
        prompt = sample.data["judged"].problem.prompt
        if self.style is PromptStyle.CHAT:
            return Prompt("", CHAT_PROMPT.format(prompt=prompt.strip()))
        return Prompt("", f"{prompt.strip()}\n" if self._is_mbpp else prompt)

    def worked_example(self, sample: Sample) -> Example:
        """The question and the canonical solution."""
        problem = sample.data["judged"].problem
        asked, solution = self.get_prompt(sample).user, problem.canonical_solution
        if self.style is PromptStyle.CHAT:
            solution = fenced(solution if self._is_mbpp else problem.reference)
        return Example(question=asked, answer=solution, sample=sample.task_id)

    def calculate_metrics(self, prediction: str, expected: Any, sample: Sample) -> Judgement:
        """Take the code out of the answer, and call it with the base inputs, then the others. Blocks; thread-safe."""
        del expected  # the outputs are in the sample
        judged: Judged = sample.data["judged"]
        extracted = self._extracted(prediction, judged.problem)
        if not extracted.code.strip():
            return Judgement(
                passed=False, detail="no code in the answer", ended=extracted.ended, metrics={BASE: 0.0}
            )
        before = "" if self._is_mbpp else judged.problem.prompt
        found = self.judge(judged, f"{before}{extracted.code}\n")
        return replace(
            found,
            completion=extracted.code,
            ended=extracted.ended,
            failed_check=located(found.failed_check, extracted.code, before),
        )

    def judge(self, judged: Judged, code: str) -> Judgement:
        """The verdict on a whole solution. Blocks."""
        seconds, near, passes_base = 0.0, False, False
        for inputs in SETS:
            if inputs != "base" and not judged.problem.plus_input:
                continue
            execution = self._grader.execute(
                program(self._benchmark, judged, inputs, code), cpu_s=self._cpu_s(judged.expected[inputs])
            )
            seconds += execution.seconds or 0.0
            near = near or execution.near_time_limit
            if not execution.passed:
                return Judgement(
                    passed=False,
                    detail=execution.detail if execution.broken else f"{inputs} inputs: {execution.detail}",
                    execute_s=seconds,
                    metrics={BASE: float(passes_base)},
                    broken=execution.broken,
                    near_time_limit=near,
                    failed_check=execution.failed_check,
                )
            passes_base = True
        return Judgement(passed=True, execute_s=seconds, metrics={BASE: 1.0}, near_time_limit=near)

    def aggregate_metrics(self, completions: Sequence[Completion]) -> Mapping[str, Metric]:
        """pass@k on all inputs, and on the base inputs alone."""
        metrics = dict(pass_at_k_metrics(completions))
        alone = [
            replace(completion, passed=completion.metrics.get(BASE) == 1.0, tags={})
            for completion in completions
        ]
        return metrics | {f"base {name}": metric for name, metric in pass_at_k_metrics(alone).items()}

    def _cpu_s(self, expected: Expected) -> float:
        """The limit that was asked for, doubled until a solution may be four times as slow as the reference."""
        limit = self._grader.timeout_s
        doublings = math.ceil(math.log2(max(1.0, _SLOWER * expected.seconds / limit)))
        return float(limit * 2**doublings)

    def _extracted(self, prediction: str, problem: Problem) -> Extracted:
        before = "" if self._is_mbpp else problem.prompt
        # A chat-trained model that is given a text to go on with often answers as in chat all the same.
        if self.style is PromptStyle.CHAT or prediction.lstrip().startswith("```"):
            return from_chat(prediction, before, problem.entry_point)
        if not self._is_mbpp:
            return from_completion(prediction, before)
        cut = min((at for stop in _MBPP_STOPS if (at := prediction.find(stop)) > 0), default=-1)
        return Extracted(prediction if cut < 0 else prediction[:cut], ended=cut >= 0)


def known_programs() -> tuple[list[Program], list[Program]]:
    """Programs that a right grader passes, and such that it fails: for its self-test."""
    from evaluation.benchmarks.evalplus.data import Problem

    problem = Problem(
        task_id="HumanEval/0",
        prompt="",
        entry_point="thirds",
        canonical_solution="",
        base_input=[[[1, 2]], [[]]],
    )
    judged = Judged(problem, {"base": Expected(outputs=[[0.1 + 0.2, 2 / 3], []])})
    right = "def thirds(values):\n    return [{} for value in values]\n"

    def known(code: str) -> Program:
        return program("human_eval_plus", judged, "base", code)

    good = [known(right.format("0.3 if value == 1 else value / 3"))]
    bad = [
        known(right.format("value / 4")),
        known(right.format("str(value / 3)")),
        known("import os\ndef thirds(values):\n    os._exit(0)\n"),
        known("def thirds(values\n"),
    ]
    return good, bad
