"""Who answers requests, and what each of them takes: one row a provider.

A new OpenAI-compatible provider is a row, with a source for each fact. What a row says of fields is where a run begins:
whatever a provider refuses besides is learnt from its answer (`evaluation.models.parameters`).
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - a field
from typing import Any, Literal, NamedTuple

import msgspec

from results.errors import UsageError
from results.files import user_path
from settings.sampling_rules import option_of

Api = Literal["openai", "anthropic", "ollama"]


class Supports(msgspec.Struct, frozen=True, kw_only=True):
    """What requests may ask a provider for.

    seed: of sampling. logprobs: of the likeliest tokens. completions: a text to go on with, beside chats.
    most_stops: sequences that end an answer; the task cuts at the others itself. Whatever else a provider lacks, it
    refuses by itself: tools, JSON schemas.
    """

    seed: bool = True
    logprobs: bool = True
    completions: bool = True
    most_stops: int = 4


class ProviderFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One provider.

    aliases: other names. root: where its API lies; empty: --base-url says it. api: which one it speaks. key_variables:
    environment variables with the key, the first that is set counts. limit_field: what it calls `max_tokens`.
    params_name: what its users call the parameters that pass through. lacks: settings that its API has no field for,
    and what to do instead. drops: how to have parameters refused that it would leave out without a word where a model
    lacks them. efforts: levels of reasoning that it knows; empty: not known. least_thinking: tokens, the
    smallest budget but none. thinks_at_temperature: the only one with which its models think; None: any.
    """

    name: str
    about: str
    root: str = ""
    api: Api = "openai"
    aliases: tuple[str, ...] = ()
    key_variables: tuple[str, ...] = ()
    needs_key: bool = True
    supports: Supports = msgspec.field(default_factory=Supports)
    limit_field: str = "max_tokens"
    params_name: str = "provider_params"
    lacks: Mapping[str, str] = msgspec.field(default_factory=dict)
    drops: str = ""
    efforts: tuple[str, ...] = ()
    least_thinking: int = 0
    thinks_at_temperature: float | None = None

    @property
    def is_local(self) -> bool:
        """Whether it is a server that is launched, or measured, here; not a service."""
        return self.name == LOCAL


class NamedModel(NamedTuple):
    """provider/model, in one text."""

    provider: str
    model: str


LOCAL = "local"
COMPATIBLE = "compatible"

_ROWS = (
    # Chat Completions: max_tokens is deprecated for max_completion_tokens, which models that think require; up to four
    # stop sequences (none for o3, o4-mini); completions only for old models.
    # https://platform.openai.com/docs/api-reference/chat/create
    ProviderFacts(
        name="openai",
        about="OpenAI",
        root="https://api.openai.com/v1",
        key_variables=("OPENAI_API_KEY",),
        supports=Supports(completions=False),
        limit_field="max_completion_tokens",
    ),
    # Messages: max_tokens is required; no seed, no log-probabilities; tools; output_config.format has a JSON schema.
    # Its OpenAI layer is "not considered a long-term or production-ready solution", and passes over what it lacks.
    # https://docs.anthropic.com/en/api/messages, https://docs.anthropic.com/en/api/openai-sdk
    ProviderFacts(
        name="anthropic",
        about="Anthropic, by its Messages API",
        root="https://api.anthropic.com/v1",
        api="anthropic",
        key_variables=("ANTHROPIC_API_KEY",),
        lacks={
            "seed": "leave it out: answers can't be drawn again from a seed there",
            "min_p": "take --top-p",
            "repeat_penalty": "leave it out",
            "presence_penalty": "leave it out",
            "chat_template_kwargs": "take --reasoning-effort or --thinking-budget",
        },
        efforts=("none", "low", "medium", "high", "xhigh", "max"),
        least_thinking=1024,
        thinks_at_temperature=1.0,
        supports=Supports(seed=False, logprobs=False, completions=False),
    ),
    # Below /v1beta/openai, without another /v1; unknown fields such as seed are a 400; five stop sequences.
    # https://ai.google.dev/gemini-api/docs/openai
    ProviderFacts(
        name="gemini",
        about="Google Gemini, by its OpenAI-compatible API",
        root="https://generativelanguage.googleapis.com/v1beta/openai",
        key_variables=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        supports=Supports(seed=False, logprobs=False, completions=False),
    ),
    # Chat Completions are its older API; models that think refuse stop and presence_penalty, which is learnt.
    # https://docs.x.ai/docs/api-reference, https://docs.x.ai/developers/model-capabilities/text/comparison
    ProviderFacts(
        name="xai",
        about="xAI",
        root="https://api.x.ai/v1",
        aliases=("grok",),
        key_variables=("XAI_API_KEY",),
        supports=Supports(completions=False),
    ),
    # The router to Inference Providers: chats only; what else holds depends on who serves the model.
    # https://huggingface.co/docs/inference-providers/tasks/chat-completion
    ProviderFacts(
        name="huggingface",
        about="Hugging Face's router to Inference Providers",
        root="https://router.huggingface.co/v1",
        key_variables=("HF_TOKEN",),
        supports=Supports(logprobs=False, completions=False),
    ),
    # States the cost of each answer in usage.cost; parameters that a model lacks are left out there, not refused,
    # unless provider.require_parameters says otherwise.
    # https://openrouter.ai/docs/api-reference/overview, https://openrouter.ai/docs/api-reference/parameters
    ProviderFacts(
        name="openrouter",
        about="OpenRouter",
        root="https://openrouter.ai/api/v1",
        key_variables=("OPENROUTER_API_KEY",),
        supports=Supports(logprobs=False, completions=False),
        lacks=dict.fromkeys(("thinking_budget", "chat_template_kwargs"), "take --reasoning-effort"),
        drops='--provider-params \'{"provider": {"require_parameters": true}}\'',
    ),
    # Its OpenAI-compatible API passes over num_ctx, top_k, min_p and whatever else it doesn't know without a word, so
    # its own API is asked, which takes them as `options`.
    # https://github.com/ollama/ollama/blob/main/docs/api.md, https://docs.ollama.com/api/openai-compatibility
    ProviderFacts(
        name="ollama",
        about="a running Ollama daemon, by its own API",
        root="http://127.0.0.1:11434",
        api="ollama",
        key_variables=("OLLAMA_API_KEY",),
        needs_key=False,
        supports=Supports(logprobs=False, most_stops=16),
        params_name="ollama_params",
        lacks=dict.fromkeys(
            ("thinking_budget", "chat_template_kwargs"),
            "leave it out; --reasoning-effort none turns thinking off",
        ),
    ),
    # Whoever else speaks OpenAI's API: --base-url says where.
    ProviderFacts(
        name=COMPATIBLE,
        about="any other OpenAI-compatible API, at --base-url",
        key_variables=("OPENAI_API_KEY",),
        needs_key=False,
    ),
    # llama-server, vLLM and the like: launched by us, or measured while they serve us.
    ProviderFacts(
        name=LOCAL,
        about="a server on a machine of yours, as without --provider",
        key_variables=("OPENAI_API_KEY",),
        needs_key=False,
    ),
)
PROVIDERS: dict[str, ProviderFacts] = {row.name: row for row in _ROWS}
NAMES = tuple(name for row in _ROWS for name in (row.name, *row.aliases))


