"""A server by the user's own command line, and one that already runs: what it is asked, told and given."""

from __future__ import annotations

from pathlib import Path

import pytest

from results.errors import ServerNotReady, UsageError
from servers.models import resolve
from servers.ports import free_port
from servers.supervisor import launch
from tests.servers.gguf_file import gguf
from tests.servers.launches import made

pytestmark = pytest.mark.usefixtures("bare")


def test_a_command_gets_its_values_and_nothing_of_a_shell(model, tmp_path):
    one = made(
        model,
        "--extra",
        kind="command",
        port=free_port(),
        command="'a b' -m {model} --n={name} $HOME {host}:{port} *",
    )
    port = str(one.base_url.port)
    expected = (
        "a b",
        "-m",
        "my, model.gguf",
        "--n=my_model-ab12",
        "$HOME",
        f"127.0.0.1:{port}",
        "*",
        "--extra",
    )
    assert one.argv == expected
    assert one.model_name == "my_model-ab12"
    assert made(model, kind="command", command="x {port}").model_name is None


def test_a_model_s_file_never_becomes_an_option_of_a_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("-x.gguf").write_bytes(gguf())
    one = made(resolve("./-x.gguf"), kind="command", command="serve {model} --model={model} {port}")
    assert one.argv[1:3] == ("./-x.gguf", "--model=./-x.gguf")


@pytest.mark.parametrize(
    ("command", "words", "hint"),
    [
        (None, "needs --server-command", "{port}"),
        ("", "needs --server-command", "{port}"),
        ("  ", "is empty", "{port}"),
        ("serve 'x {port}", "No closing quotation", "quotation marks"),
        ("serve {prot} {modle}", "unknown placeholder {modle}", "{host}, {model}, {name}, {port}"),
        ("serve {model}", "has no {port}", "--port"),
    ],
)
def test_a_command_that_can_not_work_is_told(model, command, words, hint):
    with pytest.raises(UsageError) as caught:
        made(model, kind="command", command=command)
    assert words in caught.value.message
    assert hint in caught.value.hint


def test_each_kind_of_server_sees_the_keys_that_it_needs(model, tmp_path):
    binary = tmp_path / "llama-server"
    binary.write_text("#!/bin/sh\n")
    binary.chmod(0o755)
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf" / "config.json").write_text("{}")
    assert made(model, server_binary=str(binary)).own_keys == {"LLAMA_API_KEY", "HF_TOKEN"}
    vllm = made(resolve(str(tmp_path / "hf")), kind="vllm", server_binary=str(binary))
    assert vllm.own_keys == {"VLLM_API_KEY", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"}
    named = made(model, kind="command", command="sh -c 'serve --key $MY_KEY {port}'")
    assert "MY_KEY" in named.own_keys
    assert not {"HF_TOKEN", "OPENAI_API_KEY"} & named.own_keys


def test_a_running_server_is_asked_what_it_serves(fake_plan, log):
    with launch(fake_plan("--model-name", "fake"), log_path=log, ready_timeout_s=20) as server:
        url = server.plan.base_url.url
        one = made(None, kind="attach", base_url=f"{url}/v1/", parallel=2)
        assert (one.kind, one.argv, one.base_url.url, one.model_name) == ("attach", (), url, "fake")
        assert one.asked == {"parallel": 2}
        with launch(one, log_path=log, ready_timeout_s=5) as attached:
            assert attached.process is None
        assert server.poll() is None  # stopping an attached one stops nothing
        with pytest.raises(UsageError, match=r"does not list the model 'other'") as caught:
            made(None, kind="attach", base_url=url, model_name="other")
        assert caught.value.hint == "it offers fake"
        with pytest.raises(UsageError, match="arguments can't be passed"):
            made(None, "-t", "1", kind="attach", base_url=url)


def test_attaching_to_nothing_is_told():
    with pytest.raises(ServerNotReady, match="no server answers at"):
        made(None, kind="attach", base_url=f"127.0.0.1:{free_port()}")


@pytest.mark.parametrize(
    "url",
    [None, "", "/", "ftp://x", "http://", "http://:80", "http://x:0", "http://x:99999", "http://x:y", "http://[::1",
     "http://..:80", "http://a b/", "http://a\0b/", "http://" + "a" * 70, "http://user:secret@x", "http://x/?a=b"],
)  # fmt: skip
def test_an_address_that_is_none_is_told(url):
    with pytest.raises(UsageError, match="--base-url") as caught:
        made(None, kind="attach", base_url=url)
    assert "secret" not in caught.value.message
    assert caught.value.hint
