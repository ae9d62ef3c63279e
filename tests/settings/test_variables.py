"""Variables are filled in as in a shell, and a record can have them as they were written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.errors import UsageError
from settings.variables import as_written, expand, shown, split_words


def test_variables_are_filled_in_as_in_a_shell():
    known = {"A": "one", "EMPTY": ""}
    assert expand("x${A}y${B:-two}${EMPTY:-three}", known) == "xoneytwothree"
    assert expand("$A $${A} ${EMPTY}${B:-}", known) == "$A ${A} "


@pytest.mark.parametrize(
    ("text", "message"),
    [("${NO_SUCH}", "NO_SUCH is not set"), ("${a b}", "is not a variable"), ("${}", "is not a variable")],
)
def test_a_variable_that_is_not_there_is_refused(text, message):
    with pytest.raises(UsageError, match=message):
        expand(text, {})


def test_only_what_was_filled_in_is_written_back():
    """A value that stands elsewhere by chance stays: with THREADS=4, `-c 16384` is no `-c 1638${THREADS}`."""
    words = [expand(word, {"THREADS": "4"}) for word in ("-t", "${THREADS}", "-c", "16384")]
    assert words == ["-t", "4", "-c", "16384"]
    assert [shown(word) for word in words] == ["-t", "${THREADS}", "-c", "16384"]


def test_a_value_never_makes_two_words(monkeypatch):
    monkeypatch.setenv("KEY", "two words'")
    assert split_words("--key ${KEY} --to '${NAME:-a b}'") == ["--key", "two words'", "--to", "a b"]
    with pytest.raises(UsageError, match="No closing quotation"):
        split_words("'")


@given(st.text(max_size=30) | st.sampled_from(["${A}", "$${A}", "$$${A}", "a${A:-${B}}"]))
def test_what_is_written_back_gives_the_same_again(text):
    """Also a text that only looks like a variable, as the command line of `run` may have one."""
    assert expand(as_written(text), {}) == text
