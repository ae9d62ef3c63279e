"""A guided race asks the damaged models first and comes to the same end; how well divergence predicts is told."""

from __future__ import annotations

import dataclasses

import msgspec
import pytest

from results.compare.divergence_prediction import prediction
from results.records import ModelIdentity, Score
from results.stats.divergence import KldReference, KldResult, KldWindow, figures
from results.store.run_folder import all_records
from servers.models import content_sha256
from sweeps.guide import Guide, kld_guide, prediction_lines
from sweeps.manifest.options import manifest_from_options
from sweeps.plan import plan_runs
from tests.command_line import bench_runner, command_server, lines, logged
from tests.results.recorded_runs import F, P, record_run
from tests.sweep_runs import models, own_devices

pytestmark = pytest.mark.usefixtures("own_devices")
__all__ = ["own_devices"]

BF16 = KldReference(name="big-BF16", sha256="ff" * 32, quantization="BF16")


def kld_run(results, model, sha256, kld, *, reference=BF16, **record):
    windows = [
        KldWindow(
            index=index, logprobs=(-1.0,), reference_logprobs=(-1.0,), klds=(kld,), same_top=(True,),
            tails=(0.1,), reference_tails=(0.1,),
        )
        for index in range(8)
    ]  # fmt: skip
    result = KldResult(
        way="served", text_sha256="aa", tokens_sha256="bb", window=2, top=200, reference=reference,
        figures=figures(windows),
    )  # fmt: skip
    score = Score(score=None, samples=8, details={"kld": msgspec.to_builtins(result)})
    identity = ModelIdentity(name=model, sha256=sha256)
    return record_run(
        results,
        benchmark="kld",
        model=model,
        score=score,
        model_identity=identity,
        no_verdicts=True,
        **record,
    )


def plan(folder, *names, **given):
    files = models(folder, *names)
    planned = plan_runs(
        manifest_from_options(tuple(map(str, files)), {"benchmark": "human_eval", **given})
    ).runs
    return planned, {run.label: content_sha256(run.spec.server.model) for run in planned}


def test_the_damaged_come_first_the_alike_last_and_the_unknown_between():
    guide = Guide(klds=(0.001, 0.5, None, 0.02, 0.0))
    assert guide.ordered(range(5)) == [1, 3, 2, 0, 4]
    assert guide.ordered([4, 1]) == [1, 4]


def test_the_order_is_that_of_comparable_measurements(tmp_path):
    """Not of one text for one model and another for the next: the table that knows most of the models counts."""
    runs, contents = plan(tmp_path / "m", "a", "b", "c")
    shas = [contents[run.label] for run in runs]
    kld_run(tmp_path, "a", shas[0], 0.002)
    kld_run(tmp_path, "b", shas[1], 0.3)
    kld_run(tmp_path, "c", shas[2], 9.0, reference=KldReference(name="other", sha256="ee" * 32))
    guide = kld_guide(runs, tmp_path, warn=pytest.fail)
    assert guide.klds == (pytest.approx(0.002), pytest.approx(0.3), None)
    assert "KL divergence: big-BF16" in guide.why[0]
    assert "b human_eval 0.3 (damaged), a human_eval 0.002 (nearly the same)" in guide.why[0]
    assert "c human_eval is not known" in guide.why[1]
    assert "--benchmark kld" in guide.why[1]


def test_without_any_run_of_kld_it_says_so(tmp_path):
    runs, _ = plan(tmp_path / "m", "a", "b")
    guide = kld_guide(runs, tmp_path, warn=pytest.fail)
    assert guide.ordered([0, 1]) == [0, 1]
    assert "plan's order" in guide.why[0]


def test_one_file_with_several_settings_has_the_divergence_of_its_own(tmp_path):
    """A run of kld with the default KV cache says nothing of another one."""
    (model,) = models(tmp_path / "m", "a")
    each = [
        plan_runs(
            manifest_from_options((str(model),), {"benchmark": "human_eval", "server_args": words})
        ).runs[0]
        for words in (("-ctk", "q4_0"), ("-ctk", "f16"))
    ]
    runs = [dataclasses.replace(run, index=at, label=f"run {at}") for at, run in enumerate(each)]
    config = {"server_args": ["-ctk", "q4_0"]}
    kld_run(tmp_path, "a", content_sha256(runs[0].spec.server.model), 0.2, config=config)
    assert kld_guide(runs, tmp_path, warn=pytest.fail).klds == (pytest.approx(0.2), None)
    assert kld_guide(runs[1:], tmp_path, warn=pytest.fail).klds == (pytest.approx(0.2),)


