"""Users name a run as they think of it, and get that run, or a list of those that it may be, never another."""

from __future__ import annotations

import datetime as dt

import pytest

from results.errors import UsageError
from results.records import ModelIdentity, ServerFacts
from results.store.names import NameFacts, match_name, short_names
from results.store.run_folder import RunFolder
from results.store.sweep_folder import ManifestText, PlanEntry, Sweep, SweepFolder
from results.sweep_place import SweepPlace
from tests.results.conftest import a_record

# Id, model, benchmark, quantisation. Model names are as long as people's, so their ids lack the middle.
RUNS = {
    "20261120T080000Z-human_eval-Qwen2.5-7B-Q4_K_M-1a2b": ("Qwen2.5-7B-Q4_K_M", "human_eval", "Q4_K_M"),
    "20261121T080000Z-gsm8k-Qwen2.5-7B-Q4_K_M-2b3c": ("Qwen2.5-7B-Q4_K_M", "gsm8k", "Q4_K_M"),
    "20261121T090000Z-human_eval-Qwen2.5-7B-Q8_0-3c4d": ("Qwen2.5-7B-Q8_0", "human_eval", "Q8_0"),
    "20261122T080000Z-human_eval-Gemma-27B-F16-4d5e": ("Gemma-27B-F16", "human_eval", "F16"),
    "20261122T090000Z-human_eval-Gemma-27B-BF16-5e6f": ("Gemma-27B-BF16", "human_eval", "BF16"),
    "20261123T080000Z-mmlu-Gemma-27B-it-F16-6f7a": ("Gemma-27B-it-F16", "mmlu", "F16"),
    "20261123T090000Z-human_eval-A-very-long-name-of-a-model-of-a-team-Q5_K_S-7a8b": (
        "A-very-long-name-of-a-model-that-somebody-merged-of-a-team-Q5_K_S", "human_eval", "Q5_K_S",
    ),
}  # fmt: skip
IDS = [*RUNS]


def match(wanted):
    return match_name(wanted, reversed(IDS), lambda each: NameFacts(RUNS[each]))


@pytest.mark.parametrize(
    ("wanted", "place"),
    [
        (IDS[3], 3),
        ("20261120", 0),
        ("20261122T09", 4),
        ("last", 6),
        ("last~0", 6),
        ("last~1", 5),
        ("last~6", 0),
        ("Q8_0", 2),
        ("q8_0", 2),
        ("Q4_K_M human_eval", 0),
        ("human_eval Q4_K_M", 0),
        ("  gsm8k   q4_k_m ", 1),
        ("gsm", 1),
        ("4d5e", 3),
        ("BF16", 4),
        ("F16 human_eval", 3),  # BF16 is another quantisation
        ("mmlu F16", 5),
        ("somebody-merged", 6),  # isn't in the id
        ("20261121 q8", 2),
        ("Gemma-27B-F16", 3),
        ("27B 20261123", 5),
    ],
)
def test_what_fits_one_run_only_names_it(wanted, place):
    assert match(wanted) == IDS[place]


@pytest.mark.parametrize(
    ("wanted", "places"),
    [("2026", range(7)), ("20261121", (1, 2)), ("Q4_K_M", (0, 1)), ("7B", (0, 1, 2)), ("F16", (3, 5)),
     ("Q", (0, 1, 2, 6)), ("human_eval 7B", (0, 2))],
)  # fmt: skip
def test_what_fits_several_lists_them_newest_first(wanted, places):
    with pytest.raises(UsageError) as ambiguous:
        match(wanted)
    assert ambiguous.value.message == f"{wanted!r} matches {len(places)} runs"
    assert ambiguous.value.hint.splitlines()[1:] == [IDS[place] for place in sorted(places, reverse=True)]


def test_the_list_is_bounded():
    many = [f"20261121T0800{number:02}Z-human_eval-m-0000" for number in range(30)]
    with pytest.raises(UsageError, match="matches 30 runs") as ambiguous:
        match_name("human_eval", many, lambda _: NameFacts())
    _, *listed, rest = ambiguous.value.hint.splitlines()
    assert listed == many[:-9:-1]
    assert rest == "and 22 more: bench_runner.py list"


