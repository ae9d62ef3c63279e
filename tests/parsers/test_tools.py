"""The parsers of other tools give the figures that the real tools wrote: see fixtures/README.md."""

from __future__ import annotations

import json
import math
import shutil
import zipfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsers import registry
from parsers.contract import ScriptOutput
from parsers.fit import fitted
from results.errors import ParseError
from results.json_text import encode
from results.records import Score
from results.stats.intervals import wilson_interval
from settings.parsers import PARSERS

FIXTURES = Path(__file__).parent / "fixtures"
TOOLS = ("bigcode", "evalplus", "inspect", "livecodebench", "llama_bench", "lm_eval", "vllm_bench")


def parse(name, folder, stdout=""):
    return registry.get(name).parse(ScriptOutput(stdout, "", folder, 0))


def put(fixture: str, folder: Path, name: str) -> Path:
    """The fixture under the name, and in the folder, that the tool gives it."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(FIXTURES / fixture, path)
    return path


def test_llama_bench_has_no_score_but_the_speed_of_each_test(tmp_path):
    stdout = (FIXTURES / "llama_bench.json").read_text()
    score = parse("llama_bench", tmp_path, "a warning\n" + stdout)
    assert score.score is None
    assert score.details["speed"] == {
        "pp16, tokens/s": 138.51136,
        "pp16, standard deviation": 16.950925,
        "tg16, tokens/s": 85.658739,
        "tg16, standard deviation": 6.48925,
    }
    assert score.details["tests"] == json.loads(stdout)
    lines = "\n".join(json.dumps(test) for test in json.loads(stdout))  # what `-o jsonl` prints
    assert parse("llama_bench", tmp_path, lines) == score


def test_llama_bench_with_the_same_lengths_twice_loses_neither(tmp_path):
    test = json.loads((FIXTURES / "llama_bench.json").read_text())[0]
    speed = parse(
        "llama_bench", tmp_path, json.dumps([test, {**test, "n_threads": 2, "avg_ts": 200.0}])
    ).details["speed"]
    assert (speed["pp16, tokens/s"], speed["pp16 #2, tokens/s"]) == (138.51136, 200.0)


BACKEND = "ggml_vulkan: Found 1 Vulkan devices:\n[backend] 0 = Some Card (RADV) | uma: 0\r\n[1/2] loading"


def test_llama_bench_among_what_backends_print(tmp_path):
    """Lines before and behind the list, also such as begin with a bracket, and a list of each call of llama-bench."""
    stdout = (FIXTURES / "llama_bench.json").read_text()
    tests = json.loads(stdout)
    for said in (f"{BACKEND}\n{stdout}\nggml: freeing [0]\n", f"  {stdout}[end]"):
        assert parse("llama_bench", tmp_path, said).details["tests"] == tests
    twice = parse("llama_bench", tmp_path, f"{stdout}\n{BACKEND}\n{stdout}")
    assert twice.details["tests"] == tests * 2
    assert twice.details["speed"]["tg16 #2, tokens/s"] == 85.658739


def test_vllm_bench_has_throughput_latencies_and_tokens(tmp_path):
    put("vllm_bench.json", tmp_path, "openai-infqps-concurrency2-demo-20261121-114650.json")
    score = parse("vllm_bench", tmp_path)
    assert (score.score, score.completions, score.prompt_tokens, score.completion_tokens) == (None, 4, 64, 32)
    assert score.generate_s == pytest.approx(3.595, abs=0.001)
    speed = score.details["speed"]
    assert speed["output_throughput, tokens/s"] == pytest.approx(score.completion_tokens / score.generate_s)
    assert speed["p99_ttft_ms, ms"] == pytest.approx(993.812, abs=0.001)
    assert "latencies" not in score.details["vllm_bench"]
    assert not score.warnings


@pytest.mark.parametrize(("completed", "failed"), [(3, 1), (0, 4)])
def test_vllm_bench_requests_that_failed_are_told(tmp_path, completed, failed):
    """Latencies over the few that succeeded look fine."""
    path = put("vllm_bench.json", tmp_path, "x.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"completed": completed, "failed": failed}))
    if completed:
        assert parse("vllm_bench", tmp_path).warnings == ("1 requests failed",)
    else:
        with pytest.raises(ParseError, match="no request was completed"):
            parse("vllm_bench", tmp_path)


def test_vllm_bench_counts_the_missing_requests_of_older_versions_and_reads_the_last_of_several(tmp_path):
    path = put("vllm_bench.json", tmp_path, "x.json")
    old = {key: value for key, value in json.loads(path.read_text()).items() if key != "failed"}
    first, last = old | {"duration": 1.0}, old | {"num_prompts": old["completed"] + 3}
    path.write_text(f"{json.dumps(first)}\n{json.dumps(last)}")  # as --append-result writes it
    score = parse("vllm_bench", tmp_path)
    assert (score.generate_s, score.warnings) == (pytest.approx(old["duration"]), ("3 requests failed",))


def test_evalplus_counts_its_file_and_agrees_with_what_it_printed(tmp_path):
    put("evalplus_eval_results.json", tmp_path, "samples_eval_results.json")
    printed = (FIXTURES / "evalplus.txt").read_text()
    score = parse("evalplus", tmp_path, printed)
    assert score.score == pytest.approx(200 / 3)
    assert score.metrics["base pass@1"].value == pytest.approx(5 / 6)
    assert (score.samples, score.completions, score.outcomes) == (3, 6, {"passed": 4, "failed": 2})
    assert score.metrics["pass@1"].low < 2 / 3 < score.metrics["pass@1"].high
    with pytest.raises(ParseError, match=r"base pass@1 0.833, but 0.9"):
        parse("evalplus", tmp_path, printed.replace("0.833", "0.9"))


def test_evalplus_without_its_file_is_read_from_stdout(tmp_path):
    """It writes its file beside the samples, which may be anywhere."""
    printed = (FIXTURES / "evalplus.txt").read_text()
    score = parse("evalplus", tmp_path, printed)
    assert score.score == pytest.approx(66.7)
    assert {name: metric.value for name, metric in score.metrics.items()} == {
        "pass@1": 0.667,
        "base pass@1": 0.833,
    }
    assert "three digits" in score.warnings[0]
    base_only = "\n".join(f"\x1b[31m{line}\x1b[0m" for line in printed.splitlines()[:2])
    assert parse("evalplus", tmp_path, base_only).score == pytest.approx(83.3)


def test_livecodebench_counts_every_problem_by_difficulty_and_platform(tmp_path):
    """LiveCodeBench's own pass@1 lies in the file beside it."""
    put("livecodebench_eval_all.json", tmp_path, "output/demo/codegeneration_2_0.2_eval_all.json")
    summary = put("livecodebench_eval.json", tmp_path, "output/demo/codegeneration_2_0.2_eval.json")
    score = parse("livecodebench", tmp_path)
    assert score.score == pytest.approx(200 / 3)
    assert score.metrics["pass@1"].stderr == pytest.approx(
        json.loads(summary.read_text())[0]["pass@1_stderr"]
    )
    assert {name: metric.value for name, metric in score.metrics.items() if name != "pass@1"} == {
        "easy pass@1": 0.5,
        "medium pass@1": 0.5,
        "hard pass@1": 1.0,
        "codeforces pass@1": 0.5,
        "leetcode pass@1": 0.5,
        "atcoder pass@1": 1.0,
    }
    assert (score.samples, score.completions, score.outcomes["passed"]) == (3, 6, 4)
    summary.write_text('[{"pass@1": 0.5}, {}, []]')
    with pytest.raises(ParseError, match=r"says pass@1 0.5"):
        parse("livecodebench", tmp_path)


