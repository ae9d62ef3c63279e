"""`--merge-shards`: what a benchmark's script makes of the shards of a run, without asking or judging anything."""

import asyncio
import contextlib
import io
import json
from functools import partial

import pytest
from msgspec.structs import replace
from msgspec.structs import replace as but

from evaluation.data.data_set import DataSetTask
from evaluation.loop.checkpoint import Settings
from evaluation.protocols import PromptStyle, Sample
from results.errors import ScriptError
from results.json_text import encode, encode_indented
from results.prompts.sent_prompts import sent_prompt
from results.records import Completion, Cut, Outcome
from scripts.arguments import parse
from scripts.benchmark_program import BenchmarkProgram
from scripts.events import Events
from scripts.session import run_benchmark
from settings.samples.shards import Shard

SAMPLES = [Sample(task_id=f"t/{number}", data={}) for number in range(7)]


class Task(DataSetTask):
    """Asked and judged by nobody."""


PROGRAM = BenchmarkProgram(
    name="gsm8k",
    data_sha256="1",
    make_task=lambda style, _: Task("gsm8k", SAMPLES, style),
    style=PromptStyle.CHAT,
)
SETTINGS = Settings(
    benchmark="gsm8k", model="m", data_sha256="1", prompts_sha256="2", prompt_style="chat", stop=(), timeout_s=3.0,
    limit=0, n_samples=2, style_choice={"requested": "auto", "chosen": "chat"},
)  # fmt: skip


def answer(task_id, index, **facts):
    return Completion(task_id=task_id, index=index, answer=f"of {task_id}", outcome=Outcome.PASSED, passed=True,
                      prompt_tokens=5, completion_tokens=7, **facts)  # fmt: skip


def shard(folder, number, total, *, samples=SAMPLES, settings=SETTINGS, make=answer):
    """A shard's folder as its run leaves it: lines in the order in which answers came."""
    path = folder / f"shard{number}"
    path.mkdir(parents=True)
    own = Shard(number, total).of(samples)
    lines = [make(sample.task_id, index) for sample in own for index in range(settings.n_samples)]
    (path / "completions.jsonl").write_bytes(b"".join(encode(line) + b"\n" for line in reversed(lines)))
    bound = but(settings, limit=len(own), shard=f"{number}/{total}")
    (path / "settings.json").write_bytes(encode_indented(bound))
    prompts = [sent_prompt(sample.task_id, f"ask {sample.task_id}") for sample in own]
    (path / "prompts.jsonl").write_bytes(b"".join(encode(prompt) + b"\n" for prompt in prompts))
    return path


def merge(output, shards, *words):
    read = partial(parse, benchmark="gsm8k", about="", defaults={"n_samples": 2})
    given = [word for path in shards for word in ("--merge-shards", str(path))]
    arguments = read(["--output", str(output), *given, *words])
    out = io.TextIOWrapper(io.BytesIO())
    with contextlib.redirect_stdout(out):
        asyncio.run(run_benchmark(PROGRAM, arguments, Events()))
    return json.loads(out.buffer.getvalue().splitlines()[-1])


def ids(path):
    return [
        (line["task_id"], line.get("index", 0)) for line in map(json.loads, path.read_text().splitlines())
    ]


def test_the_merged_folder_is_that_of_the_whole_run_in_its_order(tmp_path):
    out = tmp_path / "whole"
    shards = [shard(tmp_path, number, 3) for number in (1, 2, 3)]
    summary = merge(out, shards)
    assert ids(out / "completions.jsonl") == [(each.task_id, index) for each in SAMPLES for index in (0, 1)]
    assert [task_id for task_id, _ in ids(out / "prompts.jsonl")] == [each.task_id for each in SAMPLES]
    bound = json.loads((out / "settings.json").read_text())
    assert (bound["limit"], bound["shard"], bound["n_samples"]) == (7, None, 2)
    assert (summary["score"], summary["samples"], summary["completions"]) == (100.0, 7, 14)
    assert (summary["samples_there"], summary["generate_s"], summary["completion_tokens"]) == (7, None, 98)
    before = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    assert merge(out, shards) == summary, "again, after it was killed"
    assert {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()} == before


