"""`--merge-shards`: the completions of all shards of a run as those of one; nothing is asked or judged again.

What comes out is what the run would have left that asks all samples itself: completions, prompts and settings in its
folder, and its summary. Called again, it does the same again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from evaluation.loop.checkpoint import JOURNAL_NAME, Journal, read_settings
from evaluation.loop.grader import Grader
from evaluation.loop.judging import without_open_thoughts
from evaluation.protocols import PromptStyle
from results.completion_lines import latest
from results.durable import explained
from results.errors import ScriptError
from results.files import read_file
from results.json_text import encode
from results.prompts.sent_prompts import read_prompts, write_prompts
from scripts.rejudging import recorded_summary
from scripts.shards.chosen_samples import of_whole_run
from settings.samples.shards import Shard

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from evaluation.loop.checkpoint import Key, Settings
    from evaluation.protocols import Sample, Task
    from results.prompts.sent_prompts import SentPrompt
    from results.records import Completion
    from scripts.arguments import Arguments
    from scripts.benchmark_program import BenchmarkProgram
    from scripts.events import Events

_MAY_DIFFER = {"limit", "shard", "style_choice", "sent_as", "schema_version"}
_AGAIN = "`show` tells which run each shard is; the run needs to be done again, or without --shards"


async def merge_shards(benchmark: BenchmarkProgram, arguments: Arguments, events: Events) -> None:
    """Put the shards in `arguments.merge_shards` together and say the summary. Raises BenchError."""
    folders = arguments.merge_shards
    settings = _settings(folders)
    style = PromptStyle(settings.prompt_style)
    grader = Grader(
        level=arguments.sandbox, timeout_s=settings.timeout_s, memory_bytes=settings.memory_limit_bytes
    )
    task = benchmark.make_task(style, grader)
    there = task.get_samples(None)
    samples = of_whole_run(there, arguments)
    found, prompts = _read(folders, samples, settings.n_samples)
    keys = [(sample.task_id, index) for sample in samples for index in range(settings.n_samples)]
    settings = msgspec.structs.replace(settings, limit=len(samples), shard=None)
    events.emit("start", benchmark=benchmark.name, total=len(keys), finished=len(keys))
    events.say(f"{benchmark.name}: {len(keys)} completions of {len(folders)} shards")
    async with Journal(arguments.output) as journal:
        journal.look()
        journal.bind(settings)
        write_prompts(
            arguments.output, [prompts[key] for sample in samples if (key := sample.task_id) in prompts]
        )
        lines = b"".join(encode(found[key]) + b"\n" for key in keys)
        journal.begin_with(lines)
        for completion in _corrected(task, [found[key] for key in keys], settings):
            await journal.add(completion)
            found[completion.task_id, completion.index] = completion
    # What only the shards know is left out: how long it took, and what there is to say of their servers.
    summary = recorded_summary(benchmark, task, settings, tuple(found[key] for key in keys))
    summary["new_completions"] = None
    for warning in summary["warnings"]:
        events.say(f"WARNING: {warning}")
    outcomes = ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in summary["outcomes"].items() if n)
    events.say(f"score {summary['score']:.2f} of 100 ({outcomes})")
    events.emit("summary", **{**summary, "samples_there": len(there), "prompt_style": settings.style_choice})


def _settings(folders: Sequence[Path]) -> Settings:
    """Those that all shards have. Raises ScriptError where they differ."""
    first: Settings | None = None
    for number, folder in enumerate(folders, start=1):
        settings = read_settings(folder)
        wanted = Shard(number, len(folders)).written
        if settings is None or settings.shard != wanted:
            raise ScriptError(f"{folder} doesn't hold the shard {wanted} of a run", hint=_AGAIN)
        first = first or settings
        for name in settings.__struct_fields__:
            one, other = getattr(first, name), getattr(settings, name)
            if name not in _MAY_DIFFER and one != other:
                raise ScriptError(
                    f"the shards are not of one run: {name} is {one!r} in {folders[0].name} and {other!r} in "
                    f"{folder.name}",
                    hint=_AGAIN,
                )
    if first is None:
        raise ScriptError("there is no shard to merge", hint="give --merge-shards once for each")
    return first


def _read(
    folders: Sequence[Path], samples: Sequence[Sample], n_samples: int
) -> tuple[dict[Key, Completion], dict[str, SentPrompt]]:
    """All completions and prompts. Raises ScriptError unless each shard has exactly its own ones."""
    found: dict[Key, Completion] = {}
    prompts: dict[str, SentPrompt] = {}
    for number, folder in enumerate(folders, start=1):
        wanted = Shard(number, len(folders)).of(samples)
        keys = {(sample.task_id, index) for sample in wanted for index in range(n_samples)}
        path = folder / JOURNAL_NAME
        with explained("read", path):
            there = latest(read_file(path).splitlines())
        missing, strange = sorted(keys - there.keys()), sorted(there.keys() - keys)
        if missing or strange:
            what, name = ("lacks", missing[0][0]) if missing else ("holds, not of this shard,", strange[0][0])
            raise ScriptError(f"{path} {what} {name}", hint=_AGAIN)
        found |= there
        prompts |= read_prompts(folder)
    return found, prompts


def _corrected(task: Task, completions: Sequence[Completion], settings: Settings) -> Sequence[Completion]:
    """What all answers together show of single ones, as in a run without shards."""
    if task.style is not PromptStyle.CHAT:
        return ()
    return without_open_thoughts(completions, known=bool(settings.style_choice.get("opens_thought")))
