"""A mistake on the command line of `watch-build` ends with what to do, and leaves nothing behind."""

from __future__ import annotations

import pytest

from tests.command_line import bench_runners

WATCH = ("watch-build", "--benchmark", "human_eval", "--server-command", "x {port}", "--model", "demo")


def test_mistakes_are_told_and_nothing_is_written(tmp_path, demo_model):
    model = ("--model", demo_model)
    cases = {
        (*WATCH, "--binaries", "b/*"): "--binaries can't be combined with --server-command",
        (
            "watch-build",
            "--benchmark",
            "human_eval",
            *model,
            "--binaries",
            tmp_path / "no*",
        ): "matches nothing",
        (*WATCH, "--alarm-on", "score,noise"): "'noise' is none of score, answers, speed",
        (*WATCH, "--accept", "--baseline", "last"): "--accept can't be combined with --baseline",
        (*WATCH, "--baseline", "last"): "there is no run 'last'",
        (*WATCH, "--n-samples", "3"): "one completion per sample",
        ("watch-build", "--benchmark", "speed", *model): "no verdict for each sample",
        (*WATCH, "--drop", "0"): "--drop",
        (*WATCH, "--notify", ""): "--notify is empty",
    }
    results = tmp_path / "r"
    done = bench_runners(*((*words, "--results-dir", results) for words in cases))
    for each, (words, said) in zip(done, cases.items(), strict=True):
        assert each.code == 2, (words, each)
        assert said in each.err
        assert "try: " in each.err or "Try" in each.err
        assert "Traceback" not in each.err
    assert not results.exists()


@pytest.mark.parametrize("words", [("--help",)])
def test_the_help_names_the_exit_code(words):
    (done,) = bench_runners(("watch-build", *words))
    assert "Exits with 8 on an alarm" in " ".join(done.out.split())
