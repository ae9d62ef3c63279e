"""LoRA adapters: checked before a server starts, part of what a run is known by, and really applied."""

from __future__ import annotations

import json
import textwrap

import pytest

from results.errors import UsageError
from runner.fingerprint import fingerprint
from runner.request import build_spec
from runner.rerun import asked_again
from runner.spec_json import decode_spec, encode_spec
from servers.capacity.memory_estimate import estimate_server
from servers.http_probe import request
from servers.launch import plan
from servers.lora import Adapter
from servers.models import resolve
from servers.request import ServerRequest
from servers.supervisor import launch
from settings.asked import Asked
from sweeps.manifest.reader import parse_manifest
from sweeps.plan import plan_runs
from tests.command_line import bench_runner, logged
from tests.servers.gguf_file import gguf
from tests.servers.launches import made, program, value
from tests.servers.lora_file import lora, lora_for


@pytest.fixture
def adapter(tmp_path):
    path = tmp_path / "style.gguf"
    path.write_bytes(lora(64, 64))
    return path


def spec(tmp_path, *texts):
    path = tmp_path / "model.gguf"
    path.write_bytes(gguf())
    asked = {"benchmark": "human_eval", "model": str(path), "lora": tuple(map(str, texts))}
    return build_spec(Asked(asked))


def test_llama_server_gets_each_adapter_with_its_scale(bare, tmp_path, model, adapter):
    other = tmp_path / "other one.gguf"
    other.write_bytes(lora(64, 64))
    binary = program(tmp_path / "llama-server")
    one = made(model, server_binary=str(binary), lora=(Adapter(adapter), Adapter(other, 0.25)))
    assert value(one.argv, "--lora") == str(adapter)
    assert value(one.argv, "--lora-scaled") == f"{other}:0.25"
    with pytest.raises(UsageError, match="given twice"):
        made(model, "--lora", "x.gguf", lora=(Adapter(adapter),))