def test_limit_and_shuffle_choose_and_order_before_the_split(tmp_path):
    from scripts.shards.chosen_samples import of_whole_run

    wanted = of_whole_run(SAMPLES, parse(
        ["--output", "x", "--merge-shards", "y", "--limit", "5", "--shuffle", "3"], benchmark="gsm8k", about=""
    ))  # fmt: skip
    assert len(wanted) == 5
    assert list(wanted) != SAMPLES[:5]
    settings = but(SETTINGS, shuffle=3)
    shards = [shard(tmp_path, number, 2, samples=wanted, settings=settings) for number in (1, 2)]
    merge(tmp_path / "whole", shards, "--limit", "5", "--shuffle", "3")
    assert ids(tmp_path / "whole" / "completions.jsonl")[::2] == [(each.task_id, 0) for each in wanted]


def test_what_all_answers_together_show_is_judged_over_all_shards(tmp_path):
    """An answer that was cut in a thought has no mark of it; most others, which end theirs, are in other shards."""

    def make(task_id, index):
        done = answer(task_id, index)
        if task_id == "t/0":
            return but(done, cut=Cut.LENGTH)
        return but(done, answer="so it goes</think>4")

    shards = [shard(tmp_path, number, 7, make=make) for number in range(1, 8)]
    summary = merge(tmp_path / "whole", shards)
    assert summary["outcomes"]["truncated"] == 2
    assert summary["score"] == pytest.approx(100 * 6 / 7)


def test_a_lost_answer_stays_lost(tmp_path):
    def make(task_id, index):
        lost = {"outcome": Outcome.INFRASTRUCTURE_ERROR, "passed": False, "detail": "gone"}
        return but(answer(task_id, index), **(lost if task_id == "t/4" else {}))

    summary = merge(tmp_path / "whole", [shard(tmp_path, number, 2, make=make) for number in (1, 2)])
    assert summary["outcomes"]["infrastructure_error"] == 2
    assert "lost to infrastructure" in summary["warnings"][0]


def break_shard(path, what):
    if what == "lacks":
        lines = (path / "completions.jsonl").read_bytes().splitlines(keepends=True)
        (path / "completions.jsonl").write_bytes(b"".join(lines[1:]))
    elif what == "strange":
        with (path / "completions.jsonl").open("ab") as file:
            file.write(encode(answer("t/0", 0)) + b"\n")
    elif what == "other":
        bound = json.loads((path / "settings.json").read_text())
        (path / "settings.json").write_text(json.dumps(bound | {"temperature": 0.5}))
    else:
        (path / "settings.json").unlink()


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("lacks", "lacks t/"),
        ("strange", "holds, not of this shard, t/0"),
        ("other", "not of one run: temperature is 0.0"),
        ("none", "doesn't hold the shard 2/2"),
    ],
)
def test_shards_that_are_not_one_run_are_never_merged(tmp_path, what, told):
    shards = [shard(tmp_path, number, 2) for number in (1, 2)]
    break_shard(shards[1], what)
    with pytest.raises(ScriptError, match=told):
        merge(tmp_path / "whole", shards)
    with pytest.raises(ScriptError, match="doesn't hold the shard 1/2"):
        merge(tmp_path / "whole", shards[::-1])


def test_a_shard_of_too_few_samples_says_how_many_there_may_be(tmp_path):
    from results.errors import UsageError
    from scripts.shards.chosen_samples import chosen

    arguments = parse(["--output", "x", "--merge-shards", "y", "--limit", "5"], benchmark="gsm8k", about="")
    with pytest.raises(UsageError, match="5 samples can't be split into 8") as refused:
        chosen(SAMPLES, replace(arguments, shard=Shard(2, 8)))
    assert "--shards 5" in refused.value.hint
