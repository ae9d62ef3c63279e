"""IFBench's answers are judged by its authors' checkers, and nothing is asked where these are missing."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from evaluation.metrics import ifbench
from evaluation.suites.preparing import PREPARED
from results.errors import ScriptError

ROWS = [json.loads(line) for line in Path(__file__).with_name("ifbench_rows.jsonl").read_text().splitlines()]
# As the package `ifbench` offers them, of two instructions: 20 different words, and a word twice.
REGISTRY = """
class _Checker:
    def __init__(self, name): pass
    def build_description(self, **given): self.given = given
    def get_instruction_args(self): return self.given

class Words(_Checker):
    def check_following(self, answer): return len(set(answer.split())) == self.given["N"]

class Twice(_Checker):
    def check_following(self, answer):
        if "boom" in answer: raise IndexError
        return answer.split().count(self.given["keyword1"]) == 2

INSTRUCTION_DICT = {"count:unique_word_count": Words, "count:keywords_multiple": Twice}
print("said while it is imported")
"""
NLTK = """
class data:
    @staticmethod
    def find(place):
        if place in MISSING: raise LookupError(place)
"""
OURS = ("ifbench", "ifbench.instructions_registry", "nltk")


@pytest.fixture
def install(tmp_path, monkeypatch):
    """A function that makes both packages importable. missing: word lists that are not there."""

    def made(*missing):
        (tmp_path / "ifbench").mkdir()
        (tmp_path / "ifbench" / "__init__.py").write_text("")
        (tmp_path / "ifbench" / "instructions_registry.py").write_text(REGISTRY)
        (tmp_path / "nltk.py").write_text(f"MISSING = {missing!r}\n{NLTK}")
        monkeypatch.syspath_prepend(tmp_path)

    ifbench._checkers.cache_clear()
    for name in OURS:
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield made
    ifbench._checkers.cache_clear()
    for name in OURS:
        sys.modules.pop(name, None)


def expected(number):
    return PREPARED["ifbench_instructions"](ROWS)[number]["instructions"]


def test_an_answer_passes_strictly_as_it_is_and_loosely_without_its_frame(install, capsys):
    install()
    twenty = " ".join(f"word{number}" for number in range(20))
    for answer, strict, loose in (
        (twenty, 1, 1),
        (f"Here you are:\n{twenty}", 0, 1),
        (f"Sure!\n{twenty}\nBye.", 0, 1),
        (f"{twenty} more", 0, 0),
        ("", 0, 0),
    ):
        assert ifbench.ifbench_prompt_strict(answer, expected(0)) == strict, answer
        assert ifbench.ifbench_prompt_loose(answer, expected(0)) == loose, answer
    assert ifbench.ifbench_prompt_strict("*ebb* and ebb", expected(1)) == 0
    assert ifbench.ifbench_prompt_loose("*ebb* and ebb", expected(1)) == 1
    assert ifbench.ifbench_prompt_strict("boom", expected(1)) == 0  # a checker that fails
    assert capsys.readouterr().out == ""  # stdout is for events


def test_without_the_checkers_or_their_word_lists_nothing_is_asked(install, monkeypatch):
    monkeypatch.setitem(sys.modules, "ifbench", None)
    monkeypatch.setitem(sys.modules, "nltk", None)
    with pytest.raises(ScriptError, match="IFBench's checkers are not installed") as caught:
        expected(0)
    assert "pip install git+https://github.com/allenai/IFBench" in caught.value.hint
    monkeypatch.delitem(sys.modules, "ifbench")
    monkeypatch.delitem(sys.modules, "nltk")
    install("corpora/stopwords")
    with pytest.raises(ScriptError, match="need word lists of NLTK that are not here: stopwords") as caught:
        expected(0)
    assert caught.value.hint.endswith("-m nltk.downloader stopwords")


def test_an_instruction_that_the_checkers_do_not_know_is_told(install):
    install()
    with pytest.raises(ScriptError, match="knows no instruction 'count:moons'"):
        ifbench.instructions_text({"prompt": "", "instruction_id_list": ["count:moons"], "kwargs": [{}]})
