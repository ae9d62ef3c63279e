"""Prompts with a planted optimum, without a model: what an optimiser has to find is known, but not to it.

INSTRUCTIONS. An instruction is made of phrases of six kinds, four phrases a kind, or none: 5^6 = 15,625 instructions.
One phrase of each kind is right, drawn by seed; another one of the kind is a near miss, worth 40 % of it; the other two
are worth nothing. Whether a sample is solved is drawn as in item response theory (a probit model): the sum of what the
phrases are worth, less the sample's own difficulty, plus noise of its own for each pair of instruction and sample, is
above 0. The seed prompt solves about 25 % and the planted one about 90 %, a near miss in one kind some 4 % less: on 600
validation samples that is about 3 standard errors, so a search that trusts every small gain ends at a near miss.

The reflector is a stand-in for a language model that reads and writes, but does not know what is right. It sees the
text that a real one would see, and nothing else: instructions between fences, and feedback on wrong answers. Feedback
names the kind of phrase that is at fault in three of four cases, and any kind otherwise. The reflector takes one kind
that is named, and writes any other phrase of it. One reply of ten is useless: no instruction at all.

EXAMPLES. 24 worked examples, of which at most four are shown: 12,950 sets. Four skills have one good example each, and
two near misses, worth 40 %; of a skill, only the best one shown counts. The other twelve are worth nothing or do harm.
The same noise, the same shares.

An optimiser has found it when its result is the planted prompt itself, not one as good or nearly so.
"""

from __future__ import annotations

import hashlib
import math
import random
import re
import time
from functools import lru_cache
from typing import TYPE_CHECKING

from evaluation.optimise.contract import FEW_SHOT, Item, Outcome, Problem, Reflection, Splits
from results.prompts.prompt_file import PromptText

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

KINDS = {
    "units": ("Give units.", "Convert to SI units.", "Leave units out.", "Name the unit first."),
    "steps": ("Think step by step.", "Answer at once.", "List the facts first.", "Plan, then answer."),
    "format": ("End with the number alone.", "Answer in a sentence.", "Use JSON.", "Put it in brackets."),
    "checks": ("Check the result.", "Solve it twice.", "Estimate first.", "Look for traps."),
    "role": ("You are a teacher.", "You are an accountant.", "You are a pupil.", "You are a critic."),
    "length": ("Be brief.", "Explain all.", "Use at most three lines.", "Write one line a step."),
}
PHRASES = {phrase: kind for kind, phrases in KINDS.items() for phrase in phrases}
NEAR_MISS = 0.4
WORST, BEST = 0.25, 0.90
SPREAD, NOISE = 1.0, 0.4  # of the samples' difficulties, and of a pair of prompt and sample
VALIDATION, TRAIN, TEST = 600, 60, 0
POOL, SKILLS, SHOWN = 24, 4, 4
MISLEADING, USELESS = 0.25, 0.10


