"""Each kind of server gets the command line that was asked for, and what can't work is told before it starts."""

from __future__ import annotations

import os
import shlex
import socket
import sys
from pathlib import Path

import pytest

from results.errors import UsageError
from servers.llama_cpp import default_parallel, find_binary, kv_bytes_per_token
from servers.models import resolve
from servers.ports import free_port
from servers.supervisor import launch
from tests.servers.gguf_file import U32, gguf
from tests.servers.launches import made, program, value

pytestmark = pytest.mark.usefixtures("bare")


def test_llama_server_gets_its_own_words(tmp_path, model):
    """80 layers are handed on as they are; -c is of all slots together."""
    binary = program(tmp_path / "llama-server")
    port = free_port()
    one = made(model, server_binary=str(binary), gpu_layers=80, ctx_size=1000, parallel=3, port=port)
    assert one.kind == "llama.cpp"
    assert one.argv == (
        *(str(binary), "-m", str(tmp_path / "my, model.gguf"), "--host", "127.0.0.1", "--port", str(port)),
        *("-c", "3000", "-np", "3", "-ngl", "80", "--alias", "my_model-ab12", "--metrics", "--slots"),
    )
    assert one.asked == {"ctx_size": 1000, "parallel": 3, "gpu_layers": 80}
    assert (one.base_url.url, one.health_path) == (f"http://127.0.0.1:{port}", "/health")
    assert one.model_name == "my_model-ab12"


def test_all_layers_are_a_number_that_every_build_understands(model):
    one = made(model, gpu_layers=-1)
    assert value(one.argv, "-ngl") == "999"
    assert one.asked["gpu_layers"] == -1


def test_without_a_llama_server_the_embedded_one_serves_from_any_folder(model):
    one = made(model)
    assert one.kind == "embedded"
    assert one.argv[:3] == (sys.executable, "-P", str(Path(__file__).parents[2] / "servers" / "embedded.py"))
    assert value(one.argv, "-np") == "4"
    assert value(one.argv, "-c") == str(4 * 2048)  # what the model was trained with


def test_extra_arguments_win_and_what_is_asked_follows_them(model):
    one = made(model, "-c", "8192", "--parallel", "2", "--n_gpu_layers", "all", "-v")
    assert one.argv.count("-c") == 1
    assert "-np" not in one.argv
    assert "-ngl" not in one.argv
    assert one.argv[-7:] == ("-c", "8192", "--parallel", "2", "--n_gpu_layers", "all", "-v")
    assert one.asked == {"ctx_size": 4096, "parallel": 2, "gpu_layers": -1}
    assert "ctx_size" not in made(model, "-c", "0").asked  # the model's own


@pytest.mark.parametrize(
    "words",
    [["--port", "1"], ["--host=0.0.0.0"], ["-a", "x"], ["--alias", "x"], ["-m", "x"], ["--model_url", "x"],
     ["-hf", "x"], ["--api_key", "x"], ["--api-key-file", "x"], ["--ssl-key-file", "x"], ["--no-slots"],
     ["-t", "1", "--api-prefix", "/x"]],
    ids=shlex.join,
)  # fmt: skip
def test_options_of_llama_server_that_are_ours_are_refused(model, words):
    with pytest.raises(UsageError, match="can't be passed to the server") as caught:
        made(model, *words)
    assert caught.value.hint


@pytest.mark.parametrize(
    "words",
    [["--port", "1"], ["--host=x"], ["--served_model_name", "x"], ["--model", "x"], ["--api-key=x"]],
    ids=shlex.join,
)
def test_options_of_vllm_that_are_ours_are_refused(tmp_path, hf_folder, words):
    program(tmp_path / "path" / "vllm")
    with pytest.raises(UsageError, match="can't be passed to the server"):
        made(hf_folder, *words, kind="vllm")


def test_what_is_given_twice_is_refused(tmp_path, model, hf_folder):
    """Else the run's record would name one, and the other would be in force."""
    program(tmp_path / "path" / "vllm")
    for fields, words in (
        ({"ctx_size": 512}, ["--ctx_size", "1024"]),
        ({"parallel": 2}, ["-np", "4"]),
        ({"gpu_layers": 1}, ["-ngl", "2"]),
    ):
        with pytest.raises(UsageError, match="given twice"):
            made(model, *words, **fields)
    for fields, words in (
        ({"ctx_size": 512}, ["--max-model-len=1024"]),
        ({"options": {"tensor_parallel_size": 2}}, ["-tp", "4"]),
    ):
        with pytest.raises(UsageError, match="given twice"):
            made(hf_folder, *words, kind="vllm", **fields)


