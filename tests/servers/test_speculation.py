"""Speculative decoding: checked before a server starts, asked for so that the server really does it, part of what a run
is known by, and its proposed and accepted tokens in the record.
"""

from __future__ import annotations

import pytest

from results.errors import ResumeMismatch, UsageError
from results.telemetry import TelemetrySummary
from runner.fingerprint import fingerprint
from runner.request import build_spec
from runner.rerun import asked_again
from runner.resume import require_same
from servers.capacity.memory_estimate import estimate_server
from servers.effective import read_back
from servers.metrics import read_metrics
from servers.models import resolve
from servers.request import ServerRequest
from servers.speculation.acceptance import drafted_in_log
from settings.asked import Asked
from telemetry.server_metrics import ServerMetrics
from tests.command_line import bench_runner, logged
from tests.servers.gguf_file import STRING, U32, gguf
from tests.servers.launches import made, program, value

TODAY = """#!/bin/sh
/bin/cat <<'HELP'
  4: trace
--spec-draft-n-max N
--spec-draft-n-min N
--spec-draft-p-min, --draft-p-min P
--spec-type none,draft-simple,draft-eagle3,draft-mtp,ngram-mod
--draft, --draft-n, --draft-max N       the argument has been removed
HELP
"""
EARLIER = """#!/bin/sh
/bin/cat <<'HELP'
-md,   --model-draft FNAME
--draft-max, --draft, --draft-n N
--draft-p-min P
HELP
"""


@pytest.fixture
def draft(tmp_path):
    path = tmp_path / "small.gguf"
    path.write_bytes(gguf({"general.name": (STRING, "small")}))
    return path


def planned(model, tmp_path, *words, build=TODAY, **options):
    return made(model, *words, server_binary=str(program(tmp_path / "llama-server", build)), options=options)


def test_a_draft_model_is_asked_for_so_that_the_build_uses_it(bare, tmp_path, model, draft):
    """Today's llama-server loads a draft model and never asks it, unless --spec-type says how."""
    asked = {
        "model_draft": str(draft),
        "spec_draft_n_max": 6,
        "spec_draft_p_min": 0.5,
        "gpu_layers_draft": -1,
    }
    today = planned(model, tmp_path, **asked)
    assert value(today.argv, "--model-draft") == str(draft)
    assert value(today.argv, "--spec-type") == today.asked["spec_type"] == "draft-simple"
    assert value(today.argv, "--spec-draft-n-max") == "6"
    assert value(today.argv, "--gpu-layers-draft") == "999"
    earlier = planned(model, tmp_path / "old", build=EARLIER, **asked)
    assert "--spec-type" not in earlier.argv
    assert value(earlier.argv, "--draft-max") == "6"
    assert value(earlier.argv, "--draft-p-min") == "0.5"
    assert (today.draft.name, len(today.draft.sha256)) == ("small", 64)


def test_a_head_is_used_in_the_way_that_it_is_made_for(bare, tmp_path, model):
    heads = {
        "draft-eagle3": gguf({"general.architecture": (STRING, "eagle3")}),
        "draft-mtp": gguf(names=["blk.7.weight"]),
    }
    for kind, data in heads.items():
        path = tmp_path / f"{kind}.gguf"
        path.write_bytes(data)
        assert value(planned(model, tmp_path, model_draft=str(path)).argv, "--spec-type") == kind
    with_mtp = tmp_path / "with-mtp.gguf"
    with_mtp.write_bytes(gguf({"llama.nextn_predict_layers": (U32, 1)}))
    own = planned(resolve(str(with_mtp)), tmp_path, spec_type="draft-mtp")
    assert value(own.argv, "--spec-type") == "draft-mtp"
    assert own.draft is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"spec_draft_n_max": 4}, "nothing proposes tokens"),
        ({"spec_type": "draft-simple"}, "needs a draft model"),
        ({"spec_type": "draft-mtp"}, "has no MTP layers"),
        ({"spec_type": "ngram-mod", "model_draft": "small.gguf"}, "does not use --model-draft"),
    ],
)
@pytest.mark.usefixtures("bare", "draft")
def test_what_would_not_speculate_is_refused(tmp_path, model, options, words):
    with pytest.raises(UsageError, match=words):
        planned(model, tmp_path, **options)