def test_lm_eval_gives_every_metric_and_says_what_the_score_is(tmp_path):
    path = put("lm_eval_results.json", tmp_path, "model/results_2026-11-21T11-45-28.755991.json")
    found = json.loads(path.read_text())
    words, sums = found["results"]["words"], found["results"]["sums"]
    score = parse("lm_eval", tmp_path)
    assert score.score == pytest.approx(50 * (words["exact_match,none"] + sums["acc,none"]))
    assert score.metrics["score"].stderr == pytest.approx(
        math.hypot(words["exact_match_stderr,none"], sums["acc_stderr,none"]) / 2
    )
    assert score.metrics["sums acc_norm"].stderr == sums["acc_norm_stderr,none"]
    assert score.samples == 7
    assert score.warnings == ("the score is the mean of the first metrics of sums and words",)
    assert score.details["lm_eval_version"] == "0.4.13"


def lm_eval(folder, results, **others):
    (folder / "results_1.json").write_text(json.dumps({"results": results, **others}))
    return parse("lm_eval", folder)


def test_lm_eval_counts_a_groups_subtasks_once(tmp_path):
    """Written after the harness's own documentation of groups, as are the next ones."""
    tasks = {"mmlu": {"acc,none": 0.4, "acc_stderr,none": 0.1}, "mmlu_law": {"acc,none": 0.2}}
    score = lm_eval(
        tmp_path,
        tasks,
        group_subtasks={"mmlu": ["mmlu_law"]},
        **{"n-samples": {"mmlu_law": {"effective": 5}}},
    )
    assert (score.score, score.samples, score.warnings) == (40.0, 5, ())


