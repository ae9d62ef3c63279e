"""Options of the command line -> a RunSpec; what can be seen to be wrong is an error here, before anything starts."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from parsers import registry
from results.errors import UsageError
from results.store.run_folder import default_results_dir
from runner.script import ROOT, Target, script_command
from runner.spec import RunSpec, Sampling, ScriptChoice, Supervision, require_count
from settings.benchmarks import BENCHMARKS, all_options, foreign_benchmark, get_benchmark

if TYPE_CHECKING:
    from typing import Literal

    from servers.models import Model
    from servers.request import ServerRequest
    from settings.benchmarks import Benchmark

_ANY_TARGET = Target(base_url="", model_name="", output_dir=Path(), concurrency=1)
SAMPLING = ("limit", "n_samples", "temperature", "max_tokens", "seed", "prompt_style", "shuffle")


def build_spec(
    *, benchmark: str | None, results_dir: Path | None, resume: str | None, **options: Any
) -> RunSpec:
    """Raises UsageError. The keywords are the command line's options, None where one was not given."""
    script = _script(options)
    chosen = _benchmark(benchmark, script)
    sampling = Sampling(**{name: options[name] for name in SAMPLING})
    for name in chosen.unused:
        if options[name] is not None and options["script"] is None:
            raise UsageError(f"--{name.replace('_', '-')} means nothing to --benchmark {chosen.name}")
    for name in ("ctx_size", "parallel", "tensor_parallel_size"):
        require_count(name, options[name])
    for name in ("ready_timeout", "stall_timeout", "script_timeout"):
        if options[name] is not None and not options[name] > 0:  # NaN too
            raise UsageError(f"--{name.replace('_', '-')} must be more than 0 seconds")
    if options["max_restarts"] < 0:
        raise UsageError("--max-restarts must be 0 or more")
    own = _own_options(chosen, options)
    if own and script.path is not None:
        raise UsageError(
            f"--{next(iter(own))} is for our own script, not for --script", hint="use --script-args"
        )
    default = chosen.parser if script.path is None else chosen.foreign_parser
    parser = registry.in_full(options["parser"] or default)
    registry.get(parser)
    server = _server(options)
    spec = RunSpec(
        benchmark=chosen,
        server=server,
        sampling=sampling,
        script=script,
        supervision=Supervision(
            ready_timeout_s=options["ready_timeout"],
            stall_timeout_s=options["stall_timeout"],
            max_restarts=options["max_restarts"],
        ),
        parser=parser,
        results_dir=(results_dir or default_results_dir()).absolute(),
        options=own,
        resume=resume,
        config={
            **_config(options, server, script, parser, chosen),
            **{name.replace("-", "_"): value for name, value in own.items()},
        },
    )
    script_command(spec, _ANY_TARGET)  # a placeholder that there isn't is told now
    if chosen.checks and script.path is None:
        from runner.option_check import check_options

        check_options(spec)
    return spec


def _benchmark(name: str | None, script: ScriptChoice) -> Benchmark:
    """A script of somebody else's may measure anything: without a name it is called as its file is."""
    if script.path is not None:
        return foreign_benchmark(name or _called(script.path))
    if name is None:
        raise UsageError(
            "no --benchmark given",
            hint=f"one of {', '.join(sorted(BENCHMARKS))}, or a program by --script; see `run --help`",
        )
    return get_benchmark(name)


def _called(script: Path) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", script.name.removesuffix(".py"))[:64].lstrip("._-") or "script"


