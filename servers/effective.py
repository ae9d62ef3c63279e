"""Read back the settings that a ready server really uses, from its endpoints and its log, and compare them."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

from servers import model_list
from servers.http_probe import request, whole

if TYPE_CHECKING:
    from servers.http_probe import Answer
    from servers.plan import LaunchPlan

ALL_LAYERS = -1
_LONGEST_WORD = 200  # characters of a server's build name

# llama.cpp's log: src/llama-model.cpp, src/llama-kv-cache.cpp, src/llama-context.cpp, common/arg.cpp.
OFFLOADED = re.compile(r"offloaded (\d{1,9})/(\d{1,9}) layers to GPU")
NO_GPU = re.compile(r"no usable GPU found")
KV_CACHE = re.compile(r"K \((\w+)\):.*?V \((\w+)\):")
FLASH_RESOLVED = re.compile(
    r"Flash Attention (enabled|disabled)|Flash Attention was auto, set to (\w+)", re.IGNORECASE
)
FLASH_SET = re.compile(r"flash_attn\s*=\s*(\w+)")
THREADS = re.compile(r"n_threads = (\d{1,9})")
DRAFT_BEGINS = "loading draft model"
SPECULATES = re.compile(r"adding speculative implementation '([\w-]{1,40})'")  # common/speculative.cpp
SPECULATES_NOT = re.compile(r"no implementations specified for speculative decoding")
# vLLM's log: vllm/v1/core/kv_cache_utils.py.
VLLM_KV_TOKENS = re.compile(r"KV cache size: (\d[\d,]{0,20}) tokens")
VLLM_AT_ONCE = re.compile(r"Maximum concurrency for [\d,]+ tokens per request: (\d{1,9}(?:\.\d{1,9})?)x")
_PROMPT = "One two three four five six"
_FEWEST_LOGPROBS = 3  # a server that gives only those of what it generated has one
_NOT_THERE = {400, 404, 405, 422, 501}
FLASH_WORDS = {"1": "enabled", "0": "disabled"}


def read_back(plan: LaunchPlan, log_text: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The effective settings, and a sentence for each that differs from the requested one.

    log_text: what the server has printed since its start. Keys: ctx_size (tokens per slot), parallel, build,
    chat_template_sha256, context_length_trained, parameter_count, gpu_layers, layer_count (llama.cpp also counts the
    output layer), cache_type_k, cache_type_v, flash_attention, threads, kv_cache_tokens, full_length_requests,
    speculation (how tokens are proposed). Values that can't be read are absent. Never raises.
    """
    found = {**_from_models(plan), **_from_props(plan), **from_log(log_text)}
    effective = {name: value for name, value in found.items() if value is not None}
    return effective, differences(plan.asked, effective, no_gpu=NO_GPU.search(log_text) is not None)


def gives_prompt_logprobs(plan: LaunchPlan, model: str) -> bool | None:
    """Whether it gives the log-probabilities of a prompt's tokens, by which other tools score choices.

    None where it did not answer, or refused for the moment. One request, for one token; up to 30 s.
    """
    asked = {
        "model": model,
        "prompt": _PROMPT,
        "max_tokens": 1,
        "temperature": 0,
        "echo": True,
        "logprobs": 1,
    }
    path = f"{plan.base_url.api}/completions"
    answer = request(plan.base_url, path, api_key=plan.api_key, body=asked, timeout_s=30)
    if answer is None:
        return None
    if answer.status in _NOT_THERE:
        return False
    body = answer.json()
    if answer.status != 200 or not isinstance(body, dict):
        return None
    try:
        given = body["choices"][0]["logprobs"]["token_logprobs"]
    except (KeyError, IndexError, TypeError):
        return False
    numbers = [value for value in given if isinstance(value, float | int)] if isinstance(given, list) else []
    return len(numbers) >= _FEWEST_LOGPROBS


def differences(asked: dict[str, Any], effective: dict[str, Any], *, no_gpu: bool) -> tuple[str, ...]:
    """The differences, as sentences without a full stop. A setting whose effective value is unknown is not one."""
    found = []
    layers, offloaded = asked.get("gpu_layers"), effective.get("gpu_layers")
    if layers is not None and offloaded is not None:
        count = effective.get("layer_count")
        wanted = layers if count is None else (count if layers == ALL_LAYERS else min(layers, count))
        if offloaded != wanted:
            what = "all layers on the GPU" if layers == ALL_LAYERS else f"{layers} GPU layers"
            of = "" if count is None else f" of {count}"
            why = ", no usable GPU was found" if no_gpu else ""
            found.append(f"asked for {what}: {offloaded}{of} were offloaded{why}")
    for name, what in (("ctx_size", "tokens of context per slot"), ("parallel", "slots")):
        wanted, real = asked.get(name), effective.get(name)
        if wanted is not None and real is not None and wanted != real:
            found.append(f"asked for {wanted} {what}: {real} are used")
    trained, ctx_size = effective.get("context_length_trained"), effective.get("ctx_size")
    if trained and ctx_size and ctx_size > trained:
        found.append(f"{ctx_size} tokens of context per slot: the model was trained with {trained}")
    at_once, parallel = effective.get("full_length_requests"), asked.get("parallel")
    if at_once is not None and parallel is not None and at_once < parallel:
        found.append(
            f"asked for {parallel} requests at once, but the KV cache only holds {at_once:g} of full length"
        )
    wanted, real = asked.get("spec_type"), effective.get("speculation")
    if wanted is not None and real is not None and set(wanted.split(",")) != set(real.split(",")):
        found.append(f"asked for speculation by {wanted}: it speculates by {real}")
    return tuple(found)