def chance(*parts: object) -> float:
    """From 0 to 1, always the same for the same parts."""
    digest = hashlib.blake2b("\0".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


def _below(z: float) -> float:
    return 0.5 * (1 + math.erf(z / math.sqrt(2)))


@lru_cache
def _level(share: float) -> float:
    """The ability that solves so many samples."""
    low, high = -10.0, 10.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _below(middle / math.hypot(SPREAD, NOISE)) < share else (low, middle)
    return low


class Planted:
    """One problem. calls, reflections: how often it was asked; answering_s: processor time that its answers took."""

    def __init__(self, seed: int, *, examples: bool, validation: int = VALIDATION, test: int = TEST) -> None:
        self.seed = seed
        self.examples = examples
        self.calls = 0
        self.reflections = 0
        self.answering_s = 0.0
        drawn = random.Random(f"planted/{seed}")
        self._worth: dict[str, float] = {}
        items = [self._item(number) for number in range(validation + TRAIN + test)]
        train = items[:TRAIN]
        self._difficulty = {item.sha256: drawn.gauss(0, SPREAD) for item in items}
        start = ""
        if examples:
            # The pool that `few_shot` takes of train is what has an answer.
            pool = [item.task_id for item in train[:POOL]]
            drawn.shuffle(pool)
            self._skills = [pool[3 * skill : 3 * skill + 3] for skill in range(SKILLS)]
            for good, *near in self._skills:
                self._worth |= {good: 1.0, **dict.fromkeys(near, NEAR_MISS)}
            self._worth |= {each: -0.25 * drawn.randint(0, 1) for each in pool[3 * SKILLS :]}
            self.optimum = frozenset(skill[0] for skill in self._skills)
            steps = SKILLS
        else:
            right = {}
            for kind, phrases in KINDS.items():
                good, near, *_ = drawn.sample(phrases, len(phrases))
                self._worth |= {good: 1.0, near: NEAR_MISS}
                right[kind] = good
            self.optimum = frozenset(right.values())
            wrong = [[each for each in phrases if each not in self._worth] for phrases in KINDS.values()]
            start = " ".join(drawn.choice(each) for each in drawn.sample(wrong, 3))
            steps = len(KINDS)
        self._step = (_level(BEST) - _level(WORST)) / steps
        self.problem = Problem(
            splits=Splits(
                train=tuple(train),
                validation=tuple(items[TRAIN : TRAIN + validation]),
                test=tuple(items[TRAIN + validation :]),
            ),
            evaluate=self.evaluate,
            reflect=self.reflect,
            seed_prompt=PromptText(instruction=start),
            identity=f"planted {seed}",
        )

    def _item(self, number: int) -> Item:
        return Item(
            task_id=f"sample/{number}",
            sha256=hashlib.sha256(f"{self.seed}/{number}".encode()).hexdigest(),
            question=f"Question {number}",
            answer=f"Worked answer {number}" if number < POOL else "",
        )

    def parts(self, prompt: PromptText) -> frozenset[str]:
        """The phrases, or the examples, of a prompt."""
        if self.examples:
            return frozenset(example.sample for example in prompt.examples)
        return frozenset(phrases_in(prompt.instruction))

    def is_found(self, prompt: PromptText) -> bool:
        return self.parts(prompt) == self.optimum

    def ability(self, parts: frozenset[str]) -> float:
        if not self.examples:
            gains = [self._worth.get(each, 0.0) for each in parts]
        else:
            skilled = {each for skill in self._skills for each in skill}
            gains = [
                max((self._worth[e] for e in skill if e in parts), default=0.0) for skill in self._skills
            ]
            gains += [self._worth.get(each, 0.0) for each in parts - skilled]
        return _level(WORST) + self._step * sum(gains)

    def evaluate(self, prompt: PromptText, items: Sequence[Item], seed: int) -> Iterator[Outcome]:
        begin = time.process_time()
        outcomes = [*self._outcomes(prompt, items, seed)]
        self.answering_s += time.process_time() - begin
        for outcome in outcomes:
            self.calls += 1
            yield outcome

    def _outcomes(self, prompt: PromptText, items: Sequence[Item], seed: int) -> Iterator[Outcome]:
        parts = self.parts(prompt)
        ability, sha256 = self.ability(parts), prompt.sha256
        for item in items:
            solved = chance(self.seed, sha256, item.sha256, seed) < _below(
                (ability - self._difficulty[item.sha256]) / NOISE
            )
            feedback = "" if solved or self.examples else self._feedback(parts, sha256, item)
            yield Outcome(sha256=item.sha256, score=float(solved), answer="an answer", feedback=feedback)

    def _feedback(self, parts: frozenset[str], sha256: str, item: Item) -> str:
        drawn = chance("feedback", self.seed, sha256, item.sha256)
        missing = [kind for kind, phrases in KINDS.items() if not self.optimum & parts & set(phrases)]
        kinds = list(KINDS) if drawn < MISLEADING or not missing else missing
        return f"Wrong, because of its {kinds[int(drawn * 1e6) % len(kinds)]}."

    def reflect(self, text: str, seed: int) -> Reflection:
        begin = time.process_time()
        self.reflections += 1
        written_by = random.Random(f"{self.seed}/{seed}/{text}")
        reflection = Reflection(text=reply(text, written_by))
        self.answering_s += time.process_time() - begin
        return reflection


def phrases_in(text: str) -> list[str]:
    return [phrase for phrase in PHRASES if phrase in text]


def reply(text: str, drawn: random.Random) -> str:
    """What the stand-in for a reflector writes. It knows the phrases, as a model knows its language."""
    tasks = re.split(r"^Task \d+:", text, flags=re.MULTILINE)[1:]
    if "Name the cause" in text:
        named = (re.findall(r"because of its (\w+)", task) for task in tasks)
        return "\n".join(
            f"{number}: {kinds[0] if kinds else 'other'}" for number, kinds in enumerate(named, 1)
        )
    if "at most" in text and "groups" in text:
        return re.sub(r".*?\n\n(.*?)\n\n.*", r"\1", text, flags=re.DOTALL)
    if drawn.random() < USELESS:
        return "I am sorry, but I can't see what you mean."
    blocks = re.findall(r"^```\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    if "joins the strengths" in text:
        return fenced_reply(joined(blocks[0], blocks[1], drawn))
    asked = re.search(r"Write (\d+) new", text)
    named = re.findall(r"(?:because of its|one kind are made with it:) (\w+)", text)
    return "\n\n".join(
        fenced_reply(varied(blocks[0], named, drawn)) for _ in range(int(asked[1]) if asked else 1)
    )


def varied(instruction: str, named: list[str], drawn: random.Random) -> str:
    """Another phrase of a kind that feedback names, or of any kind where it names none."""
    kind = drawn.choice([each for each in named if each in KINDS] or list(KINDS))
    now = phrases_in(instruction)
    others = [phrase for phrase in KINDS[kind] if phrase not in now]
    kept = [phrase for phrase in now if PHRASES[phrase] != kind]
    return written({PHRASES[phrase]: phrase for phrase in [*kept, drawn.choice(others)]})


def joined(first: str, second: str, drawn: random.Random) -> str:
    sides = [{PHRASES[phrase]: phrase for phrase in phrases_in(text)} for text in (first, second)]
    chosen = {kind: drawn.choice(sides).get(kind, "") for kind in KINDS}
    return written({kind: phrase for kind, phrase in chosen.items() if phrase})


def written(by_kind: dict[str, str]) -> str:
    return " ".join(by_kind[kind] for kind in KINDS if kind in by_kind)


def fenced_reply(text: str) -> str:
    return f"```\n{text}\n```"


# What a search needs here: far fewer trials than there are prompts.
PARAMETERS = {
    FEW_SHOT: {"max_trials": 80, "max_examples": SHOWN, "pool_size": POOL},
    "meta_prompt": {"max_trials": 120},
    "evolutionary_optimizer": {"population_size": 12, "num_generations": 24},
    "hierarchical_reflective": {"max_trials": 120},
    "gepa": {"max_trials": 300, "reflection_minibatch_size": 12},
}
