"""What may be compared, on which samples, and what is said of it."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from results.compare.comparison import compare_runs
from results.errors import ResultsError, UsageError
from results.records import Completion, ErrorRecord, ModelIdentity, Outcome, RunStatus, Score, ServerFacts
from results.store.run_folder import RunFolder
from results.telemetry import TelemetrySummary
from results.views.comparison_text import print_comparison
from tests.results.conftest import a_record

if TYPE_CHECKING:
    from collections.abc import Sequence

SETTINGS = {
    "schema_version": 1,
    "benchmark": "human_eval",
    "model": "some",
    "data_sha256": "b7" * 32,
    "prompts_sha256": "91" * 32,
    "prompt_style": "chat",
    "stop": [],
    "temperature": 0.0,
    "max_tokens": 1024,
    "seed": 0,
    "timeout_s": 3.0,
    "limit": 4,
    "n_samples": 1,
    "shuffle": None,
    "options": {},
}
P, F, T, X = Outcome.PASSED, Outcome.FAILED, Outcome.TRUNCATED, Outcome.INFRASTRUCTURE_ERROR


@pytest.fixture
def make(tmp_path):
    """Make a finished run from the outcomes of its samples."""

    def made(
        outcomes: Sequence[Any],
        *,
        settings: dict[str, Any] | None = None,
        script: bool = False,
        **record: Any,
    ) -> RunFolder:
        folder = RunFolder.create(tmp_path, "human_eval", "m", dt.datetime.now(dt.UTC))
        folder.write_record(a_record(folder.run_id, **record))
        lines = [
            Completion(task_id=f"HumanEval/{number}", index=index, outcome=outcome, passed=outcome is P)
            for number, each in enumerate(outcomes)
            for index, outcome in enumerate([each] if isinstance(each, Outcome) else each)
        ]
        folder.completions.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
        if not script:
            text = json.dumps(SETTINGS | {"limit": len(outcomes)} | (settings or {}))
            (folder.path / "settings.json").write_text(text)
        return folder

    return made


def text_of(comparison, capsys) -> str:
    print_comparison(comparison)
    return capsys.readouterr().out


def test_samples_are_paired_by_their_id_whatever_their_order(make):
    first, second = make([P, F, P, F, T]), make([P, P, P, F, P])
    lines = second.completions.read_text().splitlines()
    second.completions.write_text("\n".join(reversed(lines)) + "\n")
    comparison = compare_runs(first, second)
    result = comparison.results["pass@1"]
    assert (result.only_first, result.only_second, result.difference) == (0, 2, pytest.approx(0.4))
    assert [flip.task_id for flip in comparison.better_second] == ["HumanEval/1", "HumanEval/4"]
    assert comparison.better_first == ()


def test_it_says_what_a_person_needs(make, capsys):
    """The verdict in words; a sample that was cut off is told from one that was wrong."""
    first = make([P] * 100 + [T] * 6 + [F] * 6 + [P] * 5 + [F] * 47)
    second = make([P] * 100 + [P] * 12 + [F] * 5 + [F] * 47)
    text = text_of(compare_runs(first, second), capsys)
    assert "164 samples of human_eval, one completion per sample" in text
    assert "A 64.0, B 68.3 of 100" in text
    assert "B solved 12 samples that A didn't, A solved 5 that B didn't" in text
    assert "difference +4.3 points (95 % interval -0.7 to +9.8), p = 0.14 (exact McNemar)" in text
    assert "no real difference shown" in text
    assert "about 450 samples would be needed to show a difference of this size" in text
    assert "Cohen's g +0.21\n" in text
    assert "HumanEval/105 (truncated), HumanEval/106, " in text
    assert "\x1b" not in text


def test_a_real_difference_is_called_one(make, capsys):
    text = text_of(compare_runs(make([P] * 10 + [P] * 9), make([P] * 10 + [F] * 9)), capsys)
    assert "A is better: a real difference at the 5 % level" in text
    assert "Cohen's g -0.50 (large)" in text
    assert "would be needed" not in text


def test_equal_runs_say_what_could_hide(make, capsys):
    text = text_of(compare_runs(make([P, F] * 50), make([P, F] * 50)), capsys)
    assert "A and B solved the same samples; a difference of up to 3.7 points could hide" in text


def test_many_flips_are_shown_in_part(make, capsys):
    comparison = compare_runs(make([F] * 33), make([P] * 33))
    assert "and 13 more (all with --json)" in text_of(comparison, capsys)
    assert len(comparison.better_second) == 33


def test_completions_of_a_sample_are_compared_by_pass_at_k(make, capsys):
    """Holm over both metrics, and the largest change first."""
    first = make([[P, F], [F, F], [P, P], [F, F]] * 10, settings={"n_samples": 2})
    second = make([[P, P], [P, P], [P, P], [F, F]] * 10, settings={"n_samples": 2})
    comparison = compare_runs(first, second)
    assert list(comparison.results) == ["pass@1", "pass@2"]
    for result, values in zip(comparison.results.values(), ((0.375, 0.75), (0.5, 0.75)), strict=True):
        assert (result.first, result.second) == values
        assert result.adjusted_p >= result.p_value
    text = text_of(comparison, capsys)
    assert "B better on      HumanEval/1 (0 and 2 of 2), HumanEval/5 (0 and 2 of 2)" in text
    assert "after Holm" in text


def test_a_smaller_run_is_compared_on_the_common_samples(make, capsys):
    comparison = compare_runs(make([P, F, P, F]), make([P, P], settings={"shuffle": 3}))
    assert (comparison.samples, comparison.only_in_first, comparison.only_in_second) == (2, 2, 0)
    assert "left out: 2 only in A" in text_of(comparison, capsys)


def test_what_infrastructure_failed_says_nothing_of_a_model(make, capsys):
    comparison = compare_runs(make([P, X, P]), make([P, P, F]))
    assert comparison.not_judged == ("HumanEval/1",)
    assert comparison.samples == 2
    assert "1 whose answer was lost" in text_of(comparison, capsys)


def test_a_run_that_lost_many_answers_is_said_to(make, capsys):
    """What is left may be easier than the whole."""
    score = Score(score=60.0, samples=5, completions=5, outcomes={"passed": 3, "infrastructure_error": 2})
    comparison = compare_runs(make([P, P, P, X, X], score=score), make([P, P, F, F, F]))
    assert (comparison.first.lost, comparison.first.completions, comparison.second.lost) == (2, 5, 0)
    text = text_of(comparison, capsys)
    assert "3 samples of human_eval, one completion per sample; left out: 2 whose answer was lost" in text
    assert (
        "lost answers     A lost 2 of 5: only the others are compared, which may be easier or harder" in text
    )
    assert "B lost" not in text


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"temperature": 0.8}, "temperature 0.0 and 0.8"),
        ({"max_tokens": 2048}, "max_tokens 1024 and 2048"),
        ({"seed": 7}, "seed 0 and 7"),
        ({"prompt_style": "completion"}, "prompt_style chat and completion"),
        ({"n_samples": 5}, "n_samples 1 and 5"),
        ({"data_sha256": "c8" * 32}, "data_sha256 b7b7b7b7... and c8c8c8c8..."),
        ({"prompts_sha256": "c8" * 32}, "prompts_sha256"),
        ({"timeout_s": 10.0}, "timeout_s 3.0 and 10.0"),
        ({"memory_limit_bytes": 1 << 30}, "memory_limit_bytes 2147483648 and 1073741824"),
        ({"options": {"release": "v6"}}, "release not set and v6"),
        ({"a_setting_of_tomorrow": 1}, "a_setting_of_tomorrow not set and 1"),
    ],
)
def test_other_samples_prompts_or_sampling_are_refused_by_name(make, changed, said):
    with pytest.raises(ResultsError, match="not comparable") as caught:
        compare_runs(make([P, F]), make([P, F], settings=changed))
    assert said in caught.value.message
    assert caught.value.exit_code == 9


def test_a_run_from_before_the_memory_limit_was_written_down_had_the_default(make):
    assert compare_runs(make([P, F]), make([P, F], settings={"memory_limit_bytes": 2 << 30})).samples == 2


def test_every_difference_is_named_at_once(make):
    with pytest.raises(ResultsError) as caught:
        compare_runs(make([P]), make([P], settings={"temperature": 1.0, "seed": 1}, benchmark="lcb"))
    assert all(name in caught.value.message for name in ("benchmark", "temperature", "seed"))


def test_the_model_and_its_server_may_differ_and_are_named(make, capsys):
    """That is what one compares."""

    def of(quantization, layers, sha256):
        return {
            "model": f"m-{quantization}",
            "config": {
                "path": f"/m/{quantization}.gguf",
                "gpu_layers": layers,
                "port": layers,
                "nonce": sha256,
            },
            "model_identity": ModelIdentity(name="m", quantization=quantization, sha256=sha256),
            "server": ServerFacts(kind="embedded", effective={"cache_type_k": quantization}),
        }

    comparison = compare_runs(make([P], **of("Q4_0", 80, "ab" * 32)), make([P], **of("Q8_0", 10, "cd" * 32)))
    named = {difference.name for difference in comparison.differences}
    assert named == {"model", "model's quantization", "model's sha256", "gpu_layers", "cache_type_k"}
    text = text_of(comparison, capsys)
    assert "what differs     model m-Q4_0 and m-Q8_0" in text
    assert "gpu_layers 80 and 10" in text


def test_a_server_that_kept_earlier_prompts_is_no_match_for_one_that_kept_none(make, capsys):
    """Its answers are, its speed isn't: that cache can take as long as the prompts."""

    def launched(*words: str) -> RunFolder:
        server = ServerFacts(kind="llama.cpp", command=("/llama-server", "-m", "/m.gguf", *words))
        return make([P, F], server=server)

    default, asked, off = launched(), launched("--cache_ram=512"), launched("--cache-ram", "8", "-cram", "0")
    text = text_of(compare_runs(default, off), capsys)
    assert "the speed of A: its server may have kept earlier prompts in host memory; that of" in text
    assert "cache_ram not set and 0" in text
    assert "the speed of B: its server kept earlier prompts in host memory (--cache-ram 512)" in text_of(
        compare_runs(off, asked), capsys
    )
    for one, other in ((off, launched("--cache-ram", "0")), (default, asked)):
        assert "not comparable" not in text_of(compare_runs(one, other), capsys)


