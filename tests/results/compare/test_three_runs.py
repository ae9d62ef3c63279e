"""Three recorded runs are lined up by sample, judged together, and the card says what came of it."""

from __future__ import annotations

import msgspec
import pytest

from choosing.certify import Question, _certificate
from results.compare.three_runs import Trio, judge_trios
from results.errors import NewerRecord, NotComparable
from results.records import Completion
from results.stats.certification import Certified
from results.store.certificates import all_certificates, keep_certificate, read_certificate
from results.views.certificate_text import conclusion, print_certificate
from results.views.run_text import print_summary
from settings.asked import Asked
from tests.results.recorded_runs import F, P, X, record_run


def run(results, outcomes, answers=None, **record):
    """A recorded run whose answers are these words; by default the same for the same sample."""
    folder = record_run(results, outcomes, **record)
    answers = answers or [f"answer {number}" for number in range(len(outcomes))]
    lines = [
        Completion(task_id=f"HumanEval/{number}", answer=answer, outcome=outcome, passed=outcome is P)
        for number, (outcome, answer) in enumerate(zip(outcomes, answers, strict=True))
    ]
    folder.completions.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    return folder


def trio(plain, again, accelerated, benchmark="human_eval"):
    return Trio(
        benchmark=benchmark,
        plain=plain,
        again=again,
        accelerated=accelerated,
        plain_fingerprint="p" * 8,
        accelerated_fingerprint="a" * 8,
    )


def certificate(judged, folder):
    asked = Asked({"benchmark": "human_eval", "parallel": 1})
    question = Question(plain=asked, accelerated=asked.but(parallel=4))
    return _certificate(question, folder.read_record(), judged)


def test_the_same_words_are_identical_whatever_plain_decoding_does_itself(tmp_path):
    plain = run(tmp_path, [P, P, F])
    noisy = run(tmp_path, [P, F, F], ["answer 0", "another", "answer 2"])
    judged = judge_trios([trio(plain, noisy, run(tmp_path, [P, P, F]))], margin=0.03)
    assert judged.certification.verdict is Certified.IDENTICAL
    assert (judged.noise.changed, judged.noise.flipped, judged.changes.changed) == (1, 1, 0)
    assert (judged.other_words.odd, judged.other_words.accelerated) == (1, 0)


def test_runs_without_words_are_never_identical(tmp_path):
    runs = [record_run(tmp_path, [P] * 200) for _ in range(3)]
    judged = judge_trios([trio(*runs)], margin=0.03)
    assert judged.certification.verdict is Certified.WITHIN_NOISE
    assert judged.changes.changed is None


def test_damage_is_named_with_its_interval_and_the_first_words_that_differ(tmp_path, capsys):
    plain, again = run(tmp_path, [P] * 40), run(tmp_path, [P] * 40)
    words = [f"answer {number}" if number > 7 else f"\x1b[31mansw{number}" for number in range(40)]
    judged = judge_trios([trio(plain, again, run(tmp_path, [F] * 8 + [P] * 32, words))], margin=0.03)
    made = certificate(judged, plain)
    assert made.verdict is Certified.DAMAGING
    assert conclusion(made).startswith("damaging: -20.0 points (90 % interval -")
    assert made.seen_beyond_noise
    print_certificate(made, keep_certificate(tmp_path, made))
    shown = capsys.readouterr().out
    assert "plain            --parallel 1\n" in shown
    assert "with             --parallel 4\n" in shown
    assert "8 outcomes flipped (8 from passed)" in shown
    assert "HumanEval/0 at character 1 (passed to failed)" in shown
    assert (
        "answers: of 8 on which the three runs differ, it stands alone on 8; by chance a third (p < 0.001)"
        in shown
    )
    assert "\x1b[31m" not in shown


def test_two_benchmarks_are_judged_together_and_lost_answers_left_out(tmp_path, capsys):
    ones = [run(tmp_path, [P] * 60 + [X]) for _ in range(3)]
    others = [run(tmp_path, [P, F] * 30, benchmark="gsm8k") for _ in range(2)]
    fast = run(tmp_path, [F, P] * 1 + [P, F] * 29, [f"other {n}" for n in range(60)], benchmark="gsm8k")
    judged = judge_trios([trio(*ones), trio(*others, fast, benchmark="gsm8k")], margin=0.03)
    assert (judged.certification.samples, judged.lost) == (120, 1)
    assert [each.samples for each in judged.runs] == [60, 60]
    assert judged.certification.verdict is Certified.NOT_DECIDED
    made = certificate(judged, ones[0])
    print_certificate(made, tmp_path / "x.json")
    shown = capsys.readouterr().out
    assert "not decided: neither a loss is shown, nor one of 3 points excluded" in shown
    assert f"about {made.samples_needed}" in shown or "samples would decide it" in shown
    assert made.samples_needed > 120


def test_runs_that_lost_much_or_differ_in_what_was_asked_are_not_judged(tmp_path):
    plain, again = run(tmp_path, [P] * 10), run(tmp_path, [P] * 10)
    with pytest.raises(NotComparable, match="lost 3 of 10"):
        judge_trios([trio(plain, again, run(tmp_path, [P] * 7 + [X] * 3))], margin=0.03)
    hot = run(tmp_path, [P] * 10, settings={"temperature": 0.9})
    with pytest.raises(NotComparable, match="temperature"):
        judge_trios([trio(plain, again, hot)], margin=0.03)


def test_a_certificate_is_kept_read_again_replaced_and_shown_with_its_run(tmp_path, capsys):
    runs = [run(tmp_path, [P, F]) for _ in range(3)]
    made = certificate(judge_trios([trio(*runs)], margin=0.03), runs[0])
    path = keep_certificate(tmp_path, made)
    assert read_certificate(path) == made
    assert (
        keep_certificate(tmp_path, msgspec.structs.replace(made, created="2030-01-01T00:00:00+00:00")) == path
    )
    told: list[str] = []
    (path.parent / "torn.json").write_text("{")
    (newest,) = all_certificates(tmp_path, warn=told.append)
    fast = msgspec.structs.replace(runs[2].read_record(), fingerprint="a" * 8)
    print_summary(fast, runs[2].path)
    assert "certified       against plain decoding: identical: all 2 answers" in capsys.readouterr().out
    assert newest.created.startswith("2030")
    assert "is not a certificate" in told[0]
    path.write_bytes(path.read_bytes().replace(b'"schema_version": 1', b'"schema_version": 2'))
    with pytest.raises(NewerRecord):
        all_certificates(tmp_path, warn=told.append)