def test_it_is_not_given_twice_under_any_name_nor_to_a_build_without_it(bare, tmp_path, model, draft):
    for word in ("-md", "--spec-draft-model", "--model-draft"):
        with pytest.raises(UsageError, match="given twice"):
            planned(model, tmp_path, word, "x.gguf", model_draft=str(draft))
    with pytest.raises(UsageError, match="does not speculate by ngram-mod"):
        planned(model, tmp_path, build=EARLIER, spec_type="ngram-mod")
    for kind in ("command", "attach"):
        fields = (
            {"command": "x", "model": model}
            if kind == "command"
            else {"base_url": "http://127.0.0.1:1", "model": None}
        )
        with pytest.raises(UsageError, match="--model-draft does not apply"):
            made(fields.pop("model"), kind=kind, options={"model_draft": str(draft)}, **fields)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("{}", "neither a method nor a model"),
        ('{"metod": "ngram", "model": "x"}', "does not know 'metod'"),
        ('{"method": "ngarm", "num_speculative_tokens": 2}', "has no method 'ngarm'"),
        ('{"method": "ngram"}', "needs num_speculative_tokens"),
        ('{"model": "x", "num_speculative_tokens": 0}', "whole number of 1 or more"),
        ('{"model": 7}', "model is not a text"),
    ],
)
def test_vllm_is_not_started_with_what_it_refuses(bare, tmp_path, hf_folder, config, words):
    binary = program(tmp_path / "vllm")
    with pytest.raises(UsageError, match=words) as error:
        made(hf_folder, kind="vllm", server_binary=str(binary), options={"speculative_config": config})
    assert error.value.hint


def test_vllm_gets_the_configuration_whole_with_new_methods_and_keys(bare, tmp_path, hf_folder):
    binary = program(tmp_path / "vllm")
    config = '{"method":"deepseek_mtp","model":"some-model","num_speculative_tokens":2,"zebra":true}'
    one = made(hf_folder, kind="vllm", server_binary=str(binary), options={"speculative_config": config})
    whole = config.replace('"some-model"', f'"{tmp_path / "some-model"}"')
    assert value(one.argv, "--speculative-config") == whole
    assert one.draft.name == "some-model"


def test_a_run_is_known_by_the_drafts_content(tmp_path, draft):
    (tmp_path / "m.gguf").write_bytes(gguf())

    def spec(path=None, **more):
        asked = {"benchmark": "human_eval", "model": str(tmp_path / "m.gguf"), "model_draft": path}
        return build_spec(Asked({**asked, **more}))

    plain, with_it = fingerprint(spec()), fingerprint(spec(str(draft)))
    assert plain != with_it
    moved = tmp_path / "elsewhere.gguf"
    moved.write_bytes(draft.read_bytes())
    assert fingerprint(spec(str(moved))) == with_it
    assert fingerprint(spec(str(draft), spec_draft_n_max=8)) != with_it
    draft.write_bytes(gguf({"general.name": (STRING, "another")}))
    assert fingerprint(spec(str(draft))) != with_it
    with pytest.raises(UsageError, match="no such"):
        spec(str(tmp_path / "gone.gguf"))


