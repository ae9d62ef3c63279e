"""vLLM's --speculative-config, checked before it starts, because vLLM takes a minute to refuse it.

The names are those of vllm/config/speculative.py; one that is not known passes, as newer versions have more.
"""

from __future__ import annotations

import json
from typing import Any

from results.errors import UsageError
from results.files import user_path
from settings.values import close_match

_ABOUT = ("speculative_config",)
_KEYS = (
    "method", "model", "num_speculative_tokens", "draft_tensor_parallel_size", "max_model_len", "quantization",
    "prompt_lookup_max", "prompt_lookup_min", "disable_by_batch_size", "revision", "code_revision", "tokenizer",
    "parallel_drafting", "draft_sample_method", "enforce_eager", "attention_backend", "moe_backend",
    "suffix_decoding_max_tree_depth", "suffix_decoding_max_cached_requests", "suffix_decoding_max_spec_factor",
    "suffix_decoding_min_token_prob", "rejection_sample_method", "disable_padded_drafter_batch",
)  # fmt: skip
_COUNTS = ("num_speculative_tokens", "prompt_lookup_max", "prompt_lookup_min", "draft_tensor_parallel_size")
_TEXTS = ("method", "model", "quantization", "revision", "code_revision")
_METHODS = ("ngram", "eagle", "eagle3", "medusa", "mlp_speculator", "draft_model", "suffix", "mtp")


def checked_config(text: str) -> str:
    """The configuration for vLLM's command line, with an absolute path of a folder. text: a JSON object.

    Raises UsageError for what no version accepts, and for a name that is one of vLLM's, misspelt.
    """
    config: dict[str, Any] = json.loads(text)
    if not config.get("method") and not config.get("model"):
        raise _wrong(
            "it names neither a method nor a model",
            """such as {"method": "ngram", "num_speculative_tokens": 4, "prompt_lookup_max": 4}""",
        )
    for key in config:
        meant = "" if key in _KEYS else close_match(key, _KEYS)
        if meant:
            raise _wrong(f"vLLM does not know {key!r}", f"did you mean {meant!r}?")
    for key in _COUNTS:
        value = config.get(key)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise _wrong(f"{key} is not a whole number of 1 or more: {json.dumps(value)}", "such as 4")
    for key in _TEXTS:
        if config.get(key) is not None and not isinstance(config[key], str):
            raise _wrong(f"{key} is not a text: {json.dumps(config[key])}", "put it in quotes")
    method = config.get("method")
    if method is not None and method not in _METHODS and (meant := close_match(method, _METHODS)):
        known = method.endswith("_mtp") or method.startswith(
            meant
        )  # such as deepseek_mtp, or a newer version's
        if not known:
            raise _wrong(f"vLLM has no method {method!r}", f"did you mean {meant!r}?")
    if method == "ngram" and config.get("num_speculative_tokens") is None:
        raise _wrong("ngram needs num_speculative_tokens", "such as 4")
    model = config.get("model")
    if isinstance(model, str) and user_path(model).is_dir():
        config["model"] = str(user_path(model).absolute())
    return json.dumps(config, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _wrong(what: str, hint: str) -> UsageError:
    return UsageError(f"--speculative-config: {what}", hint=hint, settings=_ABOUT)