def _own_options(benchmark: Benchmark, options: dict[str, Any]) -> dict[str, str]:
    """The benchmark's own options that were given, as its script takes them."""
    own = {option.key for option in benchmark.options}
    found = {}
    for key, (option, benchmarks) in all_options().items():
        value = options.get(key)
        if value is None:
            continue
        if key not in own:
            raise UsageError(
                f"--{option.name} means nothing to --benchmark {benchmark.name}",
                hint=f"it belongs to {' and '.join(benchmarks)}",
            )
        if option.pattern and not re.fullmatch(option.pattern, value):
            raise UsageError(f"--{option.name} {value} is not {option.metavar}", hint=option.help)
        if option.is_path:
            path = Path(value).expanduser().absolute()
            if not path.exists():
                raise UsageError(f"--{option.name} {value}: no such file")
            value = path
        found[option.name] = str(value)
    return found


def _script(options: dict[str, Any]) -> ScriptChoice:
    path: Path | None = options["script"]
    args = shlex.split(options["script_args"] or "")
    if path is not None:
        path = path.expanduser().absolute()
        if not path.is_file():
            raise UsageError(f"--script {path}: no such file")
        if path.resolve().parent == ROOT / "scripts":
            path = None  # one of ours: its benchmark's name says all
    if args and path is None:
        raise UsageError("--script-args belong to --script", hint="our own scripts get the options of `run`")
    return ScriptChoice(
        path=path, args=tuple(args), timeout_s=options["script_timeout"], sandbox=options["sandbox"]
    )


def _server(options: dict[str, Any]) -> ServerRequest:
    from servers.request import ServerRequest

    kind = options["server"] or ("attach" if options["base_url"] else "llama.cpp")
    if options["server_command"] and options["server"] is None:
        kind = "command"
    if options["base_url"] and kind != "attach":
        raise UsageError(f"--base-url goes with --server attach, not {kind}")
    model = None if kind == "attach" else _model(options["model"])
    needs_memory = kind == "llama.cpp" and options["parallel"] is None and options["gpu_layers"] != 0
    return ServerRequest(
        kind=cast("Literal['llama.cpp', 'vllm', 'command', 'attach']", kind),
        model=model,
        server_binary=options["server_binary"],
        base_url=options["base_url"],
        model_name=options["model"] if kind == "attach" else None,
        command=options["server_command"],
        health_path=options["health_path"],
        gpu_layers=options["gpu_layers"],
        ctx_size=options["ctx_size"],
        parallel=options["parallel"],
        port=options["port"],
        extra_args=tuple(options["server_args"]),
        gpu_memory_utilization=options["gpu_memory_utilization"],
        tensor_parallel_size=options["tensor_parallel_size"],
        gpu_memory_bytes=_gpu_memory_bytes(options["server_binary"]) if needs_memory else None,
    )


def _gpu_memory_bytes(server_binary: str | None) -> int | None:
    """Of the largest GPU; not asked for where only the built-in llama.cpp is left, which uses none."""
    from servers.llama_cpp import find_binary
    from telemetry.devices import largest_gpu_memory_bytes

    return largest_gpu_memory_bytes() if find_binary(server_binary) is not None else None


def _model(text: str | None) -> Model:
    from servers.models import resolve

    if text is None:
        print("no --model given: using the small demo model, SmolLM2 135M", file=sys.stderr)
    return resolve(text)


def _config(
    options: dict[str, Any], server: ServerRequest, script: ScriptChoice, parser: str, benchmark: Benchmark
) -> dict[str, Any]:
    """The settings as asked, under the names of their options; those not given are left out."""
    named = {
        "path": str(server.model.path) if server.model and server.model.path else None,
        "server": server.kind,
        "server_binary": server.server_binary,
        "server_command": server.command,
        "base_url": server.base_url,
        "server_args": list(server.extra_args) or None,
        "script": str(script.path) if script.path else benchmark.module,
        "script_args": list(script.args) or None,
        "parser": parser,
        "gpu_layers": server.gpu_layers,
        "ctx_size": server.ctx_size,
        "gpu_memory_utilization": server.gpu_memory_utilization,
        "tensor_parallel_size": server.tensor_parallel_size,
        "sandbox": script.sandbox,
        **{name: options[name] for name in SAMPLING},
    }
    return {name: value for name, value in named.items() if value is not None}
