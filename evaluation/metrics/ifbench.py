"""Whether an answer follows IFBench's instructions, by the checkers that its authors publish (package `ifbench`).

There are 58 kinds of instructions, some of which need word lists of NLTK. What is not installed is told before a model
is asked. As in their evaluation_lib.py: strictly, an answer is checked as it is; loosely, it may follow without its
first line, its last line, both, and without asterisks.
"""

from __future__ import annotations

import contextlib
import functools
import json
import shlex
import sys
from typing import TYPE_CHECKING, Any

from results.errors import ScriptError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_WORD_LISTS = {
    "punkt": "tokenizers/punkt",
    "punkt_tab": "tokenizers/punkt_tab",
    "stopwords": "corpora/stopwords",
    "averaged_perceptron_tagger_eng": "taggers/averaged_perceptron_tagger_eng",
}


def instructions_text(row: Mapping[str, Any]) -> str:
    """A row's instructions as one text: what is expected of an answer. Raises ScriptError like `require_checkers`."""
    require_checkers(row["instruction_id_list"])
    given = [
        {name: value for name, value in some.items() if value is not None} for some in row["kwargs"] or ()
    ]
    instructions = list(zip(row["instruction_id_list"], given, strict=True))
    return json.dumps({"prompt": row["prompt"], "instructions": instructions}, ensure_ascii=False)


def require_checkers(names: Sequence[str]) -> None:
    """Raises ScriptError where the checkers of these instructions, or what they need, are not installed."""
    known = _checkers()
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ScriptError(
            f"the installed ifbench knows no instruction {unknown[0]!r}", hint="install a newer one"
        )


def ifbench_prompt_strict(prediction: str, expected: Any) -> float:
    """1 if an answer follows all instructions."""
    return _all_followed([prediction], expected)


def ifbench_prompt_loose(prediction: str, expected: Any) -> float:
    """1 if each instruction is followed by the answer in one of its looser forms."""
    lines = prediction.split("\n")
    parts = (lines, lines[1:], lines[:-1], lines[1:-1])
    forms = [prediction, *("\n".join(part).strip() for part in parts[1:])]
    return _all_followed([*forms, *(form.replace("*", "") for form in forms)], expected)


def _all_followed(forms: Sequence[str], expected: Any) -> float:
    wanted = json.loads(str(expected))
    return float(
        all(
            any(_follows(form, name, given, wanted["prompt"]) for form in forms if form.strip())
            for name, given in wanted["instructions"]
        )
    )


def _follows(answer: str, name: str, given: Mapping[str, Any], prompt: str) -> bool:
    checker = _checkers()[name](name)
    checker.build_description(**given)
    arguments = checker.get_instruction_args()
    if arguments and "prompt" in arguments:
        checker.build_description(prompt=prompt)
    try:
        return bool(checker.check_following(answer))
    except Exception:  # noqa: BLE001 - their checkers fail on some answers, such as one without a second sentence
        return False


@functools.cache
def _checkers() -> Mapping[str, Any]:
    try:
        with contextlib.redirect_stdout(sys.stderr):  # it tries to fetch word lists, and says so
            import nltk
            from ifbench.instructions_registry import INSTRUCTION_DICT
    except ImportError as error:
        raise ScriptError(
            f"IFBench's checkers are not installed: {error}",
            hint=f"{shlex.quote(sys.executable)} -m pip install git+https://github.com/allenai/IFBench",
        ) from error
    missing = [name for name, place in _WORD_LISTS.items() if not _is_there(nltk, place)]
    if missing:
        raise ScriptError(
            f"IFBench's checkers need word lists of NLTK that are not here: {', '.join(missing)}",
            hint=f"{shlex.quote(sys.executable)} -m nltk.downloader {' '.join(missing)}",
        )
    found: Mapping[str, Any] = INSTRUCTION_DICT
    return found


def _is_there(nltk: Any, place: str) -> bool:
    try:
        nltk.data.find(place)
    except LookupError:
        return False
    return True
