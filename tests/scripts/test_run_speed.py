"""The program as a whole, against a server whose timing is known."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from parsers.contract import ScriptOutput
from parsers.speed import PARSER
from servers.ports import free_port
from tests.scripts.timed_server import PROGRAM, asked, timed_server

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def command(url, output, *options):
    return [
        sys.executable, "-m", "scripts.run_speed", "--base-url", url, "--model", "m", "--output", str(output),
        *map(str, options),
    ]  # fmt: skip


def run(url, output, *options, code=0):
    """Its events and what it said to people; every summary is one that the parser finds in the journal."""
    done = subprocess.run(
        command(url, output, *options), capture_output=True, text=True, cwd=ROOT, timeout=100, check=False
    )
    assert done.returncode == code, done.stderr
    if code == 0:
        PARSER.parse(ScriptOutput(done.stdout, done.stderr, output, 0))
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def lines(output):
    return [json.loads(line) for line in (output / "requests.jsonl").read_text().splitlines()]


def most_at_once(spans):
    return max(sum(other <= start < end for other, end in spans) for start, _ in spans)


SMALL = ("--concurrencies", 1, "--prompt-tokens", 20, "--output-tokens", 4, "--requests", 3)


def test_times_and_rates_are_those_of_the_server(tmp_path):
    """First token after 200 ms, then one every 20 ms. A server can be later than it says, never earlier.

    With three at once three are under way at the same time.
    """
    options = ("--prompt-tokens", 40, "--output-tokens", 11, "--requests", 3, "--concurrencies", "1,3")
    with timed_server("--first", 0.2, "--gap", 0.02) as url:
        events, _ = run(url, tmp_path, *options)
    one, three = events[-1]["loads"]
    for load in (one, three):
        assert (load["completed"], load["failed"], load["ended_early"]) == (3, 0, 0)
        assert (load["prompt_tokens"], load["completion_tokens"]) == (120, 33)
        assert 200 <= load["ttft_ms"]["p50"] < 4000
        assert load["e2e_ms"]["min"] >= 395
        # Whoever sees the first token late sees the others sooner behind it.
        behind_the_first = load["e2e_ms"]["mean"] - load["ttft_ms"]["mean"]
        assert load["tpot_ms"]["mean"] == pytest.approx(behind_the_first / 10)
        assert load["itl_ms"]["mean"] == pytest.approx(behind_the_first / 10, rel=0.2)
        assert load["tokens_per_chunk"] == 1
        assert load["prefill_tokens_per_s"]["p50"] == pytest.approx(
            40 / load["ttft_ms"]["p50"] * 1000, rel=0.2
        )
        assert load["output_tokens_per_s"]["value"] == pytest.approx(33 / load["seconds"])
    assert one["output_tokens_per_s"]["value"] <= 11 / 0.4
    assert one["seconds"] >= 3 * 0.4
    assert three["seconds"] >= 0.4
    alone, together = (
        [
            (line["start_s"], line["start_s"] + line["e2e_s"])
            for line in lines(tmp_path)
            if line["load"] == load["load"]
        ]
        for load in (one, three)
    )
    assert most_at_once(alone) == 1
    assert most_at_once(together) == 3


def test_it_ends_when_nobody_reads_its_output_any_more(tmp_path):
    with (
        timed_server("--gap", 0.01) as url,
        subprocess.Popen(
            command(url, tmp_path, "--output-tokens", 8, "--requests", 500),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        ) as process,
    ):  # fmt: skip
        while '"progress"' not in process.stdout.readline():
            assert process.poll() is None
        process.stdout.close()
        said = process.stderr.read()
        assert process.wait(timeout=60) == 143, said
    assert "nothing reads" in said.splitlines()[-1]
    assert "Traceback" not in said


def test_tokens_that_come_together_are_counted_by_the_server_not_by_chunk(tmp_path):
    with timed_server("--gap", 0.04, "--per-chunk", 4) as url:
        events, said = run(url, tmp_path, "--concurrencies", 1, "--output-tokens", 16, "--requests", 4)
    (load,) = events[-1]["loads"]
    assert (load["completion_tokens"], load["tokens_per_chunk"]) == (64, 4)
    assert load["itl_ms"]["p50"] > 30
    assert 7 <= load["tpot_ms"]["p50"] < 200  # three gaps of 40 ms for fifteen tokens
    assert "a chunk held 4.00 tokens" in said


def test_prompts_have_their_exact_length_and_are_all_unlike_each_other(tmp_path):
    with timed_server() as url:
        for name in ("first", "second"):  # the same again, on a server that may have kept what it computed
            run(
                url,
                tmp_path / name,
                "--prompt-tokens",
                "20,40",
                "--output-tokens",
                2,
                "--concurrencies",
                "1,2",
            )
        prompts = [prompt for prompt, _ in asked(url) if isinstance(prompt, list)]
    assert {len(prompt) for prompt in prompts} == {20, 40}
    assert len({tuple(prompt[:16]) for prompt in prompts}) == len(prompts) == 2 * (40 + 6)
    assert len({tuple(prompt[16:]) for prompt in prompts}) == len(prompts) // 2  # the seeded part


def test_a_server_without_token_ids_gets_words_of_about_that_length(tmp_path):
    with timed_server("--words") as url:
        events, _ = run(url, tmp_path, "--concurrencies", 1, "--prompt-tokens", 100, "--output-tokens", 2)
    assert events[-1]["prompts"] == "words"
    assert events[-1]["loads"][0]["prompt_tokens"] == 10 * 100


@pytest.mark.parametrize("option", ["--strict", "--closing"])
def test_servers_with_a_will_of_their_own(tmp_path, option):
    """One refuses fields that it does not know, one closes the connection that it promised to keep."""
    with timed_server(option) as url:
        events, _ = run(url, tmp_path, *SMALL, "--concurrencies", 2, "--requests", 8)
    assert (events[-1]["loads"][0]["completed"], events[-1]["loads"][0]["failed"]) == (8, 0)


def left_out(output):
    return json.loads((output / "settings.json").read_text())["left_out"]


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--strict"], ["cache_prompt", "ignore_eos"]),
        (["--refuse", "ignore_eos=openai-unknown"], ["ignore_eos"]),
        (["--refuse", "temperature=pydantic", "--refuse", "cache_prompt=gemini"], ["cache_prompt", "temperature"]),
    ],
)  # fmt: skip
def test_what_a_server_refuses_is_left_out_and_recorded_so_that_it_is_not_compared(tmp_path, options, names):
    with timed_server(*options) as url:
        events, said = run(url, tmp_path, *SMALL)
        again, _ = run(url, tmp_path, *SMALL[2:], "--concurrencies", "1,2")
    for event in (events[-1], again[-1]):
        assert event["left_out"] == names
        assert any(
            warning.startswith(f"the server does not take {', '.join(names)}")
            for warning in event["warnings"]
        )
    assert left_out(tmp_path) == names
    assert said.count("which is left out from now on") == len(names)


@pytest.mark.parametrize(
    ("name", "words", "option"),
    [("temperature", ("--temperature", 0.5), "--temperature"), ("max_tokens", (), "--output-tokens")],
)
def test_what_was_asked_for_and_is_refused_is_named(tmp_path, name, words, option):
    with timed_server("--refuse", f"{name}=openai-unknown") as url:
        events, _ = run(url, tmp_path, *SMALL, *words, code=2)
    assert events[-1]["message"].startswith(
        f"the server refuses {name} ({option}): Unrecognized request argument"
    )


def test_answers_that_end_early_are_counted_and_said(tmp_path):
    with timed_server("--early", 3) as url:
        events, said = run(url, tmp_path, *SMALL)
    (load,) = events[-1]["loads"]
    assert (load["ended_early"], load["completion_tokens"]) == (3, 9)
    assert "WARNING: pp20+tg4 x1: 3 of 3 answers ended before 4 tokens" in said


def test_prompts_out_of_the_cache_are_said(tmp_path):
    with timed_server("--cached", 5) as url:
        events, _ = run(url, tmp_path, *SMALL)
    assert "15 of 60 prompt tokens in its cache" in events[-1]["warnings"][0]


def test_a_few_failures_are_left_out_and_said(tmp_path):
    with timed_server("--fail-every", 15) as url:
        events, said = run(url, tmp_path, *SMALL, "--requests", 20)
    (load,) = events[-1]["loads"]
    assert load["valid"]
    assert 1 <= load["failed"] <= 2
    assert load["completed"] + load["failed"] == 20
    assert load["errors"] == {"HTTP status 500: out of luck": load["failed"]}
    assert "requests failed (HTTP status 500: out of luck) and are left out" in said


def test_many_failures_are_no_measurement_and_are_tried_again(tmp_path):
    with timed_server("--fail-every", 4) as url:
        events, said = run(url, tmp_path, *SMALL, "--requests", 10, code=4)
    assert "no load could be measured, too many requests failed: HTTP status 500" in said
    with timed_server() as url:
        events, _ = run(url, tmp_path, *SMALL, "--requests", 10)
    assert (events[-1]["loads"][0]["failed"], events[-1]["loads"][0]["attempt"]) == (0, 2)


def test_more_at_once_than_slots_is_said(tmp_path):
    with timed_server("--slots", 2, "--first", 0.02) as url:
        events, said = run(url, tmp_path, "--prompt-tokens", 20, "--output-tokens", 2, "--requests", 4)
        assert [load["load"]["concurrency"] for load in events[-1]["loads"]] == [1, 2]
        assert "WARNING" not in said
        _, said = run(
            url, tmp_path, "--prompt-tokens", 20, "--output-tokens", 2, "--requests", 4, "--concurrencies", 3
        )
    assert "more requests at once than the server's 2 slots" in said


def test_what_does_not_fit_a_slot_is_told_before_anything_is_measured(tmp_path):
    with timed_server("--slots", 2) as url:
        events, _ = run(url, tmp_path, "--prompt-tokens", "20,4000", code=2)
        assert asked(url) == []
    assert "4000 prompt and 128 output tokens do not fit the context of a slot, 4096" in events[-1]["message"]


def test_a_depth_is_a_prompt_of_that_many_tokens_for_one_chat(tmp_path):
    """Depth 0 has the shortest prompt that no cache knows; a deep one is warmed up with less than all of it."""
    with timed_server("--slots", 4) as url:
        events, said = run(url, tmp_path, "--depths", "0,3k", "--output-tokens", 4)
        lengths = [len(prompt) for prompt, _ in asked(url) if isinstance(prompt, list)]
    assert lengths == [16] * 6 + [2048] + [3072] * 5
    shallow, deep = events[-1]["loads"]
    assert shallow["load"] == {"concurrency": 1, "prompt_tokens": 16, "output_tokens": 4, "depth": 0}
    assert deep["load"]["depth"] == 3072
    assert "d3072+tg4 x1" in said


def test_events_move_the_bar_and_count_what_was_done(tmp_path):
    with timed_server() as url:
        events, _ = run(url, tmp_path, *SMALL, "--concurrencies", "1,2")
    start = next(event for event in events if event["event"] == "start")
    assert (start["total"], start["finished"]) == (6, 0)
    last = [event for event in events if event["event"] == "progress"][-1]
    assert (last["done"], last["total"], last["completion_tokens"]) == (6, 6, 24)
    assert events[-1]["new_completions"] == 6 + 3  # with the warm-up's


def test_only_missing_loads_are_measured_again(tmp_path):
    with timed_server() as url:
        run(url, tmp_path, *SMALL)
        before = asked(url)
        events, _ = run(url, tmp_path, *SMALL, "--concurrencies", "1,2")
        new = [prompt for prompt, _ in asked(url)[len(before) :] if isinstance(prompt, list)]
        assert len(new) == 2 + 3
    assert len(events[-1]["loads"]) == 2
    again, _ = run("http://127.0.0.1:1", tmp_path, *SMALL, "--concurrencies", "1,2")  # no server is needed
    assert again[-1]["loads"] == events[-1]["loads"]
    assert again[-1]["new_completions"] == 0


def test_after_kill_9_nothing_written_is_lost_and_the_torn_load_is_measured_as_a_whole(tmp_path):
    options = ("--concurrencies", "1,2", "--prompt-tokens", 20, "--output-tokens", 5, "--requests", 12)
    with timed_server("--gap", 0.01) as url:
        process = subprocess.Popen(
            command(url, tmp_path, *options), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT
        )
        journal = tmp_path / "requests.jsonl"
        while not journal.exists() or journal.read_bytes().count(b"\n") < 15:
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
        process.wait()
        with journal.open("ab") as file:
            file.write(b'{"load": {"conc')
        kept = journal.read_bytes().rpartition(b"\n")[0]
        events, _ = run(url, tmp_path, *options)
    assert next(event for event in events if event["event"] == "start")["finished"] == 12
    assert journal.read_bytes().startswith(kept)
    assert [load["attempt"] for load in events[-1]["loads"]] == [1, 2]
    assert [load["completed"] for load in events[-1]["loads"]] == [12, 12]


def test_a_load_under_which_the_server_died_is_measured_anew(tmp_path):
    port = free_port()
    url = f"http://127.0.0.1:{port}"

    def start(*options):
        process = subprocess.Popen(
            [sys.executable, PROGRAM, "--port", str(port), *options], stdout=subprocess.PIPE, text=True
        )
        process.stdout.readline()
        return process

    with start("--die-after", "10") as first:
        script = subprocess.Popen(
            command(url, tmp_path, *SMALL, "--concurrencies", 2, "--requests", 10, "--server-wait", 60),
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT,
        )  # fmt: skip
        first.wait(timeout=60)
    with start() as second:
        events = [json.loads(line) for line in script.communicate(timeout=60)[0].splitlines()]
        second.kill()
    assert script.returncode == 0
    assert {"event": "phase", "phase": "waiting_for_server"} in events
    (load,) = events[-1]["loads"]
    assert (load["completed"], load["failed"]) == (10, 0)
    assert load["attempt"] == 2
    assert {line["attempt"] for line in lines(tmp_path)} == {1, 2}


def test_another_model_in_the_same_folder_is_refused_by_name(tmp_path):
    with timed_server() as url:
        run(url, tmp_path, *SMALL)
        events, _ = run(url, tmp_path, *SMALL, "--model", "other", code=6)
    assert "model was 'm' and is now 'other'" in events[-1]["message"]


@pytest.mark.parametrize(
    ("options", "message"),
    [(("--concurrencies", "1,0"), "--concurrencies"), (("--prompt-tokens", "many"), "--prompt-tokens"),
     (("--output-tokens", ""), "--output-tokens"), (("--requests", 0), "--requests"),
     (("--depths", "8m"), "--depths"), (("--depths", "8k", "--prompt-tokens", 8), "--depths and --prompt-tokens"),
     (("--max-tokens", 5), "--max-tokens does not apply to speed"),
     (("--n-samples", 2), "--n-samples does not apply to speed")],
)  # fmt: skip
def test_bad_usage_is_named_and_starts_nothing(tmp_path, options, message):
    events, _ = run("http://127.0.0.1:1", tmp_path / "out", *options, code=2)
    assert message in events[-1]["message"]
    assert not (tmp_path / "out").exists()


def test_a_server_that_does_not_count_tokens_is_exit_code_3(tmp_path):
    with timed_server("--no-usage") as url:
        events, _ = run(url, tmp_path, *SMALL, code=3)
    assert "does not count its tokens" in events[-1]["message"]