@pytest.mark.parametrize(
    ("wanted", "message", "hint"),
    [
        ("", "there is no run ''", "the latest are:\n" + IDS[6]),
        (" ", "there is no run ' '", "the latest are:\n" + IDS[6]),
        ("Q5_K_M", "there is no run 'Q5_K_M'", "did you mean Q5_K_S or Q4_K_M?"),
        ("humaneval Q8_0", "there is no run 'humaneval Q8_0'", "did you mean human_eval?"),
        ("gsm8k zzz", "there is no run 'gsm8k zzz'", "no run fits 'zzz'; name one by its id"),
        ("gsm8k Q8_0", "there is no run 'gsm8k Q8_0'", "each word fits a run, but no run fits all"),
        (IDS[0].replace("1a2b", "1a2c"), "there is no run", f"did you mean {IDS[0]}"),
        ("last~7", "there are only 7 runs, so none is 'last~7'", f"the oldest is last~6, {IDS[0]}"),
        ("last~" + "9" * 5000, "there is no run 'last~999", "the latest are"),
        ("last~-1", "there is no run 'last~-1'", "the latest are"),
        ("last~\u0661", "there is no run 'last~\u0661'", "the latest are"),
        ("[(*", "there is no run '[(*'", "the latest are"),
        ("x" * 5000, "there is no run 'xxx", "the latest are"),
        ("../" + IDS[0], "there is no run '../2026", "did you mean " + IDS[0]),
    ],
)
def test_what_fits_none_says_what_there_is(wanted, message, hint):
    with pytest.raises(UsageError) as unknown:
        match(wanted)
    assert message in unknown.value.message
    assert hint in unknown.value.hint


@pytest.mark.parametrize("wanted", ["last", "last~3", "2026", "Q4_K_M human_eval"])
def test_without_runs_that_is_said(wanted):
    with pytest.raises(UsageError, match="there is no run") as unknown:
        match_name(wanted, [], lambda _: NameFacts())
    assert "there are no runs yet" in unknown.value.hint


def test_an_id_or_its_beginning_reads_no_record():
    """Of ten thousand runs one is found without reading the others."""
    for wanted in (IDS[0], "20261120"):
        match_name(wanted, IDS, pytest.fail)
    read = []
    match_name("last~2", IDS, lambda each: read.append(each) or NameFacts())
    assert read == IDS[:-4:-1]  # whether these are hidden


def test_a_folder_is_found_by_what_its_record_says(tmp_path):
    now = dt.datetime(2026, 11, 21, 4, 46, tzinfo=dt.UTC)
    folders = [RunFolder.create(tmp_path, "human_eval", name, now) for name in ("one", "two", "three")]
    identity = ModelIdentity(name="one", path="/models/merge-of-mine.gguf", quantization="Q6_K")
    place = SweepPlace(sweep_id="s", fingerprint="f", label="two temperature=0.8", nonce="")
    folders[0].write_record(a_record(folders[0].run_id, model_identity=identity))
    folders[1].write_record(
        a_record(folders[1].run_id, server=ServerFacts(kind="vllm"), sweep=place, benchmark="gsm8k")
    )
    folders[2].run_json.write_bytes(b'{"model": "\xff"')  # is named by its id alone, and hides no other
    for wanted, folder in (("Q6_K", 0), ("merge-of-mine.gguf", 0), ("vllm gsm8k", 1), ("temperature=0.8", 1),
                           ("three", 2)):  # fmt: skip
        assert RunFolder.find(tmp_path, wanted) == folders[folder]
    for wanted in ("2" * 300, "2\0"):  # no name of a folder
        with pytest.raises(UsageError, match="there is no run"):
            RunFolder.find(tmp_path, wanted)


def test_a_sweep_is_named_by_the_same_rules(tmp_path):
    folders = []
    for day, name, model in (
        (20, "nightly", "Big-Q8_0"),
        (21, "nightly", "Big-Q4_0"),
        (22, "few", "Big-Q8_0"),
    ):
        folder = SweepFolder.create(tmp_path, name, dt.datetime(2026, 11, day, tzinfo=dt.UTC))
        entry = PlanEntry(label=f"{model} gsm8k", benchmark="gsm8k", model=model, group="g")
        text = ManifestText(text="", form="yaml", name=name, folder="/")
        folder.write(Sweep(sweep_id=folder.sweep_id, created="", nonce="", manifest=text, runs=(entry,)))
        folders.append(folder)
    for wanted, place in (
        ("last", 2),
        ("last~1", 1),
        ("20261120", 0),
        ("few", 2),
        ("Q4_0", 1),
        ("nightly q8_0", 0),
    ):
        assert SweepFolder.find(tmp_path, wanted) == folders[place]
    with pytest.raises(UsageError, match="'nightly' matches 2 sweeps") as ambiguous:
        SweepFolder.find(tmp_path, "nightly")
    assert ambiguous.value.hint.splitlines()[1:] == [folders[1].sweep_id, folders[0].sweep_id]


def test_a_short_name_names_its_run():
    ids = [
        *IDS,
        "20261123T090000Z-gsm8k-A-1111",
        "20261123T090000Z-gsm8k-A-2222",
        "20261123T090000Z-gsm8k-A-2222-3",
    ]
    shown = short_names([IDS[0], IDS[6], *ids[7:9]], ids)
    assert {*shown} == {IDS[0], IDS[6], *ids[7:9]}
    assert shown[IDS[0]] == "20261120T080000Z"
    assert shown[IDS[6]] == "20261123T090000Z-human_eval"
    assert shown[ids[7]] == ids[7]
    for run_id, short in shown.items():
        assert match_name(short, ids, lambda _: NameFacts()) == run_id
    assert short_names([], ids) == {}
    assert short_names(["a"], []) == {"a": "a"}
