"""From models to an answer: what is left out, measured, compared and noted, on recorded runs of real GGUF files."""

from __future__ import annotations

import dataclasses

import pytest

from choosing.recommendation.candidates import benchmark_asked, find_candidates, speed_asked
from choosing.recommendation.recommend import recommend
from results.errors import Interrupted, ResultsError
from results.records import Outcome
from results.store.choices import ChoiceFolder
from results.telemetry import TelemetrySummary
from servers.capacity.fit import Room
from settings.asked import Asked
from tests.choosing.recorded_candidates import GIB, SOLVED, SPEEDS, RecordedRuns, fresh, models, question


@pytest.fixture
def three(tmp_path):
    return models(tmp_path / "m", "Q8", "Q4", "Q2"), RecordedRuns(tmp_path / "r", SPEEDS, SOLVED)


def test_the_fastest_that_is_as_good_with_its_command(three):
    texts, source = three
    found = recommend(question(texts), source)
    assert (found.ending, found.head) == ("recommended", "Take Q4: the fastest of 2 that are as good")
    assert found.command == ("/opt/llama-server", "-m", texts[1], "-c", "4096")
    assert {row.label: row.verdict for row in found.rows} == {"Q8": "as good", "Q4": "chosen", "Q2": "behind"}
    assert found.runner_up_text.startswith("Q8, as good too: 40.0 tokens/s")
    assert any(
        "70.0 tokens/s with 32,576 tokens in the context, 140.0 at its beginning" in each
        for each in found.proof
    )
    assert any("tool calling" in each for each in found.unknown)
    assert any("long context" in each for each in found.unknown)
    assert any("--kld-reference" in each for each in found.unknown)


