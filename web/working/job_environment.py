"""What of the worker's environment a job sees: a list of names, and the keys of the job's own providers.

Everything else stays out, above all the database's address and password, other providers' keys, and what the operator's
shell happens to hold.
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any

from results.errors import UsageError
from settings.providers import COMPATIBLE, provider_of
from settings.variables import VARIABLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

JOB_MARK = "BENCH_JOB"  # in the environment of every process of a job: its id and attempt

_ALLOWED_WORDS = """
    PATH HOME USER LOGNAME SHELL LANG LANGUAGE TZ TMPDIR TEMP TMP
    XDG_CACHE_HOME XDG_CONFIG_HOME XDG_DATA_HOME XDG_RUNTIME_DIR
    LD_LIBRARY_PATH SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE
    HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy all_proxy no_proxy
    HF_HOME HF_HUB_CACHE HUGGINGFACE_HUB_CACHE HF_DATASETS_CACHE HF_ENDPOINT HF_HUB_OFFLINE TRANSFORMERS_OFFLINE
    HF_HUB_DISABLE_TELEMETRY HF_HUB_DISABLE_XET OLLAMA_MODELS LLAMA_CACHE
    LLAMA_SERVER LLAMA_BENCH LLAMA_PERPLEXITY VLLM_PYTHON HUMANEVAL_OVERRIDE_PATH MBPP_OVERRIDE_PATH
    BENCH_PRICE_PER_KWH BENCH_SANDBOX_IMAGE DOCKER_HOST
    CUDA_VISIBLE_DEVICES CUDA_DEVICE_ORDER CUDA_HOME CUDA_PATH CUDA_CACHE_PATH NVIDIA_VISIBLE_DEVICES
    NVIDIA_DRIVER_CAPABILITIES HIP_VISIBLE_DEVICES ROCR_VISIBLE_DEVICES GPU_DEVICE_ORDINAL HSA_OVERRIDE_GFX_VERSION
    ROCM_PATH OMP_NUM_THREADS
"""
_ALLOWED = frozenset(_ALLOWED_WORDS.split())
_ALLOWED_PATTERN = re.compile(r"LC_[A-Z]+|(GGML|NCCL|VLLM)_(?!.*(KEY|TOKEN|SECRET|PASS))[A-Z0-9_]+")
# What the programs of an engine need beside that, by its name: how to reach it, as whom. Only the sweep's own process
# sees it; benchmarks and servers run elsewhere.
_OF_ENGINES = {
    "ssh": re.compile(r"SSH_AUTH_SOCK"),
    "slurm": re.compile(r"SLURM_CONF|SBATCH_[A-Z_]+|MUNGE_[A-Z_]+"),
    "ray": re.compile(r"RAY_(ADDRESS|AUTH_[A-Z_]+|TLS_[A-Z_]+|USE_TLS|RUNTIME_ENV_[A-Z_]+)"),
    "modal": re.compile(r"MODAL_[A-Z_]+"),
}
_OF_STORES = re.compile(r"AWS_[A-Z0-9_]+|FSSPEC_[A-Z0-9_]+")
_NEVER = re.compile(r"BENCH_DATABASE_URL|BENCH_SERVE_.*|PG[A-Z]+|DATABASE_URL|AWS_.*|GITHUB_.*|SSH_.*")


def job_environment(
    manifest: str, *, mark: str, device: Mapping[str, str | None], environment: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """The whole environment of a job's sweep.

    manifest: the JSON text of the sweep; the variables that it names, and those with its providers' keys, are added.
    mark: see JOB_MARK. device: what shows the job its device only; None removes a variable.
    """
    tree = _tree(manifest)
    names = _named(tree) | _sent_along(tree)
    for_engine = _of_engine(tree)
    found = {
        name: value
        for name, value in environment.items()
        if any(pattern.fullmatch(name) for pattern in for_engine)
        or (
            (name in _ALLOWED or name in names or _ALLOWED_PATTERN.fullmatch(name))
            and not _NEVER.fullmatch(name)
        )
    }
    for name, value in device.items():
        found.pop(name, None)
        if value is not None:
            found[name] = value
    return {**found, JOB_MARK: mark, "PYTHONUNBUFFERED": "1"}


def _tree(manifest: str) -> Any:
    try:
        return json.loads(manifest)
    except ValueError:  # the sweep says what is wrong with it
        return None


def _of_engine(tree: Any) -> list[re.Pattern[str]]:
    """Which variables the sweep's engine needs. Its part is the operator's, whatever the request said."""
    engine = tree.get("engine") if isinstance(tree, dict) else None
    if not isinstance(engine, dict):
        return []
    own = _OF_ENGINES.get(str(engine.get("name")))
    found = [own] if own is not None else []
    return [*found, _OF_STORES] if engine.get("results_store") else found


def _sent_along(tree: Any) -> set[str]:
    """The variables that go along to the engine's machines, by name."""
    engine = tree.get("engine") if isinstance(tree, dict) else None
    names = engine.get("environment") if isinstance(engine, dict) else None
    return {name for name in names if isinstance(name, str)} if isinstance(names, list) else set()


def _named(tree: Any) -> set[str]:
    """The variables that the manifest needs: those in its texts, and its providers' keys.

    What a model is called says nothing about who answers: the catalogue always writes the provider.
    """
    names: set[str] = set()
    for field, value in _texts(tree):
        for found in VARIABLE.finditer(value):
            if not found[1]:
                names.add(found[2].partition(":-")[0])
        if field == "provider":
            names |= _keys(value)
        elif field == "base_url":
            names |= _keys(COMPATIBLE)
    return names


def _keys(provider: str) -> set[str]:
    try:
        return set(provider_of(provider).key_variables)
    except UsageError:
        return set()


def _texts(tree: Any) -> Iterator[tuple[str, str]]:
    """Every text, with the name of the field that has it; in a list, that of the list's field."""
    waiting: list[tuple[str, Any]] = [("", tree)]
    while waiting:
        field, value = waiting.pop()
        if isinstance(value, str):
            yield field, value
        elif isinstance(value, dict):
            waiting += value.items()
        elif isinstance(value, list):
            waiting += [(field, each) for each in value]
