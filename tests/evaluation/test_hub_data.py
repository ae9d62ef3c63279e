"""A data set of the Hub is fetched once, pinned, checked at each use, and needs no network afterwards."""

from __future__ import annotations

import json
import select
import shutil
import signal
import socket
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest
from huggingface_hub import close_session, constants

from evaluation.data.files import read_rows
from evaluation.data.hub import fetch_data, is_here
from evaluation.data.hub_data import HubData
from results.errors import BenchError
from scripts import data_sets
from tests.command_line import bench_runner, signalled
from tests.evaluation.running_servers import asked_of, data_hub

pytestmark = pytest.mark.slow

REAL = "https://huggingface.co"
BRANCH = "refs%2Fconvert%2Fparquet"
PARQUET, LINES = "nyu/parts/{}/cola/validation/{}.parquet", "some/lines/main/test.jsonl"
PARTS = {"repository": "nyu/parts", "config": "cola", "split": "validation"}


def write_parquet(path, *texts):
    path.parent.mkdir(parents=True, exist_ok=True)
    pa.parquet.write_table(pa.table({"text": list(texts)}), path)


@pytest.fixture
def repositories(tmp_path):
    """What the hub has: two Parquet files of one split, and a file of JSON Lines."""
    folder = tmp_path / "repositories"
    for number, text in enumerate(("first", "second")):
        write_parquet(folder / PARQUET.format(BRANCH, f"{number:04}"), text)
    write_parquet(folder / "nyu/parts" / BRANCH / "cola/train/0000.parquet", "not asked for")
    (folder / LINES).parent.mkdir(parents=True)
    (folder / LINES).write_text('{"text": "line"}\n')
    (folder / LINES).with_name("test.csv").write_text('text,label\n"a, b",1\n')
    return folder


@pytest.fixture
def hub(repositories):
    with data_hub(repositories) as url:
        yield url