def test_what_does_not_fit_is_left_out_with_the_reason_and_nothing_is_started(tmp_path):
    source = RecordedRuns(tmp_path / "r", {}, {})
    texts = models(tmp_path / "m", "small", trained=2048)
    found = recommend(question(texts), source)
    assert (found.ending, source.asked) == ("nothing fits", [])
    (row,) = found.rows
    assert row.why == "it was trained for 2,048 tokens of context, not 32,768"
    room = Room(cards=(GIB // 4,), host_bytes=64 * GIB)
    (left_out,) = find_candidates(question(models(tmp_path / "m", "large"), room=room)).left_out
    assert left_out.why.endswith("GiB with all layers on the card, which has 0.2")
    host = Room(cards=(), host_bytes=GIB // 4)
    (left_out,) = find_candidates(question(models(tmp_path / "m", "large"), room=host)).left_out
    assert left_out.why.endswith("and 0.2 GiB count")


def test_no_model_is_fast_enough(three):
    texts, source = three
    found = recommend(question(texts, min_tokens_per_s=100.0), source)
    assert found.ending == "constraints not met"
    assert found.head == "No model reaches 100 tokens/s with 32,576 tokens in the context"
    assert {row.why for row in found.rows} >= {
        "70.0 tokens/s with 32,576 tokens in the context, less than 100"
    }
    assert {benchmark for _, benchmark, *_ in source.asked} == {"speed"}


def test_too_slow_ones_are_not_asked_and_a_single_one_left_needs_no_comparison(three):
    texts, source = three
    found = recommend(question(texts, min_tokens_per_s=50.0), source)
    assert found.head.startswith("Take Q4: ")
    assert any("too slow" in each and "Q8" in each for each in found.unknown)
    assert ("Q8", "human_eval", 1000, None) not in source.asked
    alone = recommend(question(texts, min_tokens_per_s=80.0), source)
    assert alone.head == "Take Q2: it is the only one that meets the constraints"
    assert alone.command[2] == texts[2]


def test_a_disturbed_speed_that_is_too_low_is_doubtful(three):
    """It stays the speed of that model until its run is put away, so the way to measure again is said."""
    texts, source = three
    source.telemetry = TelemetrySummary(not_comparable=("other work used 2 of 2 processors",))
    for least, ending in ((100.0, "constraints not met"), (80.0, "recommended"), (50.0, "recommended")):
        found = recommend(question(texts, min_tokens_per_s=least), source)
        assert found.ending == ending
        (row,) = [row for row in found.rows if row.label == "Q8"]
        assert row.why.endswith(f"less than {least:g}, but disturbed: other work used 2 of 2 processors")
        (text,) = [text for text in found.unknown if "would meet the constraints undisturbed" in text]
        runs = text.partition("archive ")[2].partition("`")[0].split()
        slow = [row.label for row in found.rows if "less than" in row.why]
        assert [run.rpartition("-")[0].rpartition("-")[2] for run in runs] == slow


def test_power_that_nothing_reports_is_no_power_that_is_low(three):
    texts, source = three
    found = recommend(question(texts, max_watts=300.0), source)
    assert found.head == "Not decided: the speed or power of 3 of 3 configurations that fit are not known"


def test_few_samples_decide_nothing_and_more_do_at_the_price_of_another_look(three):
    texts, source = three
    few = recommend(question(texts, limit=50), source)
    assert few.ending == "not decided"
    assert "more samples would show" in few.needed
    assert [look.number for look in few.looks] == [1]
    again = recommend(question(texts, limit=50), source)
    assert [look.number for look in again.looks] == [1]  # the same answers are the same look
    many = recommend(question(texts), source)
    assert [look.number for look in many.looks] == [1, 2]
    assert many.ending == "recommended"
    assert loss(many) > loss(recommend(question(texts), fresh(source)))


def loss(choice):
    """The most that the chosen one may lose."""
    (row,) = [row for row in choice.rows if row.verdict == "chosen"]
    return row.loss_points


def test_another_tolerance_after_a_look_is_said(three):
    texts, source = three
    recommend(question(texts, limit=50), source)
    found = recommend(question(texts, limit=50, tolerance_points=10.0), source)
    assert [look.number for look in found.looks] == [1, 2]
    assert any(
        "the tolerance was changed after the answers had been looked at (2, 10 points)" in e
        for e in found.unknown
    )


def test_interrupted_anywhere_it_comes_to_the_same_end(three):
    """Three speeds and three runs of answers: stopped before each of them, and then asked again."""
    texts, source = three
    for number in range(6):
        source.interrupt_at = number
        with pytest.raises(Interrupted):
            recommend(question(texts), source)
    source.interrupt_at = None
    found = recommend(question(texts), source)
    assert [look.number for look in found.looks] == [1]
    assert len(source.asked) == len(set(source.asked)) == 6
    whole = recommend(question(texts), fresh(source))
    assert (whole.head, whole.proof) == (found.head, found.proof)


def test_a_model_that_fails_is_left_out_and_the_others_are_compared(three):
    texts, source = three
    source.speeds = {**SPEEDS, "Q4": None}
    found = recommend(question(texts), source)
    assert found.head.startswith("Take Q8: ")
    (row,) = [row for row in found.rows if row.label == "Q4"]
    assert (row.verdict, "the server ended with code 1" in row.why) == ("failed", True)
    assert "whether those that failed are better: Q4" in found.unknown


@pytest.mark.parametrize("failed", [("Q8", "Q2"), ("Q8", "Q4", "Q2")])
def test_a_failure_is_not_a_model_that_is_too_slow(three, failed):
    """Nothing says that the only one that could be measured, or none, meets the constraints."""
    texts, source = three
    source.speeds = {**SPEEDS, **dict.fromkeys(failed)}
    for least in (None, 30.0):
        found = recommend(question(texts, min_tokens_per_s=least), source)
        assert (found.ending, found.command) == ("not decided", ())
        assert f"{len(failed)} of 3 configurations that fit" in found.head
        assert sum("the server ended with code 1" in row.why for row in found.rows) == len(failed)


def test_the_nearest_to_the_reference_answers_first_and_what_is_taken_does_not_change(three):
    texts, source = three
    plain = recommend(question(texts), source)
    other = RecordedRuns(
        source.results_dir.with_name("kld"), SPEEDS, SOLVED, kld={"Q8": 0.01, "Q4": 0.002, "Q2": 0.5}
    )
    found = recommend(question(texts, kld=Asked({"kld_reference": "big.gguf"})), other)
    assert [model for model, benchmark, *_ in other.asked if benchmark == "human_eval"] == ["Q4", "Q8", "Q2"]
    assert found.head == plain.head
    assert "KL divergence: 0.0020 nats from big-F16" in found.proof
    assert [row.kld for row in found.rows] == [0.002, 0.01, 0.5]
    known = recommend(question(texts), other)  # by the runs that are there now
    assert [row.kld for row in known.rows] == [0.002, 0.01, 0.5]


def test_a_damaged_answer_so_far_is_not_overwritten(three):
    """It has the number of looks, without which the next one would be told as the first."""
    texts, source = three
    found = recommend(question(texts, limit=50), source)
    path = ChoiceFolder.of(source.results_dir, found.choice_id).path / "choice.json"
    path.write_text("{")
    with pytest.raises(ResultsError):
        recommend(question(texts), source)
    assert path.read_text() == "{"


def test_lost_answers_are_not_in_favour_of_who_lost_them(three):
    texts, source = three
    recommend(question(texts), source)
    (folder,) = [each for key, (each, _) in source.there.items() if key[:2] == ("Q4", "human_eval")]
    lines = folder.completions.read_bytes().splitlines()
    solved, lost = b'"outcome":"passed","passed":true', f'"outcome":"{Outcome.INFRASTRUCTURE_ERROR}"'.encode()
    changed = [line.replace(solved, lost) if 100 <= n < 160 else line for n, line in enumerate(lines)]
    folder.completions.write_bytes(b"\n".join(changed) + b"\n")
    found = recommend(question(texts), source)
    assert found.head.startswith("Take Q8: ")
    (row,) = [row for row in found.rows if row.label == "Q4"]
    assert (row.verdict, row.score) == ("behind", 44.0)


def test_every_run_is_of_the_server_that_would_be_recommended(tmp_path):
    asked = question(
        models(tmp_path / "m", "a"),
        limit=20,
        benchmarks=("human_eval", "gsm8k"),
        kv_types=("f16", "q8_0"),
        parallel=2,
    )
    asked = dataclasses.replace(asked, server_args=("-t", "1"))
    plain, quantised = find_candidates(asked).fitting
    assert (plain.label, quantised.label) == ("a, KV f16", "a, KV q8_0")
    of_server = ("model", "ctx_size", "parallel", "gpu_layers", "server_args")
    for candidate, args in (
        (plain, ("-t", "1")),
        (quantised, ("-t", "1", "--cache-type-k", "q8_0", "--cache-type-v", "q8_0", "--flash-attn", "on")),
    ):
        runs = [speed_asked(candidate, asked), benchmark_asked(candidate, asked, "gsm8k")]
        assert [{name: run[name] for name in of_server} for run in runs] == [
            {"model": candidate.text, "ctx_size": 32768, "parallel": 2, "gpu_layers": -1, "server_args": args}
        ] * 2
        assert runs[0]["depths"] == "0,32576"
        assert (runs[1]["limit"], runs[1]["shuffle"]) == (20, 0)  # a random draw, the same for all


def test_who_is_far_behind_at_a_glance_is_not_asked_further(tmp_path):
    """Of 1,483 samples the first 186 are enough for Q2, which solves a third; the look at them spends its part."""
    texts = models(tmp_path / "m", "Q8", "Q4", "Q2")
    solved = {"Q8": set(range(0, 2000, 2)), "Q4": set(range(0, 2000, 2)), "Q2": set(range(0, 2000, 6))}
    source = RecordedRuns(tmp_path / "r", SPEEDS, solved, samples=1319)
    asked = question(texts, benchmarks=("human_eval", "gsm8k"))
    source.interrupt_at = 3 + 6  # after the glance
    with pytest.raises(Interrupted):
        recommend(asked, source)
    source.interrupt_at = None
    found = recommend(asked, source)
    assert found.head == "Take Q4: the fastest of 2 that are as good"
    assert [(look.number, look.samples) for look in found.looks] == [(0, 186), (1, 2638)]
    assert {(model, limit) for model, name, limit, _ in source.asked if name == "gsm8k"} == {
        ("Q8", 165), ("Q4", 165), ("Q2", 165), ("Q8", 1319), ("Q4", 1319),
    }  # fmt: skip
    assert found.proof[0].endswith("; far behind after 186 of them: Q2")
    assert {row.label: row.verdict for row in found.rows} == {"Q8": "as good", "Q4": "chosen", "Q2": "behind"}
    count = len(source.asked)
    assert [look.number for look in recommend(asked, source).looks] == [0, 1]
    assert len(source.asked) == count


@pytest.mark.parametrize("way", ["other benchmarks", "another tolerance", "other settings"])
def test_the_part_of_the_error_for_a_glance_is_spent_once(tmp_path, way):
    """A second glance would forget the first one, and spend its part again."""
    texts = models(tmp_path / "m", "Q8", "Q4", "Q2")
    source = RecordedRuns(tmp_path / "r", SPEEDS, dict(SOLVED), samples=1319)
    asked = question(texts, benchmarks=("gsm8k",))
    (glance, first) = recommend(asked, source).looks
    assert (glance.number, glance.limits, first.number) == (0, {"gsm8k": 165}, 1)
    if way == "other benchmarks":
        other = question(texts, benchmarks=("human_eval", "gsm8k"))
    elif way == "another tolerance":
        other = question(texts, benchmarks=("gsm8k",), tolerance_points=3.0)
    else:
        other = dataclasses.replace(asked, benchmarks={"gsm8k": Asked({"max_tokens": 9})})
    found = recommend(other, source)
    assert found.looks[0] == glance
    assert [look.number for look in found.looks] == [0, 1, 2]
    assert {row.samples for row in found.rows} == {
        2638 if way == "other benchmarks" else 1319
    }  # nobody stopped


def test_no_glance_where_it_costs_more_than_it_saves(tmp_path):
    """Of 164 samples an eighth says nothing, and of two models both must go on."""
    source = RecordedRuns(tmp_path / "r", SPEEDS, SOLVED, samples=164)
    recommend(question(models(tmp_path / "m", "Q8", "Q4", "Q2")), source)
    recommend(question(models(tmp_path / "m", "Q8", "Q4"), benchmarks=("gsm8k",)), source)
    assert {limit for _, name, limit, _ in source.asked if name != "speed"} == {164}
