"""What machines write and say is read and kept only up to a size."""

from __future__ import annotations

import os
import queue
import resource
import sys

import pytest

from engines.contract import MOST_SAID, EndKind, UnitEnd
from engines.node import messages
from engines.node.attempt_files import END, NODE, read_end, read_node
from engines.ssh.connection import Came, Connection, Gone
from engines.ssh.settings import Settings, read_places
from processes.readable import readable
from tests.command_line import PROGRAMS


@pytest.mark.parametrize(("name", "read"), [(END, read_end), (NODE, read_node)])
def test_a_huge_file_of_a_machine_is_taken_for_none(name, read, tmp_path):
    """A terabyte would end the coordinator by its size."""
    with (tmp_path / name).open("wb") as file:
        file.truncate(1 << 40)
    assert read(tmp_path) is None


def test_long_reasons_are_cut_for_every_engine():
    end = UnitEnd(attempt=None, kind=EndKind.LOST, why="w" * 10_000, hint="short")
    assert len(end.why) == MOST_SAID
    assert end.why.endswith("w…")
    assert end.hint == "short"


@pytest.fixture
def connected():
    """How to connect to a machine whose host program is a stand-in; it gives its events."""
    made = []

    def connect(how):
        events = queue.SimpleQueue()
        settings = Settings(
            hosts="a", ssh=f"{sys.executable} {PROGRAMS / 'hostile_host.py'} '{how}'", silence_s=30
        )
        (place,) = read_places(settings)
        connection = Connection(place, settings, lambda _, event: events.put(event))
        made.append(connection)
        assert isinstance(events.get(timeout=60).message, messages.Ready)
        return connection, events

    yield connect
    for each in made:
        each.close()
        each.wait(5.0)


def start(connection, folder):
    connection.receive("s/u/1", folder)
    connection.send(messages.Start(attempt="s/u/1", cards=(), models=()))


def test_words_that_nobody_waits_for_are_left_out(connected, tmp_path):
    """A machine that repeats them could fill this one's memory."""
    connection, events = connected("unasked")
    asked = connection.ask_model(
        messages.WantModel(sha256="0" * 64, path="/m", name="m", is_folder=False, files=())
    )
    assert asked.folder == "/"
    start(connection, tmp_path)
    assert isinstance(events.get(timeout=60).message, messages.Ended)
    connection.send(messages.EndOthers(attempts=("s/u/0",), grace_s=1.0))
    assert isinstance(events.get(timeout=60).message, messages.OthersEnded)
    assert connection._answers["0" * 64].qsize() <= 4
    assert events.empty()


def test_a_connection_works_with_descriptors_above_1023(connected):
    """A coordinator of many machines has them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 1500:
        pytest.skip("this machine has no descriptors above 1023")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1500), hard))
    held = []
    try:
        while not held or held[-1] < 1024:
            held.append(os.open(os.devnull, os.O_RDONLY))
        connected("nothing")
    finally:
        for each in held:
            os.close(each)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_what_has_ended_counts_as_readable():
    reading, writing = os.pipe()
    try:
        assert not readable([reading], 0.0)
        os.close(writing)
        assert readable([reading], 60.0) == {reading}
    finally:
        os.close(reading)


@pytest.mark.parametrize(("how", "is_forbidden"), [("above", True), ("escapes", False)])
def test_a_machine_that_sent_what_is_forbidden_is_told_from_one_in_trouble(
    connected, how, is_forbidden, tmp_path
):
    connection, events = connected(how)
    start(connection, tmp_path)
    while not isinstance(event := events.get(timeout=60), Gone):
        assert not isinstance(event, Came)
    assert event.is_forbidden is is_forbidden
