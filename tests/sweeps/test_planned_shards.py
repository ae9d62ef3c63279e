"""Runs that are split by their samples: which shards a plan has of them, and what a sweep's folder shows of them."""

import contextlib
import json
from itertools import groupby

import msgspec
import pytest

from commands.running.sharded_run import planned_shards
from commands.setting_options import asked_by_options
from engines.lane import going_on, is_merged
from results.compare.pruning import keep_rules, runs_to_prune
from results.compare.run_choice import Choice, choose_runs
from results.errors import UsageError
from results.records import Remarks, RunStatus, ServerFacts
from results.stats.machines import speed_doubts
from results.store.run_log import RunLog
from results.store.sweep_folder import PlanEntry
from results.sweep_place import ShardFacts, SweepPlace
from results.telemetry import TelemetrySummary
from runner.fingerprint import fingerprint
from runner.request import build_spec
from runner.shards.sums import shard_facts, summed_score, summed_telemetry
from runner.spec_json import spec_document, spec_from
from settings.asked import Asked
from sweeps.merged_runs import merge_what_is_done
from sweeps.race import require_races
from sweeps.shards import together
from tests.engines.driving import Said
from tests.results.recorded_runs import begin_sweep, place, record_run
from tests.sweep_runs import models
from tests.sweeps.plans import plan, told


def planned(tmp_path, **settings):
    (model,) = models(tmp_path / "m", "a")
    both = {"model": str(model), "benchmark": ["human_eval", "lcb"], "server_command": "x {port}", **settings}
    return plan(json.dumps({"matrix": both}), tmp_path, form="json")


def test_each_shard_is_a_run_of_its_own_and_the_whole_none(tmp_path):
    found = planned(tmp_path, shards=3)
    assert [run.label for run in found.runs] == [
        "a human_eval [1/3]", "a lcb [1/3]", "a human_eval [2/3]", "a lcb [2/3]", "a human_eval [3/3]", "a lcb [3/3]",
    ]  # fmt: skip
    assert [run.index for run in found.runs] == list(range(6))
    assert [whole.label for whole in found.wholes] == ["a human_eval", "a lcb"]
    assert [run.label for run in found.results] == ["a human_eval", "a lcb"]
    assert [run.asked["shard"] for run in found.shards(found.wholes[0])] == ["1/3", "2/3", "3/3"]
    assert len({run.fingerprint for run in (*found.runs, *found.wholes)}) == 8


def test_shards_of_the_same_number_share_a_server_so_that_all_numbers_may_run_at_once(tmp_path):
    found = planned(tmp_path, shards=3)
    groups = [list(runs) for _, runs in groupby(found.runs, key=lambda run: run.group)]
    assert [len(runs) for runs in groups] == [2, 2, 2]
    assert len({run.group for run in together(found.runs)}) == 1, "with one place all stay on one server"


def test_the_whole_is_the_run_without_shards(tmp_path):
    (split,), (plain,) = (planned(tmp_path, benchmark="lcb", **more).results for more in ({"shards": 4}, {}))
    assert split.fingerprint == plain.fingerprint
    assert [run.label for run in planned(tmp_path, benchmark="lcb", shards=1).runs] == ["a lcb"]


def test_a_shard_travels_to_other_machines_as_any_run(tmp_path):
    shard = planned(tmp_path, benchmark="lcb", shards=4).runs[2]
    document = spec_document(shard.spec)
    there = spec_from(msgspec.json.decode(msgspec.json.encode(document), type=type(document)))
    assert there.asked["shard"] == "3/4"
    assert fingerprint(there) == shard.fingerprint


def test_nobody_gives_a_single_shard(tmp_path):
    assert "there is no such setting" in told("runs: [{benchmark: lcb, shard: 1/2}]", tmp_path)[0]


@pytest.mark.parametrize("benchmark", ["speed", "kld"])
def test_a_manifest_that_splits_what_can_not_be_split_is_refused_with_its_line(tmp_path, benchmark):
    models(tmp_path / "m", "a")
    text = (
        f"defaults: {{shards: 2}}\nmatrix: {{model: m/a.gguf, benchmark: {benchmark}, server_command: x}}\n"
    )
    found = " ".join(told(text, tmp_path))
    assert found.startswith(f"sweep:1: defaults.shards: --shards 2: {benchmark} can't be split: ")


def test_a_race_of_shards_is_refused(tmp_path):
    with pytest.raises(UsageError, match="a part of a run that is split"):
        require_races(planned(tmp_path, shards=2))