def test_vllm_serves_a_folder_within_what_its_configuration_allows(tmp_path, hf_folder):
    binary = program(tmp_path / "path" / "vllm")
    options = {"gpu_memory_utilization": 0.5, "tensor_parallel_size": 2}
    one = made(hf_folder, "--enforce-eager", kind="vllm", options=options)
    assert one.argv[:3] == (str(binary), "serve", str(tmp_path / "some-model"))
    assert value(one.argv, "--host") == "127.0.0.1"
    assert value(one.argv, "--max-model-len") == "2048"
    assert value(one.argv, "--served-model-name") == one.model_name == "some-model-ab12"
    assert one.argv[-1] == "--enforce-eager"
    expected = {"ctx_size": 2048, "parallel": 32, "gpu_memory_utilization": 0.5, "tensor_parallel_size": 2}
    assert one.asked == expected


@pytest.mark.parametrize(
    ("config", "ctx_size"),
    [
        ('{"text_config": {"max_position_embeddings": 1024}}', 1024),
        ('{"max_position_embeddings": 131072}', 4096),
        ("{", 4096),
        ("[]", 4096),
        ('{"max_position_embeddings": "many"}', 4096),
    ],
)
def test_vllms_default_context(tmp_path, hf_folder, config, ctx_size):
    program(tmp_path / "path" / "vllm")
    (tmp_path / "some-model" / "config.json").write_text(config)
    assert made(hf_folder, kind="vllm").asked["ctx_size"] == ctx_size


def test_vllms_extra_arguments_win_in_each_of_their_forms(tmp_path, hf_folder):
    program(tmp_path / "path" / "vllm")
    one = made(hf_folder, "--max_model_len=1024", "--max-num-seqs", "8", "-tp", "2", kind="vllm")
    assert "--max-model-len" not in one.argv
    assert one.argv.count("--max-num-seqs") == 1
    assert one.asked == {"ctx_size": 1024, "parallel": 8, "tensor_parallel_size": 2}
    assert "ctx_size" not in made(hf_folder, "--max-model-len", "auto", kind="vllm").asked


def test_a_python_serves_vllm_by_its_module_and_names_are_looked_up(tmp_path, hf_folder):
    python = program(tmp_path / "env" / "bin" / "python3.11")
    one = made(hf_folder, kind="vllm", server_binary=str(python))
    assert one.argv[:3] == (str(python), "-m", "vllm.entrypoints.openai.api_server")
    assert value(one.argv, "--model") == str(tmp_path / "some-model")
    named = made(resolve("Qwen/Qwen3-0.6B"), kind="vllm", server_binary=str(python))
    assert value(named.argv, "--model") == "Qwen/Qwen3-0.6B"
    assert named.model_name == "Qwen/Qwen3-0.6B-ab12"


def test_gpu_layers_with_vllm_is_told_as_what_it_is(hf_folder):
    with pytest.raises(UsageError, match="--gpu-layers does not apply to --server vllm") as caught:
        made(hf_folder, kind="vllm", gpu_layers=80)
    assert "vLLM keeps the whole model on the GPU" in caught.value.hint


def test_a_gguf_file_for_vllm_and_a_folder_for_llama_cpp_are_told(model, hf_folder):
    with pytest.raises(UsageError, match="not GGUF files") as caught:
        made(model, kind="vllm")
    assert "--server llama.cpp" in caught.value.hint
    for other in (hf_folder, resolve("Qwen/Qwen3-0.6B")):
        with pytest.raises(UsageError, match=r"llama.cpp serves GGUF files, not") as caught:
            made(other)
        assert "--server vllm" in caught.value.hint


def test_no_model_and_an_unknown_kind_are_told(model):
    with pytest.raises(UsageError, match="no model given"):
        made(None)
    with pytest.raises(UsageError, match="unknown kind of server: 'ollama'"):
        made(model, kind="ollama")


