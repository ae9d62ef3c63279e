"""A data set of the Hub is fetched once, pinned, checked at each use, and needs no network afterwards."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from tests.command_line import ROOT, bench_runner
from tests.evaluation.running_servers import asked_of, data_hub

BRANCH = "refs%2Fconvert%2Fparquet"
PARQUET, LINES = "nyu/parts/{}/cola/validation/{}.parquet", "some/lines/main/test.jsonl"
PARTS = {"repository": "nyu/parts", "config": "cola", "split": "validation"}
FETCH = """
import json, sys
from evaluation.data.files import read_rows
from evaluation.data.hub import fetch_data
from evaluation.data.hub_data import HubData
from results.errors import BenchError
for asked in json.loads(sys.argv[1]):
    asked["files"] = tuple(asked.get("files", ()))
    try:
        found = fetch_data(HubData(**asked))
        rows = [row.data for path in found.paths for row in read_rows(path, header=True)]
        print(json.dumps({"rows": rows, "paths": [str(path) for path in found.paths], "sha256": found.sha256,
                          "commit": found.commit}))
    except BenchError as error:
        print(json.dumps({"error": error.message, "hint": error.hint, "code": error.exit_code}))
"""


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
def user(tmp_path):
    """A user's folders, empty."""
    names = {"HF_HOME": "hf", "XDG_CONFIG_HOME": "config", "XDG_DATA_HOME": "data"}
    return {"no_proxy": "127.0.0.1", **{name: str(tmp_path / folder) for name, folder in names.items()}}


