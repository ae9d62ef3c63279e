"""HumanEval+ and MBPP+: the same verdicts as evalplus's own code, and none for a forged answer."""

# ruff: noqa: E501 - a table of answers

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from evaluation.benchmarks.evalplus.data import read_problems
from evaluation.benchmarks.evalplus.expected import expected_outputs
from evaluation.benchmarks.evalplus.task import EvalPlusTask, known_programs, usable
from evaluation.loop.grader import Grader
from evaluation.protocols import PromptStyle
from sandbox import open_sandbox
from tests.evaluation.evalplus_problems import HUMAN_EVAL, MBPP, attempts, write_rows
from tests.sandbox.test_forgery_suite import FORGERIES

ROOT = Path(__file__).parents[2]
# What evalplus 0.3.1 says of `attempts()`: by task and name, p or f on the base inputs, and on the others. To record
# again: `test_the_same_verdicts_as_evalplus_gives_now` with RECORD=1.
RECORDED = Path(__file__).parent / "fixtures" / "evalplus_verdicts.json"
# evalplus 0.3.1 fails every solution of it: it doesn't count the inputs of that problem as done.
FAULTY = "HumanEval/32"
STRIDE = 23
FILES = {"human_eval_plus": ("HumanEvalPlus.jsonl", HUMAN_EVAL), "mbpp_plus": ("MbppPlus.jsonl", MBPP)}


class Judges:
    """Our verdicts, in the real sandbox."""

    def __init__(self, folder):
        self.grader = Grader(level="auto", timeout_s=5.0)
        self.grader.open()
        self.cache = folder / "cache"
        self.found, self.by_id = {}, {}
        with open_sandbox(workers=2) as box:
            for name, (file, rows) in FILES.items():
                problems = read_problems(write_rows(folder / file, rows), name).problems
                expected = expected_outputs(problems, box, workers=2, folder=self.cache)
                self.found[name] = usable(problems, expected)
                task = EvalPlusTask(
                    name, self.found[name].problems, style=PromptStyle.CHAT, grader=self.grader
                )
                self.by_id |= {one.problem.task_id: (task, one) for one in self.found[name].problems}

    def judge(self, task_id, code):
        task, judged = self.by_id[task_id]
        return task.judge(judged, code)

    def verdicts(self, some):
        with ThreadPoolExecutor(2) as pool:
            found = pool.map(lambda one: self.judge(one.task_id, one.code), some)
            return [(bool(verdict.metrics["base"]), verdict.passed) for verdict in found]


@pytest.fixture(scope="module")
def judges(tmp_path_factory):
    made = Judges(tmp_path_factory.mktemp("evalplus"))
    yield made
    made.grader.close()


def differing(some, ours, recorded):
    return [
        (one.task_id, one.name, verdict, recorded[one.task_id][one.name])
        for one, verdict in zip(some, ours, strict=True)
        if one.task_id != FAULTY
        if verdict != _both(recorded[one.task_id][one.name])
    ]


def _both(letters):
    return letters[0] == "p", letters == "pp"


def test_the_recorded_verdicts_are_mixed():
    """Protects the tests below from being about nothing."""
    recorded = json.loads(RECORDED.read_text())
    kinds = Counter(letters for some in recorded.values() for letters in some.values())
    assert sum(kinds.values()) == len(attempts()) > 1000
    assert min(kinds[kind] for kind in ("pp", "ff", "pf", "fp")) > 10
    assert set(recorded[FAULTY].values()) == {"ff"}


def test_the_same_verdicts_as_recorded_of_evalplus(judges):
    some = attempts()[::STRIDE]
    assert differing(some, judges.verdicts(some), json.loads(RECORDED.read_text())) == []


@pytest.mark.servers
def test_the_same_verdicts_as_more_of_those_recorded_of_evalplus(judges):
    """A third of them; another third is compared with what evalplus gives now."""
    some = attempts()[1::3]
    assert differing(some, judges.verdicts(some), json.loads(RECORDED.read_text())) == []


def test_a_zero_is_judged_by_the_polynomial(judges):
    """Which evalplus means to do, and doesn't."""
    found = {one.name: judges.judge(FAULTY, one.code).passed for one in attempts() if one.task_id == FAULTY}
    assert found["reference"]
    assert found["a little more"]
    assert not found["more than the tolerance"]
    assert not found["none"]


def test_no_problem_of_ours_is_left_out_and_broken_contracts_are_counted(judges):
    assert [found.excluded for found in judges.found.values()] == [{}, {}]
    assert judges.found["human_eval_plus"].contract == {"HumanEval/0": 1}  # an empty list
    assert judges.found["mbpp_plus"].contract == {}
    judges.grader.self_test(*known_programs())


