"""hosts.yaml: every mistake by its line, and no address that `ssh` could take for an option."""

from __future__ import annotations

import sys

import msgspec
import pytest

from engines.ssh.settings import FIELDS, Settings, read_places
from results.errors import UsageError


def hosts_file(tmp_path, text):
    path = tmp_path / "hosts.yaml"
    path.write_text(text)
    return Settings(hosts=str(path), models=("/data",), workdir="/scratch")


def told(settings):
    with pytest.raises(UsageError) as caught:
        read_places(settings)
    return caught.value.message


def test_a_host_takes_from_the_settings_what_it_leaves_open(tmp_path):
    text = (
        "hosts:\n- address: gpu1\n- address: me@gpu2\n  gpus: 2\n  workdir: /w\n  python: /p\n  models: []\n"
    )
    first, second = read_places(hosts_file(tmp_path, text))
    assert (first.workdir, first.models, first.gpus, first.python) == (
        "/scratch",
        ("/data",),
        None,
        sys.executable,
    )
    assert (second.workdir, second.models, second.gpus, second.python) == ("/w", (), 2, "/p")


def test_names_are_enough():
    assert [place.address for place in read_places(Settings(hosts="a, me@b.example"))] == [
        "a",
        "me@b.example",
    ]


@pytest.mark.parametrize(
    "address", ["-oProxyCommand=touch /tmp/x", "a b", "a;b", "$(a)", "a\nb", "a\n", "'a'", "", "-"]
)
def test_what_could_be_an_option_or_a_command_is_no_address(address, tmp_path):
    """An address goes onto the command line of ssh."""
    text = msgspec.json.encode({"hosts": [{"address": address}]}).decode()
    assert "hosts[0].address" in told(hosts_file(tmp_path, text))
    if address == address.strip():
        assert "is not the address" in told(Settings(hosts=address + ","))


def test_every_mistake_is_told_with_its_line(tmp_path):
    text = "hosts:\n- address: a\n  gpu: 2\n- address: b\n  gpus: -1\n- workdir: /w\n"
    message = told(hosts_file(tmp_path, text))
    for part in (
        ":3: hosts[0].gpu: is not a field of the format; did you mean gpus?",
        ":5: hosts[1].gpus",
        ":6: hosts[2].address: is missing",
    ):
        assert part in message, message


@pytest.mark.parametrize(
    ("text", "what"), [("hosts: []", "is empty"), ("hosts: [{address: a}, {address: a}]", "twice")]
)
def test_no_host_and_a_host_twice_are_mistakes(text, what, tmp_path):
    assert what in told(hosts_file(tmp_path, text))


def test_each_field_is_described():
    assert set(FIELDS) == {field.name for field in msgspec.structs.fields(Settings)}
