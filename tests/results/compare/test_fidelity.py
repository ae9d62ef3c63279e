"""Runs of kld: found by model and reference, compared window by window, refused where they measured other things."""

from __future__ import annotations

import json

import msgspec
import pytest

from results.compare.divergence_pair import compare_divergences
from results.compare.fidelity import divergence_of, known_divergences, mean_divergence
from results.compare.leaderboard import make_tables
from results.errors import NotComparable, UsageError
from results.records import ModelIdentity, Remarks, RunStatus, Score
from results.stats.divergence import KldReference, KldResult, KldWindow, figures
from results.views.conclusion import conclusion
from results.views.export import flat_rows
from results.views.leaderboard_text import table_cells
from tests.command_line import bench_runners
from tests.results.recorded_runs import SETTINGS, record_run

BF16 = KldReference(name="big-BF16", sha256="ff" * 32, quantization="BF16")


def windows(divergence, count=8):
    """Divergences around a mean, different from window to window and alike from run to run."""
    return [
        KldWindow(
            index=index,
            logprobs=(-1.0 - divergence, -2.0),
            reference_logprobs=(-1.0, -2.0),
            klds=(divergence * (1 + index % 3), divergence),
            same_top=(True, index % 4 > 0),
            tails=(0.05, 0.05),
            reference_tails=(0.05, 0.05),
        )
        for index in range(count)
    ]


def record(results_dir, model, divergence, *, reference=BF16, count=8, status=RunStatus.SUCCEEDED, **changes):
    """A run of kld as its harness leaves it."""
    lines = windows(divergence, count)
    if reference is None:
        lines = [KldWindow(index=of.index, logprobs=of.logprobs) for of in lines]
    fields = {"way": "served", "text_sha256": "aa" * 32, "tokens_sha256": "bb" * 32, "window": 4, "top": 200}
    result = KldResult(**fields | changes, reference=reference, figures=figures(lines))
    score = Score(score=None, samples=count, details={"kld": msgspec.to_builtins(result)})
    identity = ModelIdentity(name=model, sha256=f"{sum(model.encode()):064x}")
    folder = record_run(
        results_dir, benchmark="kld", model=model, score=score, no_verdicts=True, model_identity=identity,
        status=status,
    )  # fmt: skip
    (folder.path / "kld.jsonl").write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    options = {"reference": reference.name if reference else None, "window": fields["window"]}
    (folder.path / "settings.json").write_text(
        json.dumps(SETTINGS | {"benchmark": "kld", "options": options})
    )
    return folder


def sha256_of(folder):
    return folder.read_record().model_identity.sha256


def test_a_model_s_divergence_is_that_of_the_newest_run_that_says_so(tmp_path):
    q8 = record(tmp_path, "big-Q8_0", 0.5)
    newer = record(tmp_path, "big-Q8_0", 0.01)
    against_q8 = record(tmp_path, "big-Q8_0", 0.2, reference=KldReference(name="x", sha256="ee" * 32))
    other_text = record(tmp_path, "big-Q4_0", 0.3, text_sha256="cc" * 32)
    record(tmp_path, "big-Q8_0", 0.9, status=RunStatus.FAILED)
    alone = record(tmp_path, "big-Q2_K", 0.0, reference=None)
    records = [folder.read_record() for folder in (q8, newer, against_q8, other_text, alone)]
    found = divergence_of(records, sha256_of(q8), BF16.sha256)
    assert found.run_id == newer.run_id
    assert found.mean == pytest.approx(mean_divergence(newer.read_record()))
    assert divergence_of(records, sha256_of(q8)).run_id == newer.run_id  # full precision first
    assert divergence_of(records, sha256_of(q8), "ee" * 32).run_id == against_q8.run_id
    assert divergence_of(records, sha256_of(other_text), BF16.sha256).run_id == other_text.run_id
    assert divergence_of(records, sha256_of(other_text), BF16.sha256, like=found) is None
    assert divergence_of(records, sha256_of(alone)) is None
    assert mean_divergence(alone.read_record()) is None
    assert divergence_of(records, sha256_of(q8), server_args=()).run_id == newer.run_id
    assert divergence_of(records, sha256_of(q8), server_args=["-ctk", "q4_0"]) is None
    hidden = msgspec.structs.replace(records[1], remarks=Remarks(archived=True))
    assert [each.run_id for each in known_divergences([records[0], hidden])] == [q8.run_id]


