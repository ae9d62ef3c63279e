"""Builds are put in order by what they say of themselves, else by their paths as a person reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from choosing.builds import Build, find_builds, order_builds
from results.errors import UsageError


def ordered(*builds: tuple[str, str]):
    found = order_builds([Build(path=Path(path), version=version) for path, version in builds])
    return [str(build.path) for build in found.builds], found.by


def test_by_the_count_of_commits():
    llama = [("/c", "10234 (5a2bc)"), ("/a", "9876 (b11)"), ("/b", "0.6.0-dev (build 11434, commit 1f)")]
    assert ordered(*llama) == (["/a", "/c", "/b"], "their versions")


def test_by_version_and_a_candidate_before_its_release():
    vllm = [("/x", "0.11.0"), ("/y", "0.10.2"), ("/z", "0.11.0rc2.dev3+g1a2b3c")]
    assert ordered(*vllm)[0] == ["/y", "/z", "/x"]


@pytest.mark.parametrize("unknown", ["", "0.6.0 (build 11434)", "0.0.0 (build 0, commit unknown)"])
def test_by_paths_with_numbers_as_numbers_where_versions_do_not_tell(unknown):
    names, by = ordered(("/b10/s", "1.2.3"), ("/b9/s", unknown), ("/b100/s", "1.2.3"))
    assert names == ["/b9/s", "/b10/s", "/b100/s"]
    assert "paths" in by


def test_builds_of_one_version_are_in_the_order_of_their_paths():
    names, by = ordered(("/b10", "7 (x)"), ("/b9", "7 (x)"), ("/b1", "6 (x)"))
    assert names == ["/b1", "/b9", "/b10"]
    assert "where these are the same" in by


@pytest.fixture
def programs(tmp_path):
    for number in (9, 10):
        path = tmp_path / f"b{number}" / "llama-server"
        path.parent.mkdir()
        path.write_text(f"#!/bin/sh\necho 'version: {number} (abc)' >&2\n")
        path.chmod(0o700)
    (tmp_path / "b8").mkdir()
    (tmp_path / "b8" / "llama-server").write_text("cannot be executed")
    (tmp_path / "b7").symlink_to("b9")
    return tmp_path


def test_programs_are_found_by_a_pattern_each_once(programs):
    found = find_builds([str(programs / "b*" / "llama-server"), str(programs / "b10" / "*")], "llama.cpp")
    assert [build.version for build in found.builds] == ["9 (abc)", "10 (abc)"]


@pytest.mark.parametrize("pattern", ["none*", "b8/*", "b9/llama-server"])
def test_less_than_two_programs_are_refused(programs, pattern):
    with pytest.raises(UsageError, match="--binaries") as error:
        find_builds([str(programs / pattern)], "llama.cpp")
    assert error.value.hint