def fetch(*asked, env):
    """What becomes of each, in a process of its own: huggingface_hub reads the environment when it is imported."""
    done = subprocess.run(
        [sys.executable, "-c", FETCH, json.dumps(asked)],
        env={**os.environ, **env}, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_split_is_fetched_once_and_then_needs_no_network(hub, user, tmp_path):
    lines = {"repository": "some/lines", "files": ["test.jsonl"]}
    csv = {"repository": "some/lines", "files": ["test.csv"]}
    both = fetch(*[PARTS, lines, csv] * 2, env={**user, "HF_ENDPOINT": hub})
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
    assert fetch(PARTS, lines, csv, env={**user, "HF_HUB_OFFLINE": "1"}) == first
    pins = [json.loads(path.read_text()) for path in (tmp_path / "config").rglob("*.json")]
    assert sorted(pin["commit"] for pin in pins) == sorted(found["commit"] for found in first)
    assert {file["name"] for pin in pins for file in pin["files"]} == {
        "cola/validation/0000.parquet", "cola/validation/0001.parquet", "test.jsonl", "test.csv",
    }  # fmt: skip


def test_a_changed_file_is_refused_and_a_deleted_one_is_fetched_again(hub, user):
    env = {**user, "HF_ENDPOINT": hub}
    first = fetch(PARTS, env=env)
    path = Path(first[0]["paths"][1])
    path.unlink()
    assert fetch(PARTS, env=env) == first
    path.unlink()
    write_parquet(path, "tampered")
    (changed,) = fetch(PARTS, env={**env, "HF_HUB_OFFLINE": "1"})
    assert f"{path} has changed since nyu/parts was first used" in changed["error"]
    assert "--renew" in changed["hint"]


def test_what_the_hub_changes_later_is_not_taken_unless_asked_for(hub, user, repositories):
    env = {**user, "HF_ENDPOINT": hub}
    file = repositories / "openai/gsm8k/main/main/test-00000-of-00001.parquet"
    write_parquet(file, "old")
    old = bench_runner("data", "fetch", "gsm8k", "--json", env=env)
    write_parquet(file, "new")
    again = bench_runner("data", "fetch", "gsm8k", "--json", env=env)
    assert again.out == old.out != ""
    new = bench_runner("data", "fetch", "gsm8k", "--renew", "--json", env=env)
    assert json.loads(new.out)["commit"] != json.loads(old.out)["commit"], new.err
    table = bench_runner("data", "list", "gsm8k", "mmlu", env=env).out.splitlines()
    assert json.loads(new.out)["commit"][:12] in table[1]
    assert "not here" in table[2]


def test_without_a_network_the_error_names_the_file_and_its_place_and_a_file_put_there_is_used(
    user, repositories
):
    offline = {**user, "HF_HUB_OFFLINE": "1"}
    (missing,) = fetch(PARTS, env=offline)
    assert "nyu/parts (config cola, split validation) could not be fetched" in missing["error"]
    address = "https://huggingface.co/datasets/nyu/parts/resolve/refs%2Fconvert%2Fparquet/cola/validation/0000.parquet"
    place = f"{user['XDG_DATA_HOME']}/bench_runner/data/nyu/parts/cola/validation/0000.parquet"
    assert address in missing["hint"]
    assert place in missing["hint"]
    Path(place).parent.mkdir(parents=True)
    shutil.copy(repositories / PARQUET.format(BRANCH, "0000"), place)
    (found,) = fetch(PARTS, env=offline)
    assert (found["rows"], found["paths"]) == ([{"text": "first"}], [place])
    write_parquet(repositories / PARQUET.format(BRANCH, "0000"), "other")
    shutil.copy(repositories / PARQUET.format(BRANCH, "0000"), place)
    assert "has changed" in fetch(PARTS, env=offline)[0]["error"]


def test_a_file_of_json_lines_put_there_by_hand_needs_no_reader_of_parquet(user):
    place = f"{user['XDG_DATA_HOME']}/bench_runner/data/nyu/parts/cola/validation.jsonl"
    Path(place).parent.mkdir(parents=True)
    Path(place).write_text('{"text": "mine"}\n')
    assert fetch(PARTS, env={**user, "HF_HUB_OFFLINE": "1"})[0]["rows"] == [{"text": "mine"}]


def test_what_the_hub_lacks_and_a_wrong_hash_are_told(hub, user):
    wrong = [
        {"repository": "nobody/none", "split": "test"},
        {"repository": "some/lines", "split": "test"},
        {**PARTS, "split": "test"},
        {"repository": "some/lines", "files": ["gone.jsonl"]},
        {"repository": "some/lines", "files": ["test.jsonl"], "sha256": "0" * 64},
    ]
    found = fetch(*wrong, env={**user, "HF_ENDPOINT": hub})
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


def test_the_data_of_suites_is_listed_and_fetched_by_task(hub, user, repositories, tmp_path):
    write_parquet(repositories / "nyu/parts" / BRANCH / "cola/test/0000.parquet", "asked")
    suite = tmp_path / "mine.yaml"
    suite.write_text(
        "{name: mine, version: 1, about: A suite, licence: none, prompt: '{{text}}',"
        " answer: {kind: span, correct: text},"
        " data: {hub: nyu/parts, config: cola, split: test}, few_shot: {split: train}}"
    )
    done = bench_runner("data", "fetch", suite, "--json", env={**user, "HF_ENDPOINT": hub})
    found = [json.loads(line) for line in done.out.splitlines()]
    assert [(each["split"], each["here"]) for each in found] == [("test", True), ("train", True)], done.err
    listed = bench_runner("data", "list", "glue", "--json", env=user).out.splitlines()
    assert [json.loads(line)["task"] for line in listed][:2] == ["cola", "sst2"]
    assert not any(json.loads(line)["here"] for line in listed)


def test_a_data_set_that_was_not_converted_is_taken_as_it_was_published(hub, user, repositories):
    for name in ("parts/main/data/test-00000-of-00002", "parts/main/data/test-00001-of-00002"):
        write_parquet(repositories / f"other/{name}.parquet", name[-10])
    write_parquet(repositories / "other/parts/main/data/train-00000-of-00001.parquet", "train")
    asked = {"repository": "other/parts", "split": "test"}
    (found,) = fetch(asked, env={**user, "HF_ENDPOINT": hub})
    assert [row["text"] for row in found["rows"]] == ["0", "1"]
    assert fetch(asked, env={**user, "HF_HUB_OFFLINE": "1"}) == [found]
    (revision,) = fetch({**asked, "revision": found["commit"]}, env={**user, "HF_ENDPOINT": hub})
    assert revision == found
    (gone,) = fetch({**asked, "revision": "f" * 40}, env={**user, "HF_ENDPOINT": hub})
    assert f"other/parts has no revision {'f' * 40}" in gone["error"]


def test_names_that_have_no_data_are_refused():
    done = bench_runner("data", "fetch", "human_evil")
    assert done.code == 2
    assert "no data set belongs to 'human_evil'" in done.err