def test_what_is_no_adapter_of_this_model_is_refused(bare, tmp_path, model, adapter):
    files = {
        "model.gguf": gguf(),
        "torn.gguf": lora(64, 64)[:60],
        "gemma.gguf": lora(64, 64, architecture="gemma3"),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    for name, words in (
        ("model.gguf", "is a model, not a LoRA adapter"),
        ("torn.gguf", "truncated"),
        ("gemma.gguf", "architecture gemma3, and my, model is of llama"),
        (".", "is a folder"),
    ):
        with pytest.raises(UsageError, match=words):
            made(model, lora=(Adapter(tmp_path / name),))
    odd = tmp_path / "a,b.gguf"
    odd.write_bytes(adapter.read_bytes())
    with pytest.raises(UsageError, match="can't read a name with this character"):
        made(model, lora=(Adapter(odd),))


def test_vllm_serves_one_adapter_under_the_name_that_is_asked_for(bare, tmp_path, hf_folder):
    binary = program(tmp_path / "vllm")
    folder = tmp_path / "peft"
    folder.mkdir()
    (folder / "adapter_config.json").write_text('{"r": 48}')
    (folder / "adapter_model.safetensors").write_bytes(b"x")
    options = {"kind": "vllm", "server_binary": str(binary)}
    one = made(hf_folder, lora=(Adapter(folder),), **options)
    assert "--enable-lora" in one.argv
    assert value(one.argv, "--lora-modules") == f"{one.model_name}={folder}"
    assert value(one.argv, "--served-model-name") == f"{one.model_name}-base"
    assert value(one.argv, "--max-lora-rank") == "64"
    for lora_of, words in (
        ((Adapter(folder), Adapter(folder)), "several adapters"),
        ((Adapter(folder, 0.5),), "a scale of its own"),
        ((Adapter(tmp_path / "some-model"),), "is no folder of an adapter"),
    ):
        with pytest.raises(UsageError, match=words):
            made(hf_folder, lora=lora_of, **options)


@pytest.mark.parametrize("kind", ["command", "attach"])
def test_other_servers_are_told_where_to_load_it(tmp_path, adapter, kind):
    model = resolve(str(adapter.with_name("m.gguf")))
    fields = {"command": "x", "model": model} if kind == "command" else {"base_url": "http://127.0.0.1:1"}
    with pytest.raises(UsageError, match="--lora does not apply to"):
        plan(ServerRequest(kind=kind, lora=(Adapter(adapter),), **fields), nonce="1")


@pytest.fixture(autouse=True)
def a_model_beside(tmp_path):
    (tmp_path / "m.gguf").write_bytes(gguf())


def test_a_run_is_known_by_the_adapters_content_and_scale(tmp_path, adapter):
    plain, with_it = fingerprint(spec(tmp_path)), fingerprint(spec(tmp_path, adapter))
    assert plain != with_it
    assert fingerprint(spec(tmp_path, f"{adapter}:0.5")) not in {plain, with_it}
    assert fingerprint(spec(tmp_path, f"{adapter}:1")) == with_it
    moved = tmp_path / "elsewhere.gguf"
    moved.write_bytes(adapter.read_bytes())
    assert fingerprint(spec(tmp_path, moved)) == with_it
    assert spec(tmp_path, moved).config()["lora_content"] == spec(tmp_path, adapter).config()["lora_content"]
    adapter.write_bytes(lora(64, 64, strength=2))
    assert fingerprint(spec(tmp_path, adapter)) != with_it


def test_a_spec_with_adapters_is_the_same_elsewhere(tmp_path, adapter):
    made_here = spec(tmp_path, f"{adapter}:0.5")
    there = decode_spec(encode_spec(made_here))
    assert there.server.lora == (Adapter(adapter, 0.5),) == made_here.server.lora


def test_a_file_whose_name_ends_like_a_scale_is_that_file(tmp_path, adapter, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a:2").write_bytes(adapter.read_bytes())
    assert spec(tmp_path, "style.gguf:-0.5").server.lora == (Adapter(adapter, -0.5),)
    with pytest.raises(UsageError, match="no such file"):
        spec(tmp_path, "gone.gguf:0.5")


def test_a_matrix_has_adapters_as_an_axis(tmp_path, adapter):
    (tmp_path / "other.gguf").write_bytes(lora(64, 64))
    text = """
        matrix:
          benchmark: human_eval
          model: m.gguf
          lora: [null, style.gguf, [style.gguf, "other.gguf:0.5"]]
    """
    manifest = parse_manifest(textwrap.dedent(text), form="yaml", name="sweep", folder=tmp_path)
    runs = plan_runs(manifest).runs
    assert [run.spec.server.lora for run in runs] == [
        None,
        (Adapter(adapter),),
        (Adapter(adapter), Adapter(tmp_path / "other.gguf", 0.5)),
    ]
    assert runs[2].label.endswith("lora=style.gguf other.gguf:0.5")
    assert len({run.group for run in runs}) == 3
    without, with_it = (estimate_server(run.spec.server, run.needs) for run in runs[:2])
    assert with_it.weights_gpu_bytes - without.weights_gpu_bytes == adapter.stat().st_size


def test_sweep_takes_several_together(tmp_path, adapter):
    words = (
        "sweep",
        tmp_path / "m.gguf",
        "--benchmark",
        "human_eval",
        "--lora",
        adapter,
        "--lora",
        f"{adapter}:0.5",
    )
    done = bench_runner(*words, "--results-dir", tmp_path / "r", "--dry-run")
    assert done.code == 0, done.err
    assert done.out.count("human_eval") == 1


@pytest.mark.parametrize(
    ("text", "words"), [("gone.gguf", "no such file"), (" ", "is not FILE or FILE:SCALE")]
)
def test_a_file_that_is_not_there_is_told_before_anything_starts(tmp_path, text, words):
    done = bench_runner("run", "--benchmark", "human_eval", "--lora", text, "--results-dir", tmp_path / "r")
    assert (done.code, words in done.err) == (2, True)


def first_tokens(server):
    body = {"prompt": "Once upon a time", "max_tokens": 12, "temperature": 0, "ignore_eos": True}
    answer = request(server.plan.base_url, "/v1/completions", body=body, timeout_s=100)
    return answer.json()["choices"][0]["text"]


def changes_answers(demo_model, tmp_path, **fields):
    """What the server writes without an adapter, with one, with two, and with one scaled to nothing."""
    path = tmp_path / "strong.gguf"
    path.write_bytes(lora_for(demo_model, strength=3.0))
    found = []
    for adapters in (None, (Adapter(path),), (Adapter(path), Adapter(path, -1)), (Adapter(path, 0),)):
        asked = ServerRequest(
            model=resolve(str(demo_model)), ctx_size=512, parallel=1, lora=adapters,
            extra_args=("-t", "1", "--no-warmup"), **fields,
        )  # fmt: skip
        made_plan = plan(asked, nonce="0")
        log = tmp_path / f"{len(found)}.log"
        with launch(made_plan, log_path=log, ready_timeout_s=100) as server:
            found.append(first_tokens(server))
    return found


def test_the_built_in_llama_cpp_applies_it(bare, demo_model, tmp_path):
    plain, applied, together, nothing = changes_answers(demo_model, tmp_path)
    assert applied != plain
    assert nothing == plain
    assert together == plain  # one takes back what the other adds


@pytest.mark.servers
def test_a_real_llama_server_applies_it(bare, demo_model, llama_server_binary, tmp_path):
    plain, applied, together, nothing = changes_answers(
        demo_model, tmp_path, server_binary=str(llama_server_binary)
    )
    assert applied != plain
    assert nothing == plain
    assert together == plain


@pytest.mark.servers
def test_a_run_records_its_adapters_and_tables_show_them(demo_model, tmp_path):
    path = tmp_path / "strong.gguf"
    path.write_bytes(lora_for(demo_model, strength=3.0))
    results = tmp_path / "r"
    words = ("run", "--benchmark", "human_eval", "--limit", 1, "--max-tokens", 8, "--results-dir", results)
    for more in ((), ("--lora", f"{path}:0.5")):
        done = bench_runner(*words, *more, "--", "-t", "1")
        assert done.code == 0, done.err
    plain, with_it = logged(results)
    assert "lora" not in plain["config"]
    assert with_it["config"]["lora"] == [f"{path}:0.5"]
    assert len(with_it["config"]["lora_content"]) == 1
    assert "strong.gguf:0.5" in bench_runner("show", "last", "--results-dir", results).out
    assert "with strong.gguf:0.5" in bench_runner("list", "--results-dir", results).out
    board = bench_runner("leaderboard", "--results-dir", results).out
    assert "lora=strong.gguf:0.5" in board
    compared = bench_runner("compare", "last~1", "last", "--results-dir", results)
    assert compared.code == 0, compared.err
    from results.store.run_folder import RunFolder

    again = asked_again(RunFolder.find(results, "last").read_record())
    assert again["lora"] == (f"{path}:0.5",)
    path.write_bytes(lora_for(demo_model, strength=1.0))
    other = bench_runner(*words, "--lora", f"{path}:0.5", "--resume", "last", "--", "-t", "1")
    assert other.code == 6
    assert "lora (content)" in other.err
    assert (
        json.loads((RunFolder.find(results, "last").path / "run.json").read_text())["status"] == "succeeded"
    )
