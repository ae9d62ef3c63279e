"""Results of tools that look well and say little, or stand where nobody expects them: tests/parsers/cases.

They are small files of our own in the tools' formats, after public reports about them.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from parsers import registry
from parsers.contract import ScriptOutput
from results.stats.intervals import wilson_interval

CASES = Path(__file__).parent / "cases"


def parsed(parser, folder, file=None, stdout=""):
    if file:
        shutil.copy(CASES / file, folder)
    return registry.get(parser).parse(ScriptOutput(stdout, "", folder, 0))


def test_three_scored_samples_of_a_hundred_have_the_interval_of_three(tmp_path):
    score = parsed("inspect", tmp_path, "inspect_unscored.json")
    assert (score.score, score.samples, score.lost) == (100.0, 3, 97)
    assert (score.metrics["score"].low, score.metrics["score"].high) == wilson_interval(3, 3)
    assert score.warnings == ("model_graded_qa: only 3 of 100 samples were scored; the others do not count",)


def test_the_file_that_lm_eval_makes_of_a_file_s_name_is_read(tmp_path):
    """`--output_path DIR/gsm8k.json` gives DIR/gsm8k_DATE.json."""
    score = parsed("lm_eval", tmp_path, "lm_eval_gsm8k_2026-08-21T10-00-00.000000.json")
    assert score.score == 40.0
    assert score.metrics["gsm8k exact_match,flexible-extract"].value == 0.7


def test_lines_of_a_backend_before_the_tests_of_llama_bench_are_none(tmp_path):
    stdout = (CASES / "llama_bench_backend_lines.txt").read_text()
    speed = parsed("llama_bench", tmp_path, stdout=stdout).details["speed"]
    assert (speed["pp512, tokens/s"], speed["tg128 @ d4096, tokens/s"]) == (746.24, 22.08)


def test_a_speed_of_one_request_of_five_hundred_says_so(tmp_path):
    score = parsed("vllm_bench", tmp_path, "vllm_bench_mostly_failed.json")
    assert (score.score, score.completions, score.warnings) == (None, 1, ("499 requests failed",))
    assert json.dumps(score.details["speed"])
