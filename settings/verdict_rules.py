"""The rules of verdicts, by number: the one place where they are declared.

A number is raised whenever an answer may get another verdict than before. Runs write both into their settings and
records, so that verdicts of different rules are never compared, mixed or continued; `rejudge` makes the verdicts of an
earlier run again.
"""

from __future__ import annotations

from typing import NamedTuple


class VerdictRules(NamedTuple):
    """extraction: what counts as the answer in what a model wrote. judging: whether that is right."""

    extraction_version: int = 1
    judging_version: int = 1


FIRST = VerdictRules()  # what was in force before it was written down
_TODAY = {
    # extraction 2: fences as in CommonMark, the last whole program; numbers and letters as people write them; of
    # LiveCodeBench the official extraction.
    # extraction 3: the function at the top level counts before one inside of another; methods of a class are called;
    # functions over several blocks are put together; HTML, JSON, sessions and changes are
    # read, prose in a block, and packages that only examples need, are not. What
    # is said of a letter decides whether it is the answer, not where it stands; a measure such as `in 3 days` is
    # no answer, and magnitudes, powers and numbers in words are. More marks of thoughts are known.
    # extraction 4: the texts of the choices help to read the letter; a choice that is only looked at first is none. A
    # number is none where only the story is told, what is taken back is not stated, and what the model asks itself is
    # left out. Still more marks of thoughts are known, and reasons behind an answer don't hide it.
    # Helpers that are corrected behind the code replace the first ones; code in calls of tools and edits is found.
    # extraction 5: code in JSON between sentences and in more calls of tools, with typographic signs, in the line of
    # its fence, before a test that was cut; corrections within a sentence, totals with their parts, lists with a
    # likelihood or one bold choice are read.
    # extraction 6: what a model says as its user behind its turn is left out; code in patches, files of a shell and
    # strings, such as the arguments of a call in Python, is found; a choice is read by elimination. extraction 7: also
    # beside blocks of other code; a letter in a line of its own between explanations; one that is called correct before
    # the last item of a list. extraction 8: a list of all choices begins with no answer, nor does `(a) ... (b) ...`.
    # extraction 9: `The answer is (B) and (D)` is none, `The answer is B, and A is wrong` is B.
    # extraction 10: a choice is read in more languages; a heading with `B. Heart` is one, that of each choice is none.
    # Of JSON a number is read by its key. Code whose helpers stand in another file of the answer, in YAML, in a session
    # without a fence is found; what is called wrong, left out in part, or cut, and tests of a program are passed over.
    # A call of a tool that nobody offered is the answer.
    # extraction 11: what announces a list of choices, such as `Why the others are not correct:`, states none, nor does
    # the number I of a statement; `The answer is Heart, option B` and `Answer: b` before reasons state B. What is said
    # again in two units, as in `160 minutes, or 2 hours and 40 minutes`, is no second number. Code below `The following
    # is incorrect:` is passed over, and a body may have a variable of the function's name.
    # judging 2: the tests call a program that runs in another process. judging 3: they see each change of an argument.
    # judging 4, elsewhere 2: halves of a pair of surrogates cross as they are; of LiveCodeBench and the own tasks
    # numbers of other types are those that they equal.
    "human_eval": VerdictRules(extraction_version=11, judging_version=4),
    "human_eval_plus": VerdictRules(extraction_version=11, judging_version=2),
    "mbpp_plus": VerdictRules(extraction_version=11, judging_version=2),
    "mbpp": VerdictRules(extraction_version=11, judging_version=2),
    "lcb": VerdictRules(extraction_version=11, judging_version=2),
    "tasks": VerdictRules(extraction_version=11, judging_version=2),
    "gsm8k": VerdictRules(extraction_version=11),
    "mmlu": VerdictRules(extraction_version=11),
}

# Declared suites and all others read answers by the same rules: extraction 8 is the 11 of the benchmarks above.
_OTHERS = VerdictRules(extraction_version=8)
_NOT_READ = {"speed", "kld"}  # nothing is made of their answers


def rules_of(benchmark: str) -> VerdictRules:
    """Today's."""
    return FIRST if benchmark in _NOT_READ else _TODAY.get(benchmark, _OTHERS)
