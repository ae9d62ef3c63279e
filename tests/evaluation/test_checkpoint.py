"""No finished completion is lost, and nothing of other settings is mixed in."""

from __future__ import annotations

import asyncio
import os
import threading

import msgspec
import pytest

from evaluation.loop.checkpoint import Journal, Settings, check_settings, read_settings
from evaluation.models.sampling import Sampling
from results.errors import NewerRecord, ResultsError
from results.records import Completion, Outcome

SETTINGS = Settings(
    benchmark="human_eval",
    model="m",
    data_sha256="d",
    prompts_sha256="p",
    prompt_style="chat",
    stop=(),
    temperature=0.0,
    max_tokens=10,
    seed=0,
    timeout_s=3.0,
    limit=10,
    n_samples=1,
)


def completion(number, outcome=Outcome.FAILED):
    return Completion(task_id=f"t/{number}", outcome=outcome, answer="ä\n\r\u2028")


def write(folder, *completions):
    async def main():
        async with Journal(folder) as journal:
            journal.open()
            await asyncio.gather(*map(journal.add, completions))

    asyncio.run(main())


def read(folder):
    journal = Journal(folder)
    try:
        return journal.open()
    finally:
        journal.close()


def test_what_was_added_is_there(tmp_path):
    many = [completion(i) for i in range(50)]
    write(tmp_path / "new" / "folder", *many)
    assert list(read(tmp_path / "new" / "folder").values()) == many


def test_a_line_is_in_the_file_when_it_counts_as_done(tmp_path):
    async def main():
        async with Journal(tmp_path) as journal:
            journal.open()
            for i in range(3):
                await journal.add(completion(i))
                assert journal.path.read_bytes().count(b"\n") == i + 1

    asyncio.run(main())


def test_a_line_is_written_also_when_nobody_waits_for_it_any_more(tmp_path):
    async def main():
        async with Journal(tmp_path) as journal:
            journal.open()
            adding = [asyncio.create_task(journal.add(completion(i))) for i in range(20)]
            await asyncio.sleep(0)
            for each in adding:
                each.cancel()
            await asyncio.gather(*adding, return_exceptions=True)

    asyncio.run(main())
    assert len(read(tmp_path)) == 20


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_torn_tail_is_cut_off_and_the_journal_goes_on(tmp_path, cut):
    write(tmp_path, completion(0), completion(1))
    path = tmp_path / "completions.jsonl"
    os.truncate(path, path.stat().st_size - cut)
    assert list(read(tmp_path)) == [("t/0", 0)]
    write(tmp_path, completion(1))
    assert list(read(tmp_path)) == [("t/0", 0), ("t/1", 0)]


def test_a_hole_of_zeros_after_a_power_cut_loses_only_what_it_covers(tmp_path):
    write(tmp_path, completion(0), completion(1), completion(2))
    path = tmp_path / "completions.jsonl"
    first, second, third = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + bytes(len(second) - 1) + b"\n" + third)
    assert list(read(tmp_path)) == [("t/0", 0), ("t/2", 0)]
    assert path.read_bytes() == first + third


@pytest.mark.parametrize(
    ("said", "count"),
    [
        ("10.0", 10), ("10.5", None), ("-3", None), ("true", None), ('"10"', None), ("[1]", None), ("NaN", None),
        ("1e999", None), ("9" * 40, None), ("9" * 5000, None),
    ],
)  # fmt: skip
def test_a_finished_line_is_never_thrown_away_for_a_bad_count(tmp_path, said, count):
    """Protects what older versions, or other programs, wrote there."""
    line = (
        f'{{"task_id":"t/0","outcome":"failed","answer":"x","prompt_tokens":{said},"completion_tokens":{said},'
        f'"request_s":{said},"attempts":{said}}}\n'
    )
    (tmp_path / "completions.jsonl").write_text(line)
    (found,) = read(tmp_path).values()
    assert (found.prompt_tokens, found.completion_tokens, found.answer) == (count, count, "x")
    assert found.attempts == (count or 1)
    assert (tmp_path / "completions.jsonl").read_text() == line