def test_two_models_are_compared_on_the_windows_that_both_have(tmp_path):
    better, worse = record(tmp_path, "big-Q8_0", 0.01), record(tmp_path, "big-Q2_K", 0.4, count=6)
    pair = compare_divergences(worse, better)
    assert pair.windows == 6
    assert pair.kld.high < 0
    assert pair.nearer == "B"
    assert pair.perplexity_ratio.value < 1
    assert compare_divergences(better, worse).nearer == "A"
    assert compare_divergences(better, record(tmp_path, "big-Q8_K", 0.01)).nearer == ""


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"text_sha256": "cc" * 32}, "text_sha256"),
        ({"tokens_sha256": "cc" * 32}, "tokens_sha256"),
        ({"window": 8}, "window 4 and 8"),
        ({"top": 50}, "top 200 and 50"),
        ({"way": "llama-perplexity"}, "way served and llama-perplexity"),
        ({"reference": KldReference(name="other", sha256="dd" * 32)}, "the reference's sha256"),
        ({"reference": msgspec.structs.replace(BF16, served={"gpu_layers": 9})}, "the reference's served"),
    ],
)
def test_what_measured_other_things_is_not_compared(tmp_path, changes, why):
    one, other = record(tmp_path, "big-Q8_0", 0.1), record(tmp_path, "big-Q4_0", 0.2, **changes)
    with pytest.raises(NotComparable, match=why):
        compare_divergences(one, other)


def test_a_reference_and_what_was_compared_with_it_differ_in_perplexity_only(tmp_path):
    reference, compared = record(tmp_path, "big-BF16", 0.0, reference=None), record(tmp_path, "big-Q4_0", 0.2)
    pair = compare_divergences(reference, compared)
    assert pair.kld is None
    assert pair.same_top is None
    assert pair.perplexity_ratio.value == pytest.approx(1.10517, rel=1e-4)  # exp(0.2 / 2)
    with pytest.raises(UsageError, match="both names"):
        compare_divergences(compared, compared)


def test_tables_show_the_nearest_first(tmp_path):
    folders = [record(tmp_path, f"big-{name}", far) for name, far in (("Q2_K", 0.4), ("Q8_0", 0.01))]
    (table,) = make_tables([(folder, folder.read_record()) for folder in folders], warn=pytest.fail)
    assert [row.record.model for row in table.rows] == ["big-Q8_0", "big-Q2_K"]
    header, cells = table_cells(table)
    assert cells[0][header.index("KLD in nats (95 %)")].startswith("0.01438 (")
    assert cells[0][header.index("same top %")].startswith("87.5 (")
    assert flat_rows([table])[0]["kld_reference"] == "big-BF16"
    assert flat_rows([table])[1]["mean_kld_nats"] == pytest.approx(mean_divergence(folders[0].read_record()))
    (sentence,) = conclusion(table)
    assert "big-Q8_0 is the nearest to big-BF16: KL divergence 0.01438" in sentence
    assert "lower bounds" in sentence
    assert "overlapping" not in sentence


def test_the_commands_show_them(tmp_path):
    one, other = record(tmp_path, "big-Q8_0", 0.01), record(tmp_path, "big-Q2_K", 0.4)
    where = ("--results-dir", tmp_path)
    compared, gated, shown, listed, report = bench_runners(
        ("compare", one.run_id, other.run_id, *where),
        ("compare", one.run_id, other.run_id, "--fail-if-worse", *where),
        ("show", one.run_id, *where),
        ("list", *where),
        ("report", "--output", tmp_path / "report", *where),
    )
    assert compared.code == 0, compared.err
    assert "A is nearer to the reference: a real difference" in compared.out
    assert gated.code == 2
    assert "runs of kld have none" in gated.err
    assert "KL divergence" in shown.out
    assert "lower bound against big-BF16" in shown.out
    assert "KL divergence 0.01438, same top 87.5 %" in listed.out
    assert report.code == 0, report.err
    page = next((tmp_path / "report").glob("*.html")).read_text()
    assert "KLD in nats" in page
    assert "is the nearest to big-BF16" in page
