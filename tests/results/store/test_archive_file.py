"""An archive holds what a colleague needs and no secret; a bad one is refused as a whole, and nothing is written."""

from __future__ import annotations

import io
import json
import stat
import zipfile

import pytest

from results.errors import NewerRecord, ResultsError
from results.store.archive_file import unpack, write_archive
from results.store.merging import merge
from results.store.run_folder import all_folders
from tests.results.recorded_runs import F, P, record_run

PAGES = {"README.txt": "read me", "report.html": "<p>", "report.md": "#"}


@pytest.fixture
def archive(tmp_path):
    """An archive of two runs."""
    runs = [record_run(tmp_path / "r", outcomes) for outcomes in ([P, F], [F, F])]
    (runs[0].path / "server.log").write_text("private")
    write_archive(tmp_path / "a.zip", runs, PAGES, created="now", harness="1")
    return tmp_path / "a.zip"


def changed(archive, change):
    """The archive again, after `change` of its files' contents by name."""
    with zipfile.ZipFile(archive) as packed:
        files = {name: packed.read(name) for name in packed.namelist()}
    change(files)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    return archive


def refused(archive, tmp_path, said, error=ResultsError):
    """It is refused for that reason, and the folder stays without runs and leftovers."""
    with pytest.raises(error, match=said):
        merge(tmp_path / "into", [archive], warn=pytest.fail)
    assert all_folders(tmp_path / "into") == ()
    assert [*(tmp_path / "into" / ".merging").iterdir()] == []


def test_it_opens_as_a_zip_and_has_no_logs(archive):
    with zipfile.ZipFile(archive) as packed:
        names = {name.rpartition("/")[2] for name in packed.namelist()}
        assert packed.testzip() is None
    assert names == {*PAGES, "archive.json", "run.json", "completions.jsonl", "settings.json"}


def test_it_unpacks_to_the_same_bytes(archive, tmp_path):
    (tmp_path / "to").mkdir()
    unpack(archive, tmp_path / "to")
    for run in all_folders(tmp_path / "r"):
        for name in ("run.json", "completions.jsonl", "settings.json"):
            assert (tmp_path / "to" / run.run_id / name).read_bytes() == (run.path / name).read_bytes()


def test_no_secret_travels(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", 'very"secret-key')
    monkeypatch.setenv("HF_TOKEN", "short")
    token = "hf_" + "a1" * 20
    run = record_run(tmp_path / "r", config={"path": "short", "server_args": ['very"secret-key', token]})
    run.completions.write_text(
        run.completions.read_text() + json.dumps({"answer": 'very"secret-key', "hf": token})
    )
    pages = {**PAGES, "report.html": 'very"secret-key'}
    assert write_archive(tmp_path / "a.zip", [run], pages, created="", harness="") == 4
    with zipfile.ZipFile(tmp_path / "a.zip") as packed:
        everything = b"".join(map(packed.read, packed.namelist()))
        record = packed.read(f"runs/{run.run_id}/run.json")
    assert b"secret-key" not in everything
    assert token.encode() not in record
    assert token.encode() in everything  # in an answer it is the model's invention
    assert json.loads(record)["config"] == {"path": "short", "server_args": ["***", "***"]}


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(archive, tmp_path, part):
    data = archive.read_bytes()
    archive.write_bytes(data[: int(len(data) * part)])
    refused(archive, tmp_path, "damaged, or is not an archive")


def test_any_damaged_byte_in_a_run_is_found(archive, tmp_path):
    data = bytearray(archive.read_bytes())
    place = data.index(b"completions.jsonl") + 40
    data[place] ^= 0xFF
    archive.write_bytes(data)
    refused(archive, tmp_path, "damaged")


def test_what_is_not_as_it_was_packed_is_refused(archive, tmp_path):
    def forge(files):
        name = next(name for name in files if name.endswith("run.json"))
        files[name] = files[name].replace(b"50.0", b"99.0")

    refused(changed(archive, forge), tmp_path, "run.json is not as it was packed")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("../../evil.json", "unsafe: .* written elsewhere"),
        ("/etc/evil", "unsafe: .* written elsewhere"),
        ("runs/../evil", "unsafe: .* written elsewhere"),
        ("runs\\..\\evil", "unsafe: .* written elsewhere"),
        ("more.txt", "not those that it lists, such as more.txt"),
    ],
)
def test_a_file_that_does_not_belong_is_refused(archive, tmp_path, name, said):
    refused(changed(archive, lambda files: files.update({name: b"x"})), tmp_path, said)
    assert not (tmp_path / "evil.json").exists()


@pytest.mark.parametrize("name", ["runs/20260101T000000Z-a-b-0000/evil.sh", "runs/no-id/run.json", "evil.sh"])
def test_a_file_that_is_listed_but_is_none_of_ours_is_refused(archive, tmp_path, name):
    def add(files):
        listed = json.loads(files["archive.json"])
        listed["files"].append({"path": name, "sha256": "0" * 64, "size_bytes": 1})
        files.update({name: b"x", "archive.json": json.dumps(listed).encode()})

    refused(changed(archive, add), tmp_path, "has a file that no archive has")


def test_links_duplicates_and_bombs_are_refused(archive, tmp_path):
    link = zipfile.ZipInfo("report.html")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(archive, "a") as packed, pytest.warns(UserWarning, match="Duplicate"):
        packed.writestr(link, "/etc/passwd")
    refused(archive, tmp_path, "two files of one name")
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr(link, "/etc/passwd")
    refused(archive, tmp_path, "is a link")
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("archive.json", bytes(100 << 20))
    refused(archive, tmp_path, "would become 104,857,600")


def test_a_size_that_is_a_lie_is_not_believed(archive, tmp_path):
    """The header says little, the data are long: no more is read than it says."""
    data = bytearray(archive.read_bytes())
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        large = next(member for member in packed.infolist() if member.filename.endswith("completions.jsonl"))
    for signature, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        place = (
            data.index(large.filename.encode())
            if signature == b"PK\x03\x04"
            else data.rindex(large.filename.encode())
        )
        start = data.rindex(signature, 0, place)
        data[start + at : start + at + 4] = (1).to_bytes(4, "little")
    archive.write_bytes(data)
    refused(archive, tmp_path, "damaged")


def test_a_newer_archive_or_record_says_so(archive, tmp_path):
    def newer(files):
        files["archive.json"] = files["archive.json"].replace(b'"schema_version": 1', b'"schema_version": 2')

    refused(changed(archive, newer), tmp_path, "newer bench_runner", NewerRecord)


def test_another_zip_and_another_file_are_no_archive(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as packed:
        packed.writestr("a.txt", "b")
    refused(tmp_path / "x.zip", tmp_path, "has no archive.json")
    (tmp_path / "y.zip").write_text("no zip")
    refused(tmp_path / "y.zip", tmp_path, "damaged, or is not an archive")
