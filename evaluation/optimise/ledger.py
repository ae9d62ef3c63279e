"""All calls of a search go through here: answered from the journal, kept within the budget, written down."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING, NoReturn, Self

from evaluation.optimise.contract import Cost, Outcome, Reflection, Spent, Stopped
from evaluation.optimise.journal import (
    AskedLine,
    Journal,
    OutcomeLine,
    PromptLine,
    ReflectionLine,
    usable_score,
)
from results.errors import UsageError
from results.json_text import encode

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from evaluation.optimise.contract import Budget, Item, Problem
    from results.prompts.prompt_file import PromptText


class Halt(BaseException):
    """Ends the search from within gepa, which goes on after any Exception. error: that is to be raised instead."""

    def __init__(self, *, stopped: Stopped | None = None, error: Exception | None = None) -> None:
        super().__init__(str(error or stopped))
        self.stopped = stopped
        self.error = error


class Ledger:
    """The calls of one search. Use as a context manager; one thread.

    replayed: calls that were answered from the journal.
    """

    def __init__(self, problem: Problem, path: Path, *, budget: Budget, seed: int) -> None:
        """Raises UsageError for a budget that can't be held or suffices for nothing, and what `Journal` raises."""
        self._problem = problem
        self._budget = budget
        self._seed = seed
        self._by_tokens = budget.max_tokens is not None or budget.max_cost_usd is not None
        self._require_enough()
        self.replayed = 0
        self._known: dict[
            str, dict[str, Outcome]
        ] = {}  # by prompt and item, as far as this try has asked for them
        self._kept: dict[str, dict[str, Outcome]] = {}  # what is in the journal
        self._kept_reflections: dict[tuple[str, int], Reflection] = {}
        self._times_asked: Counter[str] = Counter()
        self._written: set[str] = set()
        self._evaluations = self._reflections = self._lost = self._tokens = 0
        self._cost_usd = 0.0
        self._longest = Cost()
        self._journal = Journal(path, identity=search_identity(problem, seed))
        self._replay()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._journal.close()

    @property
    def spent(self) -> Spent:
        return Spent(
            evaluations=self._evaluations,
            reflections=self._reflections,
            lost=self._lost,
            tokens=self._tokens,
            cost_usd=round(self._cost_usd, 10),
        )

    def evaluate(self, prompt: PromptText, items: Sequence[Item], *, final: bool = False) -> list[Outcome]:
        """The outcome of each item, in their order. final: of the test split, for which the search leaves enough.

        Raises Halt where the calls that are missing don't fit into the budget, or the problem raises.
        """
        sha256 = prompt.sha256
        known = self._known.setdefault(sha256, {})
        kept = self._kept.get(sha256, {})
        missing: dict[str, Item] = {}
        for item in items:
            if item.sha256 in known:
                continue
            if (outcome := kept.get(item.sha256)) is not None:
                known[item.sha256] = outcome
                self.replayed += 1
            else:
                missing[item.sha256] = item
        if missing:
            self._ask(prompt, sha256, missing, known, final=final)
        return [known[item.sha256] for item in items]

    def reflect(self, text: str) -> str:
        """What the reflector writes; the same text asked again may get another reply. Raises Halt as `evaluate`."""
        asked = hashlib.sha256(encode(text)).hexdigest()
        self._times_asked[asked] += 1
        seed = self._seed + self._times_asked[asked] - 1
        reply = self._kept_reflections.get((asked, seed))
        if reply is not None:
            self.replayed += 1
            return reply.text
        worst = self._worst(text, ())
        self._require_room(1, worst, final=False)
        self._journal.add(AskedLine(calls=1, in_flight=1, tokens=worst.tokens, cost_usd=worst.cost_usd))
        try:
            reply = self._problem.reflect(text, seed)
        except Exception as error:
            self._lose(1, worst)
            raise Halt(error=error) from error
        self._journal.add(
            ReflectionLine(
                asked=asked, seed=seed, text=reply.text, tokens=reply.tokens, cost_usd=reply.cost_usd
            )
        )
        self._reflections += 1
        self._charge(reply.tokens, reply.cost_usd, worst)
        return reply.text

    def _ask(
        self,
        prompt: PromptText,
        sha256: str,
        missing: dict[str, Item],
        known: dict[str, Outcome],
        *,
        final: bool,
    ) -> None:
        items = tuple(missing.values())
        total = self._worst(prompt, items)
        each = total if len(items) == 1 else self._worst_each(prompt, items)
        if self._by_tokens and not final:
            test = self._worst(prompt, self._problem.splits.test)
            self._longest = Cost(
                max(test.tokens, self._longest.tokens), max(test.cost_usd, self._longest.cost_usd)
            )
        self._require_room(len(items), total, final=final)
        if sha256 not in self._written:
            self._written.add(sha256)
            self._journal.add(PromptLine(sha256=sha256, prompt=prompt))
        in_flight = min(len(items), self._problem.in_flight or len(items))
        self._journal.add(
            AskedLine(calls=len(items), in_flight=in_flight, tokens=each.tokens, cost_usd=each.cost_usd)
        )
        try:
            for outcome in self._problem.evaluate(prompt, items, self._seed):
                if missing.pop(outcome.sha256, None) is None or not usable_score(outcome.score):
                    raise ValueError(f"an outcome of a sample that was not asked, or no share: {outcome}")
                self._journal.add(_line(sha256, outcome))
                known[outcome.sha256] = outcome
                self._evaluations += 1
                self._charge(outcome.tokens, outcome.cost_usd, each)
            if missing:
                raise ValueError(f"{len(missing)} samples were asked and have no outcome")
        except Exception as error:
            self._lose(min(len(missing), in_flight), each)
            raise Halt(error=error) from error

    def _replay(self) -> None:
        """Take over what earlier tries asked, and charge it."""
        pending, asked = 0, AskedLine(calls=0, in_flight=0)
        for line in self._journal.lines:
            if isinstance(line, AskedLine):
                self._lose(min(pending, asked.in_flight), Cost(asked.tokens, asked.cost_usd))
                pending, asked = line.calls, line
            elif isinstance(line, PromptLine):
                self._written.add(line.sha256)
            elif isinstance(line, OutcomeLine):
                self._kept.setdefault(line.prompt, {})[line.item] = _outcome(line)
                self._evaluations += 1
                pending -= 1
                self._charge(line.tokens, line.cost_usd, Cost(asked.tokens, asked.cost_usd))
            elif isinstance(line, ReflectionLine):
                reply = Reflection(text=line.text, tokens=line.tokens, cost_usd=line.cost_usd)
                self._kept_reflections[line.asked, line.seed] = reply
                self._reflections += 1
                pending -= 1
                self._charge(line.tokens, line.cost_usd, Cost(asked.tokens, asked.cost_usd))
        self._lose(min(pending, asked.in_flight), Cost(asked.tokens, asked.cost_usd))
        self._journal.lines = []

    def _charge(self, tokens: int | None, cost_usd: float | None, worst: Cost) -> None:
        self._tokens += worst.tokens if tokens is None else tokens
        self._cost_usd += worst.cost_usd if cost_usd is None else cost_usd

    def _lose(self, calls: int, each: Cost) -> None:
        if calls > 0:
            self._lost += calls
            self._tokens += calls * each.tokens
            self._cost_usd += calls * each.cost_usd

    def _worst(self, asked: PromptText | str, items: Sequence[Item]) -> Cost:
        if not self._by_tokens or self._problem.worst_case is None:
            return Cost()
        return self._problem.worst_case(asked, items)

    def _worst_each(self, prompt: PromptText, items: Iterable[Item]) -> Cost:
        if not self._by_tokens:
            return Cost()
        costs = [self._worst(prompt, (item,)) for item in items]
        return Cost(max(cost.tokens for cost in costs), max(cost.cost_usd for cost in costs))

    def _reserve(self) -> tuple[int, Cost]:
        """What the test of the gain takes: of the seed prompt, and of the dearest candidate so far."""
        test = self._problem.splits.test
        if not test:
            return 0, Cost()
        seed = self._worst(self._problem.seed_prompt, test)
        return 2 * len(test), Cost(seed.tokens + self._longest.tokens, seed.cost_usd + self._longest.cost_usd)

    def _require_room(self, calls: int, worst: Cost, *, final: bool) -> None:
        if not self._has_room(calls, worst, final=final):
            _out_of_budget()

    def _has_room(self, calls: int, worst: Cost, *, final: bool) -> bool:
        kept_calls, kept = (0, Cost()) if final else self._reserve()
        wanted = (
            (self.spent.calls + calls + kept_calls, self._budget.max_calls),
            (self._tokens + worst.tokens + kept.tokens, self._budget.max_tokens),
            (self._cost_usd + worst.cost_usd + kept.cost_usd, self._budget.max_cost_usd),
        )
        return all(most is None or amount <= most for amount, most in wanted)

    def _require_enough(self) -> None:
        """Before anything is asked: for the seed prompt on validation and the test of the gain."""
        splits = self._problem.splits
        if self._by_tokens and self._problem.worst_case is None:
            raise UsageError(
                "a budget in tokens or money can't be held here: what a call takes at the most is not known",
                hint="give the budget in calls",
            )
        for name in ("max_calls", "max_tokens", "max_cost_usd"):
            most = getattr(self._budget, name)
            if most is not None and not most > 0:
                raise UsageError(f"a budget of {most} ({name}) allows nothing", hint="give a larger one")
        seed = self._worst(self._problem.seed_prompt, splits.validation)
        test = self._worst(self._problem.seed_prompt, splits.test)
        needs = (
            ("calls", len(splits.validation) + 2 * len(splits.test), self._budget.max_calls),
            ("tokens", seed.tokens + 2 * test.tokens, self._budget.max_tokens),
            ("USD", seed.cost_usd + 2 * test.cost_usd, self._budget.max_cost_usd),
        )
        for unit, needed, most in needs:
            if most is not None and needed > most:
                raise UsageError(
                    f"a budget of {most:,} {unit} is too small: the seed prompt on validation "
                    f"({len(splits.validation)} samples) and the test of the gain (twice {len(splits.test)}) alone "
                    f"may take {needed:,}",
                    hint="raise the budget, or ask for fewer samples of validation and test",
                )


def _out_of_budget() -> NoReturn:
    raise Halt(stopped=Stopped.BUDGET)


def search_identity(problem: Problem, seed: int) -> str:
    """Of what determines an outcome: not of the optimiser, whose candidates may differ but not their outcomes."""
    told = [problem.identity, problem.seed_prompt.sha256, seed]
    return hashlib.sha256(encode(told)).hexdigest()


def _line(prompt: str, outcome: Outcome) -> OutcomeLine:
    return OutcomeLine(
        prompt=prompt,
        item=outcome.sha256,
        score=outcome.score,
        answer=outcome.answer,
        feedback=outcome.feedback,
        cause=outcome.cause,
        tokens=outcome.tokens,
        cost_usd=outcome.cost_usd,
    )


def _outcome(line: OutcomeLine) -> Outcome:
    return Outcome(
        sha256=line.item,
        score=line.score,
        answer=line.answer,
        feedback=line.feedback,
        cause=line.cause,
        tokens=line.tokens,
        cost_usd=line.cost_usd,
    )