def test_more_shards_than_samples_are_refused(tmp_path):
    (model,) = models(tmp_path / "m", "a")
    with pytest.raises(UsageError, match="2 samples can't be split into 3"):
        build_spec(
            Asked({"benchmark": "lcb", "model": str(model), "shards": 3, "limit": 2, "server_command": "x"})
        )


LABELS = ["other", "whole", "whole [1/2]", "whole [2/2]"]


def sweep_of(tmp_path):
    folder = begin_sweep(tmp_path, LABELS)
    entries = tuple(
        PlanEntry(label=label, benchmark="human_eval", model="m", group="g", fingerprint=f"of {label}",
                  shard_of="whole" if "[" in label else "")
        for label in LABELS
    )  # fmt: skip
    folder.write(msgspec.structs.replace(folder.read(), runs=entries))
    return folder


def shown(folder):
    return {entry.label: found and str(found[1].status) for entry, found in folder.planned(warn=print)}


def test_a_sweep_shows_shards_until_they_are_merged_and_then_the_run(tmp_path):
    folder = sweep_of(tmp_path)

    def record(label, **facts):
        return record_run(tmp_path, sweep=place(folder, label), **facts)

    assert shown(folder) == {"other": None, "whole [1/2]": None, "whole [2/2]": None}
    record("whole [1/2]")
    second = record("whole [2/2]", status=RunStatus.FAILED)
    whole = record("whole", status=RunStatus.FAILED)
    assert shown(folder) == {
        "other": None, "whole": "failed", "whole [1/2]": "succeeded", "whole [2/2]": "failed",
    }  # fmt: skip
    whole.write_record(msgspec.structs.replace(whole.read_record(), status=RunStatus.INTERRUPTED))
    second.write_record(msgspec.structs.replace(second.read_record(), status=RunStatus.SUCCEEDED))
    assert shown(folder)["whole"] == "interrupted", "the merge was cut off"
    whole.write_record(msgspec.structs.replace(whole.read_record(), status=RunStatus.SUCCEEDED))
    assert shown(folder) == {"other": None, "whole": "succeeded"}


def test_shards_that_are_all_there_wait_for_their_merge(tmp_path):
    folder = sweep_of(tmp_path)
    for label in LABELS[2:]:
        record_run(tmp_path, sweep=place(folder, label))
    assert shown(folder)["whole"] is None, "so the sweep is not done"


def test_a_shard_of_a_run_that_is_there_is_not_done(tmp_path):
    found = planned(tmp_path, shards=2, benchmark="lcb")
    folder = begin_sweep(tmp_path, ["whole"])
    run = record_run(tmp_path, sweep=place(folder, "whole"))
    known = {found.wholes[0].fingerprint: (run, run.read_record())}
    assert is_merged(found.runs[0], known)
    assert not is_merged(found.runs[0], {})
    assert not is_merged(found.wholes[0], known), "that is nobody's shard"


def test_a_run_whose_manifest_no_longer_splits_it_goes_on_with_no_half_merged_one(tmp_path):
    (whole,) = planned(tmp_path, shards=2, benchmark="lcb").wholes
    cut_off = {"status": RunStatus.INTERRUPTED, "server": ServerFacts(kind="command")}
    one, other = (
        record_run(tmp_path, **cut_off, shards=shards)
        for shards in ((), (ShardFacts(run_id="r", shard="1/2"),))
    )
    assert going_on(whole, whole.spec, (one, one.read_record())).resume == one.run_id
    assert going_on(whole, whole.spec, (other, other.read_record())).resume is None


def test_seconds_are_summed_and_speed_is_that_of_one_server(tmp_path):
    records = [
        record_run(tmp_path, details={"new_completions": 1, "tokens_per_s": speed, "server_warnings": ["slow"]},
                   host={"hostname": host, "gpus": [{"name": host}]}).read_record()
        for speed, host in ((100.0, "x"), (200.0, "y"))
    ]  # fmt: skip
    score = summed_score(records[0].score, records)
    assert (score.generate_s, score.details["tokens_per_s"], score.details["new_completions"]) == (
        20.0,
        150.0,
        2,
    )
    assert "slow" in score.warnings
    assert any("2 different kinds of GPU" in warning for warning in score.warnings)
    assert summed_telemetry(records, score) is None, "nothing was measured"


def test_a_record_keeps_its_shards(tmp_path):
    facts = (ShardFacts(run_id="r", shard="1/2", gpus=("card",)),)
    run = record_run(tmp_path, shards=facts)
    assert run.read_record().shards == facts