def provider_of(name: str) -> ProviderFacts:
    """The row of that name or alias. Raises UsageError."""
    for row in _ROWS:
        if name in {row.name, *row.aliases}:
            return row
    raise UsageError(
        f"unknown provider {name!r}",
        hint=f"known are {', '.join(NAMES)}; any OpenAI-compatible API is --provider {COMPATIBLE} --base-url URL",
        settings=("provider",),
    )


def named_by_model(text: str) -> NamedModel | None:
    """What `openai/gpt-4o-mini` names; None for another text, and where there is a file or folder of that name.

    With a kind of server that loads models it is a name on the Hub; whoever asks sees to that.
    """
    prefix, slash, model = text.partition("/")
    if not slash or not model or prefix in {LOCAL, COMPATIBLE} or prefix not in NAMES:
        return None
    return None if user_path(text).exists() else NamedModel(provider_of(prefix).name, model)


def require_taken(provider: str | None, given: Mapping[str, Any]) -> None:
    """Raise UsageError for settings that the provider can't follow.

    given: the values that were given, by name; None is none. What only some of its models refuse is left to their
    own words.
    """
    if provider is None:
        return
    facts = provider_of(provider)
    for name, hint in facts.lacks.items():
        if given.get(name) is not None:
            raise UsageError(
                f"{option_of(name)} does not apply to --provider {facts.name}: its API has no such parameter",
                hint=hint,
                settings=(name,),
            )
    if given.get("prompt_style") == "completion" and not facts.supports.completions:
        raise UsageError(
            f"--prompt-style completion does not apply to --provider {facts.name}, which takes chats only",
            hint="leave --prompt-style out",
            settings=("prompt_style",),
        )
    budget, effort = given.get("thinking_budget"), given.get("reasoning_effort")
    if budget is not None and 0 < budget < facts.least_thinking:
        raise UsageError(
            f"--thinking-budget {budget} is less than --provider {facts.name} takes",
            hint=f"take at least {facts.least_thinking}, or 0 for none",
            settings=("thinking_budget",),
        )
    if effort is not None and facts.efforts and effort not in facts.efforts:
        raise UsageError(
            f"--provider {facts.name} has no reasoning effort {effort!r}",
            hint="take one of " + ", ".join(facts.efforts),
            settings=("reasoning_effort",),
        )
    thinks = [value for value in (budget, effort) if value is not None]
    heat = given.get("temperature")
    fixed = facts.thinks_at_temperature
    if fixed is not None and heat not in {None, fixed} and thinks and not {0, "none"} & set(thinks):
        raise UsageError(
            f"models of --provider {facts.name} think at temperature {fixed:g} only, not {heat:g}",
            hint="leave --temperature out, or turn thinking off with --reasoning-effort none",
            settings=("temperature",),
        )