def test_costs_stand_side_by_side_with_what_spoils_them(make, capsys):
    def of(tokens, seconds, memory, why=()):
        score = Score(score=100.0, samples=1, completions=1, completion_tokens=tokens, generate_s=seconds)
        telemetry = TelemetrySummary(
            peak_memory_bytes=memory, energy_j=memory and 50.0, not_comparable=why, energy_doubts=why
        )
        return {"score": score, "telemetry": telemetry}

    first = make([P], **of(100, 10.0, 3 << 30))
    second = make([P], **of(100, 5.0, None, ("the card was slowed down",)))
    text = text_of(compare_runs(first, second), capsys)
    assert "speed            A 10.0 tokens/s            B 20.0 tokens/s  (2.00 of A)" in text
    assert "GPU memory       A 3.00 GiB at most         B not measured\n" in text
    assert "not comparable   the speed of B: the card was slowed down" in text
    assert "energy unsure    that of B: the card was slowed down" in text


def test_runs_of_other_scripts_are_held_to_what_was_asked_of_them(make):
    """Without settings.json the command line is all there is to know."""
    asked = {"script": "/bench/eval.py", "script_args": ["--t", "0"], "gpu_layers": 1}
    first = make([P, F], script=True, config=asked)
    assert compare_runs(first, make([P, P], script=True, config=asked | {"gpu_layers": 2})).samples == 2
    with pytest.raises(ResultsError, match="script_args --t 0 and --t 1"):
        compare_runs(first, make([P, P], script=True, config=asked | {"script_args": ["--t", "1"]}))
    with pytest.raises(ResultsError, match="script"):
        compare_runs(first, make([P, P], config={"script": "scripts.run_human_eval"}))