@pytest.mark.parametrize(
    ("kind", "fields", "words"),
    [
        ("llama.cpp", {"gpu_layers": -2}, "--gpu-layers -2"),
        ("llama.cpp", {"ctx_size": 10}, "--ctx-size 10"),
        ("llama.cpp", {"parallel": 0}, "--parallel 0"),
        ("llama.cpp", {"health_path": "health"}, "must begin with /"),
        (
            "llama.cpp",
            {"options": {"gpu_memory_utilization": 0.5}},
            "--gpu-memory-utilization does not apply to",
        ),
        ("llama.cpp", {"command": "x {port}"}, "--server-command does not apply to"),
        ("llama.cpp", {"base_url": "http://x"}, "--base-url does not apply to"),
        ("vllm", {"ctx_size": 0}, "--ctx-size 0"),
        ("vllm", {}, "no vllm on PATH"),
        ("command", {"gpu_layers": 1}, "--gpu-layers does not apply to"),
        ("command", {"ctx_size": 1000}, "--ctx-size does not apply to"),
        ("attach", {"port": 8080}, "--port does not apply to"),
    ],
)
def test_settings_that_can_not_work_are_told(hf_folder, kind, fields, words):
    with pytest.raises(UsageError, match=words):
        made(resolve(gguf_path()) if kind == "llama.cpp" else hf_folder, kind=kind, **fields)


def gguf_path():
    Path("model.gguf").write_bytes(gguf())
    return "model.gguf"


@pytest.mark.parametrize("words", [["-c"], ["-c", "many"], ["-np", "-1"], ["-np", "x"]], ids=shlex.join)
def test_counts_among_the_extra_arguments_that_are_none_are_told(model, words):
    with pytest.raises(UsageError, match=words[0].lstrip("-") if len(words) == 1 else "ctx-size|parallel"):
        made(model, *words)


def test_a_port_in_use_is_told_with_who_uses_it(model):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"port {port} is in use by process {os.getpid()} "):
            made(model, port=port)


@pytest.mark.parametrize("port", [-1, 0, 65536, 10**9])
def test_a_port_that_does_not_exist_is_told(model, port):
    with pytest.raises(UsageError, match=f"port {port} does not exist") as caught:
        made(model, port=port)
    assert caught.value.hint == "ports are 1 to 65535"


def test_a_privileged_port_is_told_to_those_who_may_not_have_it(model):
    """In a child of this process, which gives up its rights; root may listen on every port."""
    if int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) <= 1:
        pytest.skip("everybody may listen on every port here")
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setuid(65534)
            made(model, port=1)
        except UsageError as error:
            os._exit(7 if "port 1 is reserved for the system administrator" in error.message else 8)
        finally:
            os._exit(9)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


@pytest.mark.parametrize("origin", ["--server-binary", "$LLAMA_SERVER"])
def test_a_program_that_can_not_be_run_is_told_with_where_it_was_named(tmp_path, model, monkeypatch, origin):
    def ask(text):
        if origin == "--server-binary":
            return made(model, server_binary=text)
        monkeypatch.setenv("LLAMA_SERVER", text)
        return made(model)

    (tmp_path / "plain").write_text("")
    for text, words in (
        ("/no/llama-server", "no such program"),
        ("no-such-program", "no such program"),
        ("~nobody-of-this-name/x", "~nobody-of-this-name has no home folder"),
        (str(tmp_path), "is not a file"),
        (str(tmp_path / "plain"), "is not executable"),
    ):
        with pytest.raises(UsageError) as caught:
            ask(text)
        assert caught.value.message.startswith(f"{origin} {text}")
        assert words in caught.value.message
        assert caught.value.hint


def test_the_first_llama_server_found_is_taken_in_the_told_order(tmp_path, monkeypatch):
    assert find_binary(None) is None
    built = program(tmp_path / "build" / "bin" / "llama-server")
    assert find_binary(None) == built
    on_path = program(tmp_path / "path" / "llama-server")
    assert find_binary(None) == on_path
    named = program(tmp_path / "named")
    monkeypatch.setenv("LLAMA_SERVER", "named")
    assert find_binary(None) == named
    asked = program(tmp_path / "asked")
    assert find_binary(str(asked)) == asked
    assert find_binary("llama-server") == on_path


def test_a_build_that_tells_more_is_asked_to(tmp_path, model):
    """Newer llama-servers don't say by themselves what they offloaded."""
    newer = program(tmp_path / "newer", "#!/bin/sh\necho ' - 4: trace (more info)'\n")
    assert value(made(model, server_binary=str(newer)).argv, "-lv") == "4"
    assert made(model, "-lv", "1", server_binary=str(newer)).argv.count("-lv") == 1
    older = program(tmp_path / "older", "#!/bin/sh\nexit 1\n")
    assert "-lv" not in made(model, server_binary=str(older)).argv