def _from_props(plan: LaunchPlan) -> dict[str, Any]:
    """The settings in llama-server's /props."""
    props = _get(plan, "/props")
    if not props:
        return {}
    settings = props.get("default_generation_settings")
    template = props.get("chat_template")
    return {
        "ctx_size": whole(settings.get("n_ctx")) if isinstance(settings, dict) else None,
        "parallel": whole(props.get("total_slots")),
        "build": _word(props.get("build_info")),
        "chat_template_sha256": _sha256(template) if isinstance(template, str) and template else None,
    }


def _from_models(plan: LaunchPlan) -> dict[str, Any]:
    """The settings in our model's entry in /v1/models, and in vLLM's /version."""
    answer = _answer(plan, f"{plan.base_url.api}/models")
    entries = model_list.entries(answer) if answer is not None else []
    ours = [entry for entry in entries if entry["id"] == plan.model_name] or entries
    if not ours or (len(ours) > 1 and plan.model_name is None):
        return {}
    meta = ours[0].get("meta")
    meta = meta if isinstance(meta, dict) else {}
    lengths = (whole(entry.get("max_model_len")) for entry in (ours[0], *entries))  # an adapter's has none
    max_len = next((length for length in lengths if length), None)
    version = _get(plan, "/version").get("version") if max_len else None
    return {
        "ctx_size": max_len,
        "context_length_trained": whole(meta.get("n_ctx_train")),
        "parameter_count": whole(meta.get("n_params")),
        "build": _word(version),
    }


def from_log(whole_text: str) -> dict[str, Any]:
    """What a log says of the effective settings; None where it says nothing."""
    text = whole_text.partition(DRAFT_BEGINS)[0]  # a draft model has layers and a cache of its own
    offloaded = _last(OFFLOADED, text)
    cache = _last(KV_CACHE, text)
    flash = _last(FLASH_RESOLVED, text) or _last(FLASH_SET, text)
    threads = _last(THREADS, text)
    tokens = _last(VLLM_KV_TOKENS, text)
    at_once = _last(VLLM_AT_ONCE, text)
    found: dict[str, Any] = {
        "cache_type_k": cache[1] if cache else None,
        "cache_type_v": cache[2] if cache else None,
        "flash_attention": _flash(flash) if flash else None,
        "threads": int(threads[1]) if threads else None,
        "kv_cache_tokens": int(tokens[1].replace(",", "")) if tokens else None,
        "full_length_requests": float(at_once[1]) if at_once else None,
        "speculation": ",".join(dict.fromkeys(SPECULATES.findall(whole_text))) or _no_speculation(whole_text),
    }
    if offloaded:
        found |= {"gpu_layers": int(offloaded[1]), "layer_count": int(offloaded[2])}
    elif NO_GPU.search(text):
        found["gpu_layers"] = 0
    return found


def _no_speculation(text: str) -> str | None:
    return "none" if SPECULATES_NOT.search(text) else None


def _flash(found: re.Match[str]) -> str:
    word = next(group for group in found.groups() if group).lower()
    return FLASH_WORDS.get(word, word)


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    """The last match, because llama.cpp prints each attempt at fitting the model."""
    return max(pattern.finditer(text), key=lambda found: found.start(), default=None)


def _get(plan: LaunchPlan, path: str) -> dict[str, Any]:
    """The JSON object at the path; {} for anything else."""
    answer = _answer(plan, path)
    body = answer.json() if answer is not None else None
    return body if isinstance(body, dict) else {}


def _answer(plan: LaunchPlan, path: str) -> Answer | None:
    """A successful answer; None for any other."""
    answer = request(plan.base_url, path, api_key=plan.api_key)
    return answer if answer is not None and answer.status == 200 else None


def _word(value: Any) -> str | None:
    """A text of printable characters, because it is shown on a terminal; None for anything else."""
    if not isinstance(value, str):
        return None
    return "".join(letter for letter in value[:_LONGEST_WORD] if letter.isprintable()) or None


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()