CACHES = ("f16", "q8_0", "q4_0")


def of_caches(tmp_path):
    """A race of KV caches: its runs, and the content of their one model."""
    (model,) = models(tmp_path / "m", "a")
    runs = [
        plan_runs(
            manifest_from_options((str(model),), {"benchmark": "human_eval", "server_args": ("-ctk", cache)})
        ).runs[0]
        for cache in CACHES
    ]
    sha256 = content_sha256(runs[0].spec.server.model)
    return [dataclasses.replace(run, index=at, label=f"run {at}") for at, run in enumerate(runs)], sha256


def cached(cache):
    return {"server_args": ["-ctk", cache]}


def test_each_cache_type_of_a_model_has_the_divergence_that_was_measured_with_it(tmp_path):
    runs, sha256 = of_caches(tmp_path)
    for kld, cache in zip((0.001, 0.02, 0.3), CACHES, strict=True):
        kld_run(tmp_path, "a", sha256, kld, config=cached(cache))
    guide = kld_guide(runs, tmp_path, warn=pytest.fail)
    assert guide.klds == tuple(map(pytest.approx, (0.001, 0.02, 0.3)))
    assert guide.ordered(range(3)) == [2, 1, 0]
    assert "not known; " not in "".join(guide.why)


def test_only_the_reference_as_it_was_served_is_at_no_distance_from_itself(tmp_path):
    runs, sha256 = of_caches(tmp_path)
    reference = KldReference(name="a", sha256=sha256, quantization="F16", served=cached("f16"))
    kld_run(tmp_path, "other", "01" * 32, 0.2, reference=reference)
    assert kld_guide(runs, tmp_path, warn=pytest.fail).klds == (0.0, None, None)


def test_a_run_with_another_cache_type_says_nothing_of_a_divergence(tmp_path):
    for cache, kld, passed in (("q8_0", 0.001, 40), ("q4_0", 0.3, 20)):
        kld_run(tmp_path, "m", "01" * 32, kld, config=cached(cache))
        benchmark_run(tmp_path, f"m {cache}", "01" * 32, passed, config=cached(cache))
    benchmark_run(tmp_path, "m", "01" * 32, 45)
    benchmark_run(tmp_path, "reference", "ff" * 32, 41)
    found = prediction(all_records(tmp_path, warn=pytest.fail))
    assert [(pair.base, pair.model) for pair in found.pairs] == [
        ("reference", "m q8_0"),
        ("reference", "m q4_0"),
    ]
    assert found.models == 1


def test_pairs_of_one_model_are_no_evidence_of_their_own(tmp_path):
    """Two models on five benchmarks agree perfectly, and yet say little of a third."""
    for rank, (sha256, passed) in enumerate((("ff" * 32, 45), ("01" * 32, 40), ("02" * 32, 10))):
        if rank:
            kld_run(tmp_path, f"m{rank}", sha256, 0.1 * rank)
        for benchmark in ("human_eval", "gsm8k", "mmlu", "mbpp", "arc"):
            benchmark_run(tmp_path, f"m{rank}", sha256, passed, benchmark=benchmark)
    found = prediction(all_records(tmp_path, warn=pytest.fail))
    assert (len(found.pairs), found.models, found.loss.shown) == (10, 2, False)
    assert "over 10 pairs of runs of 2 models here" in prediction_lines(found)[0]
    assert "too few models for an interval" in prediction_lines(found)[0]


def benchmark_run(results, model, sha256, passed, **facts):
    outcomes = [P if at < passed else F for at in range(50)]
    return record_run(
        results, outcomes, model=model, model_identity=ModelIdentity(name=model, sha256=sha256), **facts
    )


def test_what_divergence_predicted_is_counted_over_pairs_with_the_reference(tmp_path):
    passed = {
        "ff" * 32: 40,
        "01" * 32: 40,
        "02" * 32: 39,
        "03" * 32: 36,
        "04" * 32: 30,
        "05" * 32: 20,
        "06" * 32: 9,
    }
    for rank, (sha256, count) in enumerate(passed.items()):
        benchmark_run(tmp_path, f"m{rank}", sha256, count)
        if rank:
            kld_run(tmp_path, f"m{rank}", sha256, 0.001 * 3**rank)
    benchmark_run(tmp_path, "stranger", "07" * 32, 0)
    benchmark_run(tmp_path, "warm", "06" * 32, 50, settings={"temperature": 1.0}, benchmark="gsm8k")
    found = prediction(all_records(tmp_path, warn=pytest.fail))
    assert [(pair.model, pair.base, round(pair.loss, 2)) for pair in found.pairs][-1] == ("m6", "m0", 0.62)
    assert len(found.pairs) == 6
    assert found.loss.rho == pytest.approx(1)
    assert found.flips.shown
    (line,) = prediction_lines(found)
    assert "over 6 pairs of runs of 6 models" in line