def test_no_table_takes_a_shard_for_a_result(tmp_path):
    run = record_run(tmp_path)
    record_run(tmp_path, config={"shard": "1/2"})
    record_run(tmp_path, config={"shard": "2/2"}, remarks=Remarks(archived=True))
    for archived in (False, True):
        chosen = choose_runs(tmp_path, Choice(archived=archived), warn=print)
        assert [folder.run_id for folder, _ in chosen.runs] == [run.run_id]
        assert chosen.left_out == {"shard": 2}


def test_pruning_counts_a_run_that_was_merged_once(tmp_path):
    """The last two are runs, however many shards were merged into the last of them."""
    older = record_run(tmp_path)
    shards = [
        record_run(tmp_path, config={"shard": f"{n}/2"}, remarks=Remarks(archived=True)) for n in (1, 2)
    ]
    merged = record_run(tmp_path, config={"shards": 2})
    found = runs_to_prune(tmp_path, keep_rules(["last=2"], None), warn=print)
    assert [folder.run_id for folder in found.delete] == [folder.run_id for folder in shards]
    assert older.run_id != merged.run_id


def test_energy_is_summed_and_says_so_where_machines_differ(tmp_path):
    def measured(host, gpu, joules):
        return record_run(
            tmp_path,
            host={"hostname": host, "gpus": [{"name": gpu}]},
            telemetry=TelemetrySummary(energy_j=joules, peak_memory_bytes=int(joules), ticks=2),
            details={"new_completions": 1},
        ).read_record()

    same = [measured("x", "card", 3.0), measured("y", "card", 5.0)]
    score = msgspec.structs.replace(summed_score(same[0].score, same), completions=2, completion_tokens=16)
    found = summed_telemetry(same, score)
    assert (found.energy_j, found.joules_per_completion, found.tokens_per_joule) == (8.0, 4.0, 2.0)
    assert (found.peak_memory_bytes, found.ticks, found.energy_doubts) == (5, 4, ())
    assert "2 shards on 2 machines" in found.not_comparable[0]
    found = summed_telemetry([same[0], measured("y", "other", 5.0)], score)
    assert "different machines: card" in found.energy_doubts[0]
    unknown = msgspec.structs.replace(same[0], telemetry=None)
    assert summed_telemetry([same[0], unknown], score) is None
    run = msgspec.structs.replace(unknown, shards=(shard_facts(same[0]), shard_facts(same[1])))
    assert "2 shards on 2 machines" in speed_doubts(run)[0], "also where nothing was measured"


def test_a_merge_that_was_killed_as_it_archived_its_shards_gets_them_archived_in_the_log_too(tmp_path):
    """Records come first and the log behind them; what is noted as not logged yet is logged by the next try."""
    found = planned(tmp_path, shards=2, benchmark="human_eval")
    (whole,), results = found.wholes, tmp_path / "r"
    folder = begin_sweep(results, ["whole"])

    def recorded(run):
        where = SweepPlace(sweep_id=folder.sweep_id, fingerprint=run.fingerprint, label="", nonce="")
        return record_run(results, sweep=where)

    shards = [recorded(each) for each in found.runs]
    log = RunLog(results / "benchmark_results.json")
    log.append_all(shards)
    (results / ".unlogged").mkdir()
    for shard in shards:  # killed here
        record = shard.read_record()
        shard.write_record(msgspec.structs.replace(record, remarks=Remarks(archived=True)))
        (results / ".unlogged" / shard.run_id).touch()
    assert not any(record.remarks.archived for record in log.runs())
    merged = recorded(whole)
    merge_what_is_done(folder, found, nonce="", display=Said(), held=contextlib.nullcontext)
    assert {record.run_id for record in log.runs() if record.remarks.archived} == {
        each.run_id for each in shards
    }
    assert merged.read_record().remarks == Remarks()


@pytest.mark.parametrize("text", ["a, b", "${HOME} $5", '$${X} "q"', "{{ x }}", "é\n- y: 1"])
def test_run_with_shards_asks_what_run_asks(tmp_path, text):
    """Nothing of the command line is a variable, a list or a template in the sweep that it makes."""
    (model,) = models(tmp_path / "m", "a")
    odd = {"system_prompt": text, "chat_template_kwargs": json.dumps({"x": text}), "limit": "4"}
    given = {"benchmark": "human_eval", "model": str(model), "server_command": "x {port}", **odd}
    spec = build_spec(asked_by_options({**given, "shards": "2"}))
    _, found = planned_shards(spec)
    assert found.wholes[0].fingerprint == fingerprint(build_spec(asked_by_options(given)))
    assert found.runs[1].asked["system_prompt"] == text