def test_lm_eval_perplexity_is_no_score_and_a_missing_error_is_none(tmp_path):
    score = lm_eval(
        tmp_path, {"wikitext": {"word_perplexity,none": 31.5, "word_perplexity_stderr,none": "N/A"}}
    )
    assert (score.score, score.metrics) == (None, {})
    assert score.details["results"]["wikitext"]["word_perplexity,none"] == 31.5
    few = {"gsm8k": {"exact_match,strict-match": 0.0, "exact_match_stderr,strict-match": 0.0}}
    metric = lm_eval(tmp_path, few, **{"n-samples": {"gsm8k": {"effective": 9}}}).metrics[
        "gsm8k exact_match,strict-match"
    ]
    assert (metric.low, metric.high) == wilson_interval(0, 9)


def test_lm_eval_takes_no_loss_for_a_score_where_an_older_file_does_not_say_that_it_is_one(tmp_path):
    assert lm_eval(tmp_path, {"wikitext": {"bits_per_byte,none": 0.5, "alias": "w"}}).score is None


def test_inspect_gives_its_headline_metric_tokens_and_all_scorers(tmp_path):
    path = put("inspect_log.json", tmp_path, "logs/2026-11-21T11-42-15-00-00_arithmetic_x.json")
    score = parse("inspect", tmp_path)
    assert score.score == 100
    assert (score.metrics["score"].low, score.metrics["score"].high) == wilson_interval(3, 3)
    assert score.metrics["exact mean"].stderr == pytest.approx(1 / 3)
    assert (score.samples, score.completions) == (3, 3)
    assert (score.prompt_tokens, score.completion_tokens) == (21, 9)
    log = json.loads(path.read_text())
    log["results"]["headline"] = {"scorer": "exact", "score": "exact", "metric": "mean"}
    log["results"]["completed_samples"] = 2
    path.write_text(json.dumps(log))
    score = parse("inspect", tmp_path)
    assert score.score == pytest.approx(200 / 3)
    assert score.warnings == ("1 of 3 samples were not completed",)
    assert (score.completions, score.lost, score.passed) == (3, 1, None), "they are lost, not wrong"


def test_inspects_eval_file_is_read_as_its_json_is(tmp_path):
    """Its default: a zip archive compressed by Zstandard. Half of the prompts came from the server's cache."""
    put("inspect_log.eval", tmp_path, "2026-11-21T13-00-46-00-00_sums_x.eval")
    score = parse("inspect", tmp_path)
    assert (score.score, score.samples, score.details["task"]) == (pytest.approx(100 / 3), 6, "sums")
    assert (score.prompt_tokens, score.completion_tokens) == (169 + 102, 88)