def test_the_models_layers_and_cache_are_not_taken_from_the_draft(fake_plan):
    log = """\
load_tensors: offloaded 81/81 layers to GPU
llama_kv_cache: size = 90 MiB, K (q8_0):   45.00 MiB, V (q8_0):   45.00 MiB
common_speculative_init_result: loading draft model 'small.gguf'
load_tensors: offloaded 25/25 layers to GPU
llama_kv_cache: size = 9 MiB, K (f16):   4.00 MiB, V (f16):   5.00 MiB
spec common_specu: adding speculative implementation 'draft-simple'
"""
    wanted = {"gpu_layers": -1, "spec_type": "draft-simple"}
    effective, differences = read_back(fake_plan(asked=wanted), log)
    assert differences == ()
    assert (effective["layer_count"], effective["cache_type_k"]) == (81, "q8_0")
    assert effective["speculation"] == "draft-simple"
    silent = log.replace(
        "adding speculative implementation 'draft-simple'", "no implementations specified for"
    )
    silent += "no implementations specified for speculative decoding\n"
    _, differences = read_back(fake_plan(asked=wanted), silent)
    assert differences == ("asked for speculation by draft-simple: it speculates by none",)


def test_old_and_new_logs_tell_what_was_accepted(log):
    assert drafted_in_log(log) is None
    log.write_text(
        "slot print_timing: id  1 | task 0 | draft acceptance = 0.58333 (   77 accepted /   132 generated), mean\n"
        "slot print_timing: draft acceptance rate = 0.50000 (    5 accepted /    10 generated)\n"
    )
    assert drafted_in_log(log) == (142, 82)


def test_both_servers_metrics_tell_what_was_accepted_also_after_a_restart():
    names = ("spec_decode_num_draft_tokens_total", "spec_decode_num_accepted_tokens_total")
    pages = [
        "".join(f"{name} {number}\n" for name, number in zip(ours, numbers, strict=True))
        for ours, numbers in (
            ([f"llamacpp:{name}" for name in names], (100, 60)),
            ([f'vllm:{name}{{engine="0"}}' for name in names], (40, 10)),
        )
    ]
    readings = iter([read_metrics(page) for page in pages])
    metrics = ServerMetrics(lambda: next(readings))
    first, last = metrics.read(), metrics.read()
    assert (first.draft_tokens, first.accepted_draft_tokens) == (100, 60)
    assert (last.draft_tokens, last.accepted_draft_tokens) == (140, 70)
    assert TelemetrySummary(draft_tokens=140, accepted_draft_tokens=70).draft_acceptance == 0.5
    assert TelemetrySummary(draft_tokens=0, accepted_draft_tokens=0).draft_acceptance is None


def test_the_estimate_of_memory_has_the_draft_model(demo_model):
    def need(**options):
        request = ServerRequest(model=resolve(str(demo_model)), options=options)
        return estimate_server(request, {"ctx_size": 1024, "parallel": 1}, on_gpu=False)

    plain, both = need(), need(model_draft=str(demo_model))
    assert both.weights_host_bytes == 2 * plain.weights_host_bytes
    assert both.kv_host_bytes == 2 * plain.kv_host_bytes
    assert not any("not counted" in caveat for caveat in both.caveats)


@pytest.mark.servers
def test_a_run_with_a_draft_model_records_what_was_accepted(demo_model, tmp_path):
    """The model drafting for itself: nearly everything is accepted."""
    words = ("--model", demo_model, "--model-draft", demo_model, "--limit", 1, "--max-tokens", 24)
    done = bench_runner(
        "run", "--benchmark", "human_eval", *words, "--parallel", 1, "--results-dir", tmp_path, "--", "-t", 1
    )
    assert done.code == 0, done.err
    (run,) = logged(tmp_path)
    telemetry = run["telemetry"]
    assert 0 < telemetry["accepted_draft_tokens"] <= telemetry["draft_tokens"]
    assert run["draft_identity"]["sha256"] == run["model_identity"]["sha256"]
    assert run["server"]["in_force"]["speculation"] == "draft-simple"
    assert "% accepted" in bench_runner("show", "last", "--results-dir", tmp_path).out
    from results.store.run_folder import RunFolder

    record = RunFolder.find(tmp_path, "last").read_record()
    assert asked_again(record)["model_draft"] == str(demo_model)
    import msgspec

    other = msgspec.structs.replace(record, config={**record.config, "draft_sha256": "0" * 64})
    with pytest.raises(ResumeMismatch, match="draft model"):
        require_same(record, other)