def test_where_divergence_did_not_predict_is_said(tmp_path):
    for name, sha256, kld, count in (
        ("near", "01" * 32, 0.0, 45), ("alike", "02" * 32, 0.005, 20), ("far", "03" * 32, 0.4, 46),
    ):  # fmt: skip
        kld_run(tmp_path, name, sha256, kld)
        benchmark_run(tmp_path, name, sha256, count)
    found = prediction(all_records(tmp_path, warn=pytest.fail))
    told = "\n".join(prediction_lines(found))
    assert "alike against near: nearly the same, but worse (0.005 nats, -50.0 points" in told
    assert "far against near: far away, but not worse" in told
    assert "not shown here" in told
    assert prediction_lines(prediction(())) == (
        "how well the divergence predicts is not known here: no model has both, a run of kld and of a benchmark",
    )


@pytest.mark.servers
def test_a_guided_race_asks_in_that_order_and_ends_like_any_other(tmp_path):
    """Bit for bit: the decisions are made between rounds."""
    files = models(tmp_path / "m", "good", "fair", "poor")
    wrong = [word for name, share in (("good", 0.1), ("fair", 0.3), ("poor", 0.9)) for word in
             ("--wrong-if", f"{name}.gguf={share}")]  # fmt: skip
    ends = []
    for guided in (False, True):
        results, answered = tmp_path / f"r{guided}", tmp_path / f"answered{guided}"
        option, command = command_server(
            "canonical_server.py", "--salt", "{model}", "--answered", answered, *wrong
        )
        words = [option, command.replace("'{model}'", "{model}"), "--limit", 48, "--results-dir", results]
        if guided:
            planned, contents = plan(tmp_path / "m", "good", "fair", "poor")
            for run, kld in zip(planned, (0.001, 0.05, 0.8), strict=True):
                kld_run(results, run.label, contents[run.label], kld)
            words += ["--guide", "kld"]
        done = bench_runner("sweep", *files, "--benchmark", "human_eval", "--race", *words)
        assert done.code == 0, done.err
        raced = [record for record in logged(results) if record["benchmark"] == "human_eval"]
        ends.append({record["model"]: record["sweep"]["race_result"] for record in raced})
        order = list(
            dict.fromkeys(line.split()[0].rpartition("/")[2] for line in answered.read_text().splitlines())
        )
        known = ["poor.gguf", "fair.gguf", "good.gguf"] if guided else ["good.gguf", "fair.gguf", "poor.gguf"]
        assert order[1:] == [name for name in known if name != order[0]]
        assert ("so far" in done.err) is False
        if guided:
            assert "asked in this order within a round: poor human_eval 0.8" in done.err
            verdicts = {
                record["model"]: len(lines(results / record["run_id"] / "completions.jsonl"))
                for record in raced
            }
            assert verdicts["poor"] < verdicts["good"]
            refused = bench_runner(
                "sweep", "--resume", "last", "--results-dir", tmp_path / "rFalse", "--guide", "kld"
            )
            assert (refused.code, "without --guide" in refused.err) == (2, True)
    assert ends[0] == ends[1]


def test_where_nothing_was_solved_nothing_could_be_lost(tmp_path):
    for name, sha256, kld in (("near", "01" * 32, 0.0), ("far", "02" * 32, 0.4)):
        kld_run(tmp_path, name, sha256, kld)
        benchmark_run(tmp_path, name, sha256, 0)
    (line, *_) = told = prediction_lines(prediction(all_records(tmp_path, warn=pytest.fail)))
    assert "all are alike" in line
    assert "did not predict" not in "".join(told)


def test_a_guide_without_a_race_is_refused(tmp_path):
    done = bench_runner("sweep", tmp_path / "x.gguf", "--benchmark", "human_eval", "--guide", "kld")
    assert done.code == 2
    assert "--guide needs --race" in done.err