def test_a_line_without_an_outcome_is_none(tmp_path):
    (tmp_path / "completions.jsonl").write_text(
        '{"task_id":"t/0"}\n[1]\n{"task_id":"t/1","outcome":"NaN"}\nNaN\n'
    )
    assert read(tmp_path) == {}


def test_infrastructure_errors_are_forgotten_and_so_tried_again(tmp_path):
    write(tmp_path, completion(0), completion(1, Outcome.INFRASTRUCTURE_ERROR))
    assert list(read(tmp_path)) == [("t/0", 0)]


def test_a_writer_that_is_about_to_end_is_waited_for(tmp_path):
    """The script of a killed harness lives on for a moment; who resumes at once should not fail for that."""
    journal = Journal(tmp_path)
    journal.open()
    ending = threading.Timer(0.3, journal.close)
    ending.start()
    assert read(tmp_path) == {}
    ending.join()


def test_two_writers_to_one_folder_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("evaluation.loop.journal.LAST_WRITER_S", 0.1)
    journal = Journal(tmp_path)
    journal.open()
    try:
        with pytest.raises(ResultsError, match="another process"):
            read(tmp_path)
    finally:
        journal.close()


def test_a_full_disk_is_a_clear_error(tmp_path):
    async def main():
        async with Journal(tmp_path) as journal:
            journal.open()
            full = os.open("/dev/full", os.O_WRONLY)
            os.dup2(full, journal._descriptor)
            os.close(full)
            await journal.add(completion(0))

    with pytest.raises(ResultsError, match=r"completions\.jsonl: No space left") as error:
        asyncio.run(main())
    assert "free some space" in error.value.hint


def test_a_journal_that_gets_no_thread_says_so_and_is_free_again(tmp_path, monkeypatch):
    """As under a batch system's limit of threads."""

    def refused(_thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as limited:
        limited.setattr(threading.Thread, "start", refused)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            write(tmp_path, completion(1))
    write(tmp_path, completion(2))
    assert list(read(tmp_path).values()) == [completion(2)]


def test_settings_come_back(tmp_path):
    assert read_settings(tmp_path) is None
    Journal(tmp_path).bind(SETTINGS)
    assert read_settings(tmp_path) == SETTINGS


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("model", "other"),
        ("temperature", 0.2),
        ("max_tokens", 11),
        ("seed", 1),
        ("prompt_style", "completion"),
        ("data_sha256", "e"),
        ("prompts_sha256", "q"),
        ("timeout_s", 4.0),
        ("memory_limit_bytes", 512 << 20),
        ("limit", 9),
        ("benchmark", "lcb"),
    ],
)
def test_a_change_of_what_determines_results_is_refused_by_name(tmp_path, name, value):
    with pytest.raises(ResultsError, match=rf"{name} was .* and is now .*{value}") as refusal:
        check_settings(SETTINGS, msgspec.structs.replace(SETTINGS, **{name: value}), tmp_path)
    assert refusal.value.exit_code == 6


@pytest.mark.parametrize("name", Sampling().settings())
def test_completions_are_bound_to_every_setting_of_a_request(tmp_path, name):
    """Whatever a request can be asked for is declared once, so that none is forgotten here."""
    with pytest.raises(ResultsError, match=rf"{name} was .* and is now 'other'"):
        check_settings(SETTINGS, msgspec.structs.replace(SETTINGS, **{name: "other"}), tmp_path)


def test_settings_from_before_there_was_a_memory_limit_are_those_of_the_default(tmp_path):
    old = {
        name: value
        for name, value in msgspec.structs.asdict(SETTINGS).items()
        if name != "memory_limit_bytes"
    }
    (tmp_path / "settings.json").write_bytes(msgspec.json.encode(old))
    check_settings(read_settings(tmp_path), SETTINGS, tmp_path)


def test_more_samples_and_more_completions_are_no_change(tmp_path):
    check_settings(SETTINGS, msgspec.structs.replace(SETTINGS, limit=164, n_samples=5), tmp_path)


def test_settings_of_a_newer_version_are_a_clear_error(tmp_path):
    Journal(tmp_path).bind(msgspec.structs.replace(SETTINGS, schema_version=99))
    with pytest.raises(NewerRecord, match="newer"):
        read_settings(tmp_path)
