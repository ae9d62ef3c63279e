"""A job sees what it needs, and no secret of anybody else."""

from __future__ import annotations

import json

import pytest

from web.working.job_environment import job_environment

SECRETS = {
    "BENCH_DATABASE_URL": "postgresql://u:p@h/d",
    "PGPASSWORD": "p",
    "BENCH_SERVE_KEY": "k",
    "OPENAI_API_KEY": "sk-1",
    "ANTHROPIC_API_KEY": "sk-2",
    "HF_TOKEN": "hf",
    "AWS_SECRET_ACCESS_KEY": "aws",
    "SSH_AUTH_SOCK": "/tmp/agent",
    "MY_HOOK": "https://hooks/secret",
    "VLLM_API_KEY": "v",
}
PLAIN = {"PATH": "/bin", "HOME": "/root", "LC_ALL": "C.UTF-8", "TMPDIR": "/t", "GGML_CUDA_FORCE_MMQ": "1"}


def seen(manifest, **device):
    text = manifest if isinstance(manifest, str) else json.dumps(manifest)
    found = job_environment(text, mark="j/1", device=device, environment=SECRETS | PLAIN)
    assert found["BENCH_JOB"] == "j/1"
    return found


def test_without_a_provider_it_sees_no_secret():
    found = seen({"runs": [{"model": "m.gguf", "benchmark": "human_eval"}]})
    assert not SECRETS.keys() & found.keys()
    assert PLAIN.items() <= found.items()


@pytest.mark.parametrize(
    ("manifest", "keys"),
    [
        ({"runs": [{"provider": "openai"}]}, {"OPENAI_API_KEY"}),
        ({"defaults": {"provider": "anthropic"}, "runs": [{"model": "m"}]}, {"ANTHROPIC_API_KEY"}),
        ({"matrix": {"provider": ["openai", "anthropic"]}}, {"OPENAI_API_KEY", "ANTHROPIC_API_KEY"}),
        ({"runs": [{"model": "anthropic/claude"}]}, set()),
        ({"matrix": {"model": [{"path": "openai/gpt"}], "exclude": [{"model": ["anthropic/x"]}]}}, set()),
        ({"runs": [{"base_url": "http://127.0.0.1:1", "model": "anthropic/x"}]}, {"OPENAI_API_KEY"}),
        ({"runs": [{"base_url": "http://127.0.0.1:1"}]}, {"OPENAI_API_KEY"}),
        ({"runs": [{"server_command": "serve --hook ${MY_HOOK:-x}"}]}, {"MY_HOOK"}),
        ({"runs": [{"model": "$${MY_HOOK}"}]}, set()),
        ({"runs": [{"model": "${BENCH_DATABASE_URL} ${PGPASSWORD} ${BENCH_SERVE_KEY}"}]}, set()),
        ({"runs": [{"provider": "no such"}]}, set()),
        ("{", set()),
    ],
)
def test_it_sees_the_keys_of_its_providers_and_what_the_operator_named(manifest, keys):
    assert SECRETS.keys() & seen(manifest).keys() == keys


@pytest.mark.parametrize(
    ("manifest", "names"),
    [
        ({"engine": {"name": "ssh", "hosts": "a"}}, {"SSH_AUTH_SOCK"}),
        ({"engine": {"name": "slurm"}}, set()),
        ({"engine": {"name": "ray", "results_store": "s3://b/p"}}, {"AWS_SECRET_ACCESS_KEY"}),
        ({"engine": {"name": "slurm", "environment": ["HF_TOKEN", "PGPASSWORD", 3]}}, {"HF_TOKEN"}),
        ({"engine": "ssh"}, set()),
        (
            {"runs": [{"chat_template_kwargs": {"engine": {"name": "ssh"}, "environment": ["HF_TOKEN"]}}]},
            set(),
        ),
        ({"engine": {"name": ["ssh"]}}, set()),
    ],
)
def test_the_process_of_a_sweep_on_an_engine_sees_how_to_reach_it(manifest, names):
    assert SECRETS.keys() & seen(manifest).keys() == names


def test_the_device_shows_itself_and_removes_others():
    assert seen("{}", CUDA_VISIBLE_DEVICES="GPU-1", HOME=None)["CUDA_VISIBLE_DEVICES"] == "GPU-1"
    assert "HOME" not in seen("{}", HOME=None)