def test_no_earlier_prompts_are_kept_in_host_memory_unless_the_user_says_so(tmp_path, model, monkeypatch):
    """Copying the last prompt there took longer than computing the next one on an H200, and gigabytes."""
    newer = program(
        tmp_path / "newer", "#!/bin/sh\necho '-cram, --cache-ram N    maximum cache size in MiB'\n"
    )
    assert value(made(model, server_binary=str(newer)).argv, "--cache-ram") == "0"
    assert value(made(model).argv, "--cache-ram") == "0"  # the built-in one
    for own in (["-cram", "512"], ["--cache-ram", "512"], ["--cache_ram=512"], ["--cache-idle-slots"]):
        argv = made(model, *own, server_binary=str(newer)).argv
        assert (argv[-len(own) :], "0" in argv) == (tuple(own), False)
    older = program(tmp_path / "older", "#!/bin/sh\necho '-np, --parallel N'\n")
    assert "--cache-ram" not in made(model, server_binary=str(older)).argv
    monkeypatch.setenv("LLAMA_ARG_CACHE_RAM", "512")  # in the command, so that the record has it
    assert value(made(model, server_binary=str(newer)).argv, "--cache-ram") == "512"
    assert "--cache-ram" not in made(model, server_binary=str(older)).argv


@pytest.mark.parametrize(
    ("gpu_layers", "embedded", "gpu_memory_bytes", "slots"),
    [
        (0, False, 80 << 30, 4),
        (None, True, 80 << 30, 4),
        (None, False, None, 4),
        (None, False, 1 << 29, 4),
        (None, False, 3 << 29, 8),
        (80, False, 80 << 30, 16),
    ],
)
def test_slots_by_default(demo_model, gpu_layers, embedded, gpu_memory_bytes, slots):
    """As many as a GPU has memory for; on a processor four."""
    demo = resolve(str(demo_model))
    assert kv_bytes_per_token(demo) == 2 * 30 * 3 * 64 * 2
    chosen = default_parallel(demo, 4096, gpu_layers, embedded=embedded, gpu_memory_bytes=gpu_memory_bytes)
    assert chosen == slots


def test_a_model_without_attention_keeps_nothing_a_token(tmp_path):
    """No KV heads is an answer, unlike a header that says nothing of them."""
    counted = {}
    for name, heads in (("none", (U32, 0)), ("one", (U32, 1)), ("all", (U32, 4))):
        path = tmp_path / f"{name}.gguf"
        path.write_bytes(gguf({"llama.attention.head_count_kv": heads}))
        counted[name] = kv_bytes_per_token(resolve(str(path)))
    assert counted == {"none": 0, "one": 2 * 2 * 16 * 2, "all": 2 * 2 * 4 * 16 * 2}
    (tmp_path / "untold.gguf").write_bytes(gguf({"llama.attention.head_count": (U32, 0)}))
    assert kv_bytes_per_token(resolve(str(tmp_path / "untold.gguf"))) is None


def test_the_memory_of_the_gpu_decides_on_the_slots_of_a_launch(demo_model, tmp_path):
    binary = str(program(tmp_path / "llama-server"))
    demo = resolve(str(demo_model))
    found = [
        made(demo, server_binary=binary, gpu_memory_bytes=size).asked["parallel"] for size in (None, 80 << 30)
    ]
    assert found == [4, 16]


def test_the_demo_model_under_an_odd_name_is_served_by_the_embedded_server(demo_model, tmp_path, log):
    """A comma would separate names at the server, and a relative path is the user's, not ours."""
    Path("a, b.gguf").symlink_to(demo_model)
    Path("template.jinja").write_text("{{ messages[0].content }}")
    one = made(
        resolve("a, b.gguf"),
        "-t",
        "1",
        "--no-warmup",
        "--chat-template-file",
        "template.jinja",
        ctx_size=256,
        parallel=1,
    )
    with launch(one, log_path=log, ready_timeout_s=60) as server:
        effective, differences = server.effective, server.differences
    assert one.model_name == "a_b-ab12"
    assert effective["ctx_size"] == 256
    assert differences == ()


@pytest.mark.servers
def test_the_real_llama_server_does_what_was_asked(demo_model, llama_server_binary, log):
    """And what it can't do, layers on a GPU that isn't there, is told."""
    one = made(
        resolve(str(demo_model)),
        *("-t", "1", "--cache_type_k", "q8_0"),
        server_binary=str(llama_server_binary),
        gpu_layers=80,
        ctx_size=512,
        parallel=2,
    )
    with launch(one, log_path=log, ready_timeout_s=60) as server:
        effective, differences = server.effective, server.differences
    assert one.kind == "llama.cpp"
    assert (effective["ctx_size"], effective["parallel"], effective["cache_type_k"]) == (512, 2, "q8_0")
    if effective["gpu_layers"] == 0:
        assert differences == ("asked for 80 GPU layers: 0 were offloaded, no usable GPU was found",)
    else:
        assert effective["gpu_layers"] == 31
