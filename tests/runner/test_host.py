"""Which commit of the program a run was made with."""

import subprocess

import pytest

from runner.host import COMMIT_VARIABLE, commit_of


@pytest.fixture
def git(tmp_path):
    def git(*words: str) -> str:
        named = ("-c", "user.name=A", "-c", "user.email=a@example.com")
        done = subprocess.run(
            ["git", "-C", tmp_path, *named, *words], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    return git


@pytest.fixture
def checkout(tmp_path, git):
    """With one commit, and a file that is none of it."""
    git("init", "-q")
    assert commit_of(tmp_path) is None
    (tmp_path / "a file").write_text("one")
    git("add", "a file")
    git("commit", "-q", "-m", "one")
    (tmp_path / "another").write_text("two")
    return tmp_path


def test_it_is_told_of_a_checkout_as_it_was_committed(checkout, git):
    assert commit_of(checkout) == git("rev-parse", "HEAD")


def test_changes_are_told(checkout, git):
    (checkout / "a file").write_text("changed")
    assert commit_of(checkout) == f"{git('rev-parse', 'HEAD')}-dirty"


def test_a_copy_without_a_repository_is_what_it_was_made_of(tmp_path, monkeypatch):
    monkeypatch.delenv(COMMIT_VARIABLE, raising=False)
    assert commit_of(tmp_path) is None
    monkeypatch.setenv(COMMIT_VARIABLE, "abc")
    assert commit_of(tmp_path) == "abc"
    (tmp_path / ".git").write_text("no repository")
    assert commit_of(tmp_path) is None