def test_runs_that_are_not_whole_are_refused(make):
    whole = make([P, F])
    broken = make(
        [P], status=RunStatus.FAILED, error=ErrorRecord(kind="server", message="llama-server exited with 1")
    )
    with pytest.raises(ResultsError, match="it failed: llama-server exited with 1") as caught:
        compare_runs(whole, broken)
    assert f"--resume {broken.run_id}" in caught.value.hint
    with pytest.raises(ResultsError, match="was interrupted"):
        compare_runs(make([P], status=RunStatus.STARTED), whole)
    running = make([P], status=RunStatus.STARTED)
    with running.claim(), pytest.raises(ResultsError, match="still running"):
        compare_runs(running, whole)


def test_runs_without_common_verdicts_are_refused(make):
    whole = make([P, F])
    without = make([P, F])
    without.completions.unlink()
    with pytest.raises(ResultsError, match="no verdict per sample"):
        compare_runs(whole, without)
    with pytest.raises(ResultsError, match="no sample in common"):
        compare_runs(whole, make([]))
    with pytest.raises(ResultsError, match="infrastructure errors lost all of them"):
        compare_runs(whole, make([X, X]))
    with pytest.raises(ResultsError, match="1 to 2 completions"):
        compare_runs(whole, make([[P, P], F]))
    with pytest.raises(UsageError, match="both names refer to the run"):
        compare_runs(whole, whole)