def test_an_eval_file_that_was_cut_says_so(tmp_path):
    """The beginning is written first, the header last."""
    with zipfile.ZipFile(tmp_path / "x.eval", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_journal/start.json", '{"version": 2, "eval": {"task": "sums"}}')
    with pytest.raises(ParseError, match="its status is started"):
        parse("inspect", tmp_path)


def test_a_damaged_eval_file_is_a_score_or_a_parse_error(tmp_path):
    whole = (FIXTURES / "inspect_log.eval").read_bytes()

    @settings(max_examples=150, deadline=None)
    @given(st.integers(0, len(whole) - 1), st.integers(0, 255), st.booleans())
    def damaged(place, byte, cut):
        (tmp_path / "x.eval").write_bytes(
            whole[:place] + (b"" if cut else bytes([byte]) + whole[place + 1 :])
        )
        try:
            score = parse("inspect", tmp_path)
        except ParseError:
            return
        assert score.score is None or 0 <= score.score <= 100

    damaged()


def test_inspect_that_failed_is_told_in_its_own_words(tmp_path):
    put("inspect_log_error.json", tmp_path, "x.json")
    with pytest.raises(ParseError, match=r"status is error: ConnectionError"):
        parse("inspect", tmp_path)


def test_bigcode_is_read_from_its_file_or_from_stdout(tmp_path):
    text = (FIXTURES / "bigcode_metrics.json").read_text()
    printed = parse("bigcode", tmp_path, f"Evaluating generations...\n{text}\n")
    put("bigcode_metrics.json", tmp_path, "evaluation_results.json")
    score = parse("bigcode", tmp_path)
    assert score == printed
    assert score.score == pytest.approx(75)
    assert (score.metrics["pass@1"].value, score.metrics["pass@1"].stderr) == (0.75, 0.25)
    assert set(score.metrics) == {"score", "pass@1"}
    assert score.details["config"]["n_samples"] == 2


def test_bigcode_of_several_tasks_is_their_mean_and_says_so(tmp_path):
    document = {"humaneval": {"pass@1": 0.5}, "mbpp": {"pass@1": 0.25}, "config": {"n_samples": 1}}
    (tmp_path / "evaluation_results.json").write_text(json.dumps(document))
    score = parse("bigcode", tmp_path)
    assert (score.score, set(score.metrics)) == (37.5, {"score", "humaneval pass@1", "mbpp pass@1"})
    assert "mean of humaneval and mbpp" in score.warnings[0]


@pytest.mark.parametrize("name", TOOLS)
def test_unknown_output_is_exit_code_5_with_its_tail_and_the_other_parsers(tmp_path, name):
    (tmp_path / "run.json").write_text("{}")
    (tmp_path / "other.json").write_text('{"NaN": NaN}')
    with pytest.raises(ParseError) as error:
        parse(name, tmp_path, "hello\n{}\n[]\nthe last words\n")
    assert error.value.exit_code == 5
    assert error.value.log_tail.endswith("the last words")
    assert all(other in error.value.hint for other in PARSERS)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda some: st.lists(some, max_size=3) | st.dictionaries(st.text(max_size=5), some, max_size=3),
    max_leaves=8,
)
NAMED = {
    "bigcode": ("x.json", "bigcode_metrics.json"),
    "evalplus": ("x_eval_results.json", "evalplus_eval_results.json"),
    "inspect": ("x.json", "inspect_log.json"),
    "livecodebench": ("x_eval_all.json", "livecodebench_eval_all.json"),
    "lm_eval": ("results_x.json", "lm_eval_results.json"),
    "vllm_bench": ("x.json", "vllm_bench.json"),
    "llama_bench": ("", "llama_bench.json"),
}


def places(document, path=()):
    """The path of every value in it."""
    pairs = (
        document.items()
        if isinstance(document, dict)
        else enumerate(document)
        if isinstance(document, list)
        else ()
    )
    return [path, *(place for key, value in pairs for place in places(value, (*path, key)))]


@pytest.mark.parametrize("name", TOOLS)
def test_a_damaged_file_is_a_score_or_a_parse_error_never_a_crash(tmp_path, name):
    """One value of real output becomes something else: what another version of the tool may write."""
    file, fixture = NAMED[name]
    text = (FIXTURES / fixture).read_text()

    @settings(max_examples=60, deadline=None)
    @given(st.sampled_from(places(json.loads(text))[1:]), JSON)
    def damaged(place, value):
        document = json.loads(text)
        at = document
        for key in place[:-1]:
            at = at[key]
        at[place[-1]] = value
        damaged_text = json.dumps(document)
        if file:
            (tmp_path / file).write_text(damaged_text)
        try:
            score = parse(name, tmp_path, "" if file else damaged_text)
        except ParseError:
            return
        assert score.score is None or 0 <= score.score <= 100
        assert msgspec.json.decode(encode(fitted(score)), type=Score).samples == score.samples

    damaged()
