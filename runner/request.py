"""Turn the settings into a RunSpec, and report all visible errors before anything starts."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from parsers import registry
from results.errors import UsageError
from results.files import instead_of, unreadable, user_path
from results.prompts.prompt_file import read_prompt_file
from runner.attached import with_provider
from runner.scoring.asked import require_scorable
from runner.script import ROOT
from runner.script.command import Target, script_command
from runner.spec import RunSpec
from settings.adapters import AdapterText, adapter_text
from settings.benchmark_settings import KLD_TOP
from settings.benchmarks import BENCHMARKS, external_benchmark, get_benchmark
from settings.kld_lengths import longest_window
from settings.metric_texts import metrics_below
from settings.needle_lengths import longest_text
from settings.optimising.rows import (
    OPTIMISE_PARSER,
    OPTIMISER_SETTINGS,
    datasets_below,
    require_optimizable,
)
from settings.providers import require_taken
from settings.samples.shards import require_shardable
from settings.sampling_rules import require_sense
from settings.secrets import require_no_secret
from settings.speed_lengths import longest_request
from settings.spending.options import SPENDING_SETTINGS, require_priced_by_tokens
from settings.spending.prices import charges, require_price
from settings.suites import is_suite_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from servers.lora import Adapter
    from servers.models import Model
    from servers.request import ServerKind, ServerRequest
    from settings.asked import Asked
    from settings.benchmarks import Benchmark
    from settings.speed_lengths import LongestRequest

# By benchmark: the longest request, which the server's context is chosen for.
_LONGEST: Mapping[str, Callable[[Asked], LongestRequest | None]] = {
    "speed": longest_request,
    "needle": longest_text,
    "kld": longest_window,
}
_OF_A_SERVER = {"speed", "kld"}
_MAX_LOGPROBS = "--max-logprobs"
_OF_OUR_PROMPTS = {"metrics", "prompt", *(row.name for row in OPTIMISER_SETTINGS)}
_OF_OUR_REQUESTS = {row.name for row in SPENDING_SETTINGS}
_ANY_TARGET = Target(base_url="", model_name="", output_dir=Path(), concurrency=1)


def build_spec(asked: Asked, *, model: Model | None = None, ask_scripts: bool = True) -> RunSpec:
    """Build the RunSpec. model: if it is already resolved. ask_scripts: whether benchmarks' own programs check data and
    options, which takes them seconds. Raises UsageError.
    """
    asked = _with_whole_paths(with_provider(asked))
    benchmark = _benchmark(asked)
    _require_meaning(asked, benchmark)
    external = asked["script"] is not None
    if benchmark.name == "kld" and not external:
        from runner.kld.way import require_text

        require_text(asked)
    if asked["prompt"] is not None:
        read_prompt_file(Path(asked["prompt"]))
    usual = OPTIMISE_PARSER if asked["optimizer"] is not None else benchmark.parser
    parser = registry.in_full(asked["parser"] or (benchmark.external_parser if external else usual))
    registry.get(parser)
    scoring = require_scorable(asked, benchmark)
    require_shardable(asked, benchmark=benchmark.name, parser=parser)
    spec = RunSpec(
        benchmark=benchmark,
        asked=asked,
        server=_server(asked, model, benchmark),
        parser=parser,
    )
    _require_known_answers(spec)
    script_command(spec, _ANY_TARGET)  # reports an unknown placeholder now
    if asked["metrics"] is not None and ask_scripts:
        from runner.option_check import check_metrics

        check_metrics(asked["metrics"])
    if scoring is not None and ask_scripts:
        from runner.option_check import check_scoring

        check_scoring(scoring)
    if asked["optimizer"] is not None and ask_scripts:
        from runner.option_check import check_search

        check_search(spec)
    if benchmark.checks and ask_scripts and not external:
        from runner.option_check import check_options

        check_options(spec)
    return spec


def _require_known_answers(spec: RunSpec) -> None:
    """Raise UsageError for a key where a record would keep it, a cap that can't be held, and a cache that could give
    another model's answers.
    """
    provider, base_url = spec.server.provider or "", spec.server.base_url or ""
    params = json.loads(spec.asked["provider_params"] or "{}")
    require_no_secret(params)
    if spec.asked["max_cost"] is not None:
        name, url = spec.asked["reflector_provider"] or "", spec.asked["reflector_base_url"] or ""
        reflects = bool(name or url)
        if not reflects or charges(provider, base_url):
            require_price(provider, base_url, spec.server.model_name or "")
        if reflects and (charges(name, url) or not charges(provider, base_url)):
            require_price(name, url, spec.asked["reflector_model"] or "")
        require_priced_by_tokens(params)
    if spec.asked["cache"] and provider and not charges(provider, base_url):
        raise UsageError(
            f"--cache can't tell what {provider} serves: another model may stand there tomorrow under the same name",
            hint="leave --cache out, or give --base-url without --provider if it says what it serves",
            settings=("cache",),
        )


def _with_whole_paths(asked: Asked) -> Asked:
    """Make paths of files absolute; they must exist. One of our own scripts is dropped, as its benchmark names it."""
    changes: dict[str, Any] = {}
    for name, value in asked.given.items():
        setting = asked.table[name]
        if setting.kind == "adapters":
            changes[name] = tuple(_whole_adapter(text) for text in value)
        if name == "benchmark" and asked["script"] is None and is_suite_file(value):
            changes[name] = str(user_path(value).absolute())
        if name == "model_draft":
            from servers.speculation.draft_model import draft_path

            changes[name] = _same_variables(str(draft_path(value)), value)
        if name == "metrics":
            changes[name] = metrics_below(Path.cwd(), value)
        if name == "datasets":
            changes[name] = datasets_below(Path.cwd(), value)
        if name == "kld_reference" and user_path(value).exists():
            changes[name] = str(user_path(value).absolute())
        if setting.kind != "path" or name == "model_draft":
            continue
        path = user_path(value).absolute()
        if why := unreadable(path, or_folder=name != "script"):
            raise UsageError(f"{setting.option} {value}: {why}", hint=instead_of(path), settings=(name,))
        is_ours = name == "script" and path.resolve().parent == ROOT / "scripts"
        changes[name] = None if is_ours else _same_variables(str(path), value)
    return asked.but(**changes)


def _whole_adapter(text: str) -> str:
    """FILE or FILE:SCALE with the absolute path; the file must exist. A file of the whole name comes first."""
    given = adapter_text(text)
    if given.scale is not None and user_path(text).exists():
        given = AdapterText(text, None)
    path = user_path(given.file).absolute()
    if why := unreadable(path, or_folder=True):
        raise UsageError(f"--lora {given.file}: {why}", hint=instead_of(path), settings=("lora",))
    return AdapterText(str(path), given.scale).written


def _same_variables(path: str, value: str) -> str:
    from settings.variables import Filled

    return Filled(path, value.written) if isinstance(value, Filled) else path


def _benchmark(asked: Asked) -> Benchmark:
    """The benchmark. An external script may measure anything; without a name it gets that of its file."""
    name: str | None = asked["benchmark"]
    if asked["script"] is not None:
        return external_benchmark(name or _called(Path(asked["script"])))
    if name is None:
        raise UsageError(
            "no --benchmark given",
            hint=f"one of {', '.join(sorted(BENCHMARKS))}, a suite (`suites list`), or a program with --script; see "
            "`run --help`",
            settings=("benchmark",),
        )
    return get_benchmark(name)


def _called(script: Path) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", script.name.removesuffix(".py"))[:64].lstrip("._-") or "script"


def _require_meaning(asked: Asked, benchmark: Benchmark) -> None:
    """Raise UsageError for a setting that would change nothing."""
    external = asked["script"] is not None
    if asked["script_args"] and not external:
        raise UsageError(
            "--script-args needs --script",
            hint="our own scripts get the options of `run`",
            settings=("script_args",),
        )
    for name in asked.given:
        setting = asked.table[name]
        if external and (setting.is_own or name in _OF_OUR_PROMPTS):
            raise UsageError(
                f"{setting.option} is for our own script, not for --script",
                hint="use --script-args",
                settings=(name,),
            )
        if external and name in _OF_OUR_REQUESTS:
            raise UsageError(
                f"{setting.option} is for our own scripts: what another program sends isn't seen here",
                hint="set a limit at the provider, or use the program's own option with --script-args",
                settings=(name,),
            )
        if not external and not setting.knows_benchmark(benchmark.name):
            raise UsageError(
                f"{setting.option} does not apply to --benchmark {benchmark.name}",
                hint=f"it belongs to {' and '.join(setting.benchmarks)}"
                if setting.is_own
                else f"leave {setting.option} out",
                settings=(name,),
            )
    if not external:
        require_optimizable(asked.given)
        require_sense(benchmark.name, asked.given)
        require_taken(asked["provider"], asked.given)


def _server(asked: Asked, model: Model | None, benchmark: Benchmark) -> ServerRequest:
    from servers.request import ServerRequest

    provider = asked["provider"]
    kind = asked["server"] or ("attach" if asked["base_url"] else "llama.cpp")
    if provider is not None:
        kind = "provider"
        _require_answers(benchmark, asked)
    if asked["server_command"] and asked["server"] is None:
        kind = "command"
    is_running = kind in {"attach", "provider"}
    if asked["base_url"] and not is_running:
        raise UsageError(
            f"--base-url goes with --server attach, not {kind}",
            hint=f"leave --server {kind} out: a server that is running is only asked",
            settings=("base_url",),
        )
    longest_of = _LONGEST.get(benchmark.name) if asked["script"] is None else None
    perplexity = None
    if benchmark.name == "kld":
        from runner.kld.way import perplexity_request

        perplexity = perplexity_request(asked, benchmark, kind=kind)
    has_server = kind in {"llama.cpp", "vllm"} and perplexity is None
    longest = longest_of(asked) if longest_of is not None and has_server else None
    slots = asked["parallel"] or (longest.at_once if longest else None)
    needs_memory = kind == "llama.cpp" and slots is None and asked["gpu_layers"] != 0
    return ServerRequest(
        kind=cast("ServerKind", kind),
        model=None if is_running else model or _model(asked["model"]),
        server_binary=asked["server_binary"],
        base_url=asked["base_url"],
        model_name=asked["model"] if is_running else None,
        provider=provider,
        provider_params=asked["provider_params"],
        api_key_file=Path(asked["api_key_file"]) if asked["api_key_file"] else None,
        command=asked["server_command"],
        health_path=asked["health_path"],
        gpu_layers=asked["gpu_layers"],
        ctx_size=asked["ctx_size"],
        parallel=asked["parallel"],
        port=asked["port"],
        lora=_adapters(asked["lora"]) if asked["lora"] else None,
        options={
            name: value for name, value in asked.given.items() if asked.table[name].server_option is not None
        },
        extra_args=(*(asked["server_args"] or ()), *_logprobs_allowed(asked, benchmark, kind)),
        gpu_memory_bytes=_gpu_memory_bytes(asked["server_binary"]) if needs_memory else None,
        longest=longest,
        perplexity=perplexity,
    )


def _adapters(texts: Iterable[str]) -> tuple[Adapter, ...]:
    from servers.lora import adapter_of

    return tuple(map(adapter_of, texts))


def _require_answers(benchmark: Benchmark, asked: Asked) -> None:
    """Raise UsageError for a benchmark that measures a server, not answers."""
    if asked["script"] is None and benchmark.name in _OF_A_SERVER:
        raise UsageError(
            f"--benchmark {benchmark.name} measures a server, and a provider's can't be measured",
            hint="leave --provider out: --model FILE, or --base-url of a server of yours",
            settings=("provider",),
        )


def _logprobs_allowed(asked: Asked, benchmark: Benchmark, kind: str) -> tuple[str, ...]:
    """Of vLLM, which gives no more than 20 of a token's log-probabilities unless told to: those that kld asks for."""
    given = any(word.partition("=")[0] == _MAX_LOGPROBS for word in asked["server_args"] or ())
    if kind != "vllm" or benchmark.name != "kld" or asked["script"] is not None or given:
        return ()
    return (_MAX_LOGPROBS, str(asked["kld_top"] or KLD_TOP))


def _gpu_memory_bytes(server_binary: str | None) -> int | None:
    """The largest GPU's memory; None if only the built-in llama.cpp is available, which uses no GPU."""
    from servers.llama_cpp import find_binary
    from telemetry.devices import largest_gpu_memory_bytes

    return largest_gpu_memory_bytes() if find_binary(server_binary) is not None else None


def _model(text: str | None) -> Model:
    from servers.models import resolve

    if text is None:
        print("no --model given: using the small demo model, SmolLM2 135M", file=sys.stderr)
    return resolve(text)