@pytest.mark.tools
@pytest.mark.timeout(900)  # a process for each of 800 verdicts, or 2,500
def test_the_same_verdicts_as_evalplus_gives_now(judges, tmp_path):
    """Its own code on its own format, unprotected; all of the solutions are of this repository."""
    recording = bool(os.environ.get("RECORD"))
    some = attempts()[:: 1 if recording else 3]
    for file, rows in FILES.values():
        write_rows(tmp_path / file, rows)
    (tmp_path / "solutions.json").write_text(json.dumps(some))
    subprocess.run(
        [os.environ["TOOLS_PYTHON"], ROOT / "tests" / "tools" / "evalplus_verdicts.py", tmp_path],
        check=True, capture_output=True, timeout=900,
    )  # fmt: skip
    theirs = {}
    for task_id, name, *both in json.loads((tmp_path / "verdicts.json").read_text()):
        theirs.setdefault(task_id, {})[name] = "".join("p" if status == "pass" else "f" for status in both)
    if recording:
        RECORDED.write_text(json.dumps(theirs, indent=0) + "\n")
    assert differing(some, judges.verdicts(some), theirs) == []
    recorded = json.loads(RECORDED.read_text())
    assert theirs == {
        task_id: {name: recorded[task_id][name] for name in names} for task_id, names in theirs.items()
    }


_SAME = (
    "class Same:\n    def __eq__(self, _): return True\n    def __ne__(self, _): return False\n"
    "    def __len__(self): return 1\n    def __iter__(self): return iter([self])\n"
    "    def __float__(self): return 0.0\n    def __abs__(self): return 0\n    def __sub__(self, _): return 0\n"
    "    __rsub__ = __le__ = __lt__ = __sub__\n    def __hash__(self): return 0\n"
)
FORGED = {
    "equals everything": _SAME + "def {name}(*_):\n    return Same()",
    "a float that equals everything": "class Same(float):\n    def __eq__(self, _): return True\n"
    "    __hash__ = float.__hash__\ndef {name}(*_):\n    return Same('nan')",
    "a list that equals everything": "class Same(list):\n    def __eq__(self, _): return True\n    __hash__ = None\n"
    "def {name}(*_):\n    return Same([object()])",
    "ends with success": "import os\ndef {name}(*_):\n    os._exit(0)",
    "reads expected outputs from frames": "import sys\ndef {name}(*_):\n    frame = sys._getframe()\n    found = []\n"
    "    while frame:\n        found += [v for n, v in {**frame.f_globals, **frame.f_locals}.items() if 'expected' in n]\n"
    "        frame = frame.f_back\n    return found[0]",
    "reads expected outputs from objects": "import gc\ndef {name}(*_):\n"
    "    return [o for o in gc.get_objects() if isinstance(o, dict) and 'outputs' in o][0]['outputs'][0]",
    "reads the cache": "import os, glob\ndef {name}(*_):\n"
    "    return open(glob.glob('{cache}/*.json')[0]).read()",
    "replaces the oracle": "import builtins, math\nfor name in ('all', 'abs', 'zip', 'bool', 'isinstance', 'set'):\n"
    "    setattr(builtins, name, lambda *_: True)\nmath.isfinite = lambda _: True\ndef {name}(*_):\n    return object()",
    "takes the judge's names": _SAME + "_plus = {{'oracle': Same(), 'cases': []}}\n_given = _expected = _got = Same()\n"
    "def {name}(*_):\n    return _expected",
}  # fmt: skip
# One of each oracle and kind of result; not Mbpp/164, where evalplus takes whatever is returned.
TRIED = (
    *(f"HumanEval/{number}" for number in (0, 4, 5, 8, 21, 32, 90, 95)),
    *(f"Mbpp/{number}" for number in (2, 9, 82, 103, 295, 558, 581)),
)


@pytest.mark.parametrize("name", FORGED)
def test_no_forged_answer_passes(judges, name):
    code = FORGED[name].replace("{{", "{").replace("}}", "}").replace("{cache}", str(judges.cache))
    assert list(judges.cache.glob("*.json"))
    passed = [
        task_id
        for task_id in TRIED
        if judges.judge(task_id, code.replace("{name}", judges.by_id[task_id][1].problem.entry_point)).passed
    ]
    assert passed == []


@pytest.mark.servers
def test_no_answer_of_the_forgery_suite_passes(judges):
    """Those that are tried on HumanEval's tests too; none of them computes, so a short limit does."""
    grader = Grader(level="auto", timeout_s=0.5)
    grader.open()
    try:
        passed = []
        for row in (HUMAN_EVAL[0], HUMAN_EVAL[6]):
            judged = judges.by_id[row["task_id"]][1]
            task = EvalPlusTask("human_eval_plus", [judged], style=PromptStyle.COMPLETION, grader=grader)
            for name, path in FORGERIES.items():
                text = path.read_text(encoding="utf-8").replace("{E}", row["entry_point"])
                if task.judge(judged, f"{row['prompt']}\n{text}").passed:
                    passed.append((row["task_id"], name))
            assert task.judge(judged, judged.problem.reference).passed
    finally:
        grader.close()
    assert len(FORGERIES) > 20
    assert passed == []