@pytest.fixture
def user(tmp_path, monkeypatch):
    """A user's folders, empty, in this process. huggingface_hub reads its variables when it is imported, for good."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf"))

    def at(url):
        """url: of the hub; None: there is no network."""
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", url is None)
        monkeypatch.setattr(constants, "ENDPOINT", url or REAL)
        template = f"{url or REAL}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        close_session()

    yield at
    close_session()


def fetch(*asked):
    """What becomes of each."""
    found = []
    for each in asked:
        data = HubData(**{**each, "files": tuple(each.get("files", ()))})
        try:
            got = fetch_data(data)
        except BenchError as error:
            found.append({"error": error.message, "hint": error.hint, "code": error.exit_code})
            continue
        rows = [row.data for path in got.paths for row in read_rows(path, header=True)]
        found.append({"rows": rows, "paths": list(map(str, got.paths)), "commit": got.commit})
    return found


def test_a_split_is_fetched_once_and_then_needs_no_network(hub, user, tmp_path):
    lines = {"repository": "some/lines", "files": ["test.jsonl"]}
    csv = {"repository": "some/lines", "files": ["test.csv"]}
    user(hub)
    both = fetch(*[PARTS, lines, csv] * 2)
    first = both[:3]
    assert both[3:] == first
    assert [found["rows"] for found in first] == [
        [{"text": "first"}, {"text": "second"}],
        [{"text": "line"}],
        [{"text": "a, b", "label": "1"}],
    ]
    sent = [path.partition("/resolve/")[2] for method, path in asked_of(hub) if method == "GET"]
    assert sorted(path.partition("/")[2] for path in sent if path) == [
        "cola/validation/0000.parquet", "cola/validation/0001.parquet", "test.csv", "test.jsonl",
    ]  # fmt: skip
    user(None)
    assert fetch(PARTS, lines, csv) == first
    pins = [json.loads(path.read_text()) for path in (tmp_path / "config").rglob("*.json")]
    assert sorted(pin["commit"] for pin in pins) == sorted(found["commit"] for found in first)
    assert {file["name"] for pin in pins for file in pin["files"]} == {
        "cola/validation/0000.parquet", "cola/validation/0001.parquet", "test.jsonl", "test.csv",
    }  # fmt: skip


def test_where_nothing_can_be_remembered_the_data_is_used_all_the_same(hub, user, tmp_path, capsys):
    user(hub)
    (tmp_path / "config").write_text("a file where the folder would be")
    assert len(fetch(PARTS)[0]["rows"]) == 2
    assert "nyu/parts (config cola, split validation) is not pinned" in capsys.readouterr().err


def test_a_changed_file_is_refused_and_a_deleted_one_is_fetched_again(hub, user):
    user(hub)
    first = fetch(PARTS)
    path = Path(first[0]["paths"][1])
    path.unlink()
    assert fetch(PARTS) == first
    path.unlink()
    write_parquet(path, "tampered")
    user(None)
    (changed,) = fetch(PARTS)
    assert f"{path} has changed since nyu/parts was first used" in changed["error"]
    assert "--renew" in changed["hint"]


def told(capsys, *words):
    """What the program behind `data` prints, a mapping for each line."""
    assert data_sets.main(words) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_what_the_hub_changes_later_is_not_taken_unless_asked_for(hub, user, repositories, capsys):
    user(hub)
    file = repositories / "openai/gsm8k/main/main/test-00000-of-00001.parquet"
    write_parquet(file, "old")
    old = told(capsys, "fetch", "gsm8k")
    write_parquet(file, "new")
    assert told(capsys, "fetch", "gsm8k") == old
    (new,) = told(capsys, "fetch", "gsm8k", "--renew")
    assert new["commit"] != old[0]["commit"]
    listed = told(capsys, "list", "gsm8k", "mmlu")
    assert [(each["here"], each["commit"]) for each in listed] == [
        (True, new["commit"]), (False, None), (False, None),
    ]  # fmt: skip


def test_without_a_network_the_error_names_the_file_and_its_place_and_a_file_put_there_is_used(
    user, repositories, tmp_path
):
    user(None)
    (missing,) = fetch(PARTS)
    assert "nyu/parts (config cola, split validation) could not be fetched" in missing["error"]
    address = "https://huggingface.co/datasets/nyu/parts/resolve/refs%2Fconvert%2Fparquet/cola/validation/0000.parquet"
    place = f"{tmp_path}/data/bench_runner/data/nyu/parts/cola/validation/0000.parquet"
    assert address in missing["hint"]
    assert place in missing["hint"]
    Path(place).parent.mkdir(parents=True)
    shutil.copy(repositories / PARQUET.format(BRANCH, "0000"), place)
    (found,) = fetch(PARTS)
    assert (found["rows"], found["paths"]) == ([{"text": "first"}], [place])
    write_parquet(repositories / PARQUET.format(BRANCH, "0000"), "other")
    shutil.copy(repositories / PARQUET.format(BRANCH, "0000"), place)
    assert "has changed" in fetch(PARTS)[0]["error"]


@pytest.mark.parametrize(
    ("put_there", "missing"),
    [
        (["0001"], "0000.parquet"),
        (["0000", "0002"], "0001.parquet"),
        (["validation-00000-of-00002"], "validation-00001-of-00002.parquet"),
    ],
)
def test_a_split_of_which_a_file_was_not_copied_is_refused_by_its_name(
    user, tmp_path, capsys, put_there, missing
):
    user(None)
    folder = tmp_path / "data/bench_runner/data/nyu/parts/cola/validation"
    for name in put_there:
        write_parquet(folder / f"{name}.parquet", name)
    assert not is_here(HubData(**PARTS))
    (found,) = fetch(PARTS)
    assert found["code"] == 4
    assert f"but not {missing}" in found["error"]
    write_parquet(folder / missing, missing)
    assert is_here(HubData(**PARTS))
    (found,) = fetch(PARTS)
    assert len(found["rows"]) == len(put_there) + 1
    told_whole = f"taken as whole: {len(put_there) + 1} files" in capsys.readouterr().err
    assert told_whole == put_there[0].isdigit()  # `of` says by itself how many there are
    fetch(PARTS)
    assert not capsys.readouterr().err  # at the first use only
    (named,) = fetch({"repository": "nyu/parts", "files": [f"cola/validation/{put_there[0]}.parquet"]})
    assert len(named["rows"]) == 1  # who names files may want some of them


def test_a_file_of_json_lines_put_there_by_hand_needs_no_reader_of_parquet(user, tmp_path):
    user(None)
    place = f"{tmp_path}/data/bench_runner/data/nyu/parts/cola/validation.jsonl"
    Path(place).parent.mkdir(parents=True)
    Path(place).write_text('{"text": "mine"}\n')
    assert fetch(PARTS)[0]["rows"] == [{"text": "mine"}]


def test_what_the_hub_lacks_and_a_wrong_hash_are_told(hub, user):
    wrong = [
        {"repository": "nobody/none", "split": "test"},
        {"repository": "some/lines", "split": "test"},
        {**PARTS, "split": "test"},
        {"repository": "some/lines", "files": ["gone.jsonl"]},
        {"repository": "some/lines", "files": ["test.jsonl"], "sha256": "0" * 64},
    ]
    user(hub)
    found = fetch(*wrong)
    assert [each["code"] for each in found] == [4] * 5
    for each, words in zip(
        found,
        (
            "nobody/none (split test) could not be fetched",
            "some/lines has no default/test/*.parquet or data/test-*.parquet at main",
            "nyu/parts has no cola/test/*.parquet or cola/test-*.parquet at refs/convert/parquet",
            "some/lines has no gone.jsonl at main",
            "is not what its suite names",
        ),
        strict=True,
    ):
        assert words in each["error"]


def test_the_data_of_suites_is_listed_and_fetched_by_task(hub, user, repositories, tmp_path, capsys):
    write_parquet(repositories / "nyu/parts" / BRANCH / "cola/test/0000.parquet", "asked")
    suite = tmp_path / "mine.yaml"
    suite.write_text(
        "{name: mine, version: 1, about: A suite, licence: none, prompt: '{{text}}',"
        " answer: {kind: span, correct: text},"
        " data: {hub: nyu/parts, config: cola, split: test}, few_shot: {split: train}}"
    )
    user(hub)
    fetched = told(capsys, "fetch", str(suite))
    assert [(each["split"], each["here"]) for each in fetched] == [("test", True), ("train", True)]
    listed = told(capsys, "list", "glue")
    assert [each["task"] for each in listed][:2] == ["cola", "sst2"]
    assert not any(each["here"] for each in listed)


def test_a_data_set_that_was_not_converted_is_taken_as_it_was_published(hub, user, repositories):
    for name in ("parts/main/data/test-00000-of-00002", "parts/main/data/test-00001-of-00002"):
        write_parquet(repositories / f"other/{name}.parquet", name[-10])
    write_parquet(repositories / "other/parts/main/data/train-00000-of-00001.parquet", "train")
    asked = {"repository": "other/parts", "split": "test"}
    user(hub)
    (found,) = fetch(asked)
    assert [row["text"] for row in found["rows"]] == ["0", "1"]
    user(None)
    assert fetch(asked) == [found]
    user(hub)
    (revision,) = fetch({**asked, "revision": found["commit"]})
    assert revision == found
    (gone,) = fetch({**asked, "revision": "f" * 40})
    assert f"other/parts has no revision {'f' * 40}" in gone["error"]


def test_the_command_prints_a_table_and_refuses_other_names(tmp_path):
    env = {"XDG_CONFIG_HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path), "HF_HOME": str(tmp_path)}
    table = bench_runner("data", "list", "gsm8k", env=env)
    assert table.out.splitlines()[1].split("\t")[:3] == ["gsm8k", "", "openai/gsm8k"], table.err
    assert "not here" in table.out
    done = bench_runner("data", "fetch", "human_evil", env=env)
    assert done.code == 2
    assert "no data set belongs to 'human_evil'" in done.err


def test_a_signal_while_the_hub_does_not_answer_ends_the_command_and_its_program(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        env = {
            "HF_ENDPOINT": f"http://127.0.0.1:{silent.getsockname()[1]}",
            "HF_HOME": str(tmp_path),
            "XDG_CONFIG_HOME": str(tmp_path),
            "XDG_DATA_HOME": str(tmp_path),
            "no_proxy": "127.0.0.1",
        }
        done = signalled(signal.SIGTERM, "data", "fetch", "gsm8k", env=env,
                         when=lambda _: select.select([silent], [], [], 0)[0])  # fmt: skip
    assert (done.code, "Traceback" in done.err) == (143, False), done.err
