"""What is wrong with a run of a manifest is told when it is planned, with its line, and all at once."""

from __future__ import annotations

import pytest

from results.errors import UsageError
from sweeps.manifest.options import manifest_from_options
from sweeps.plan import plan_runs
from tests.sweeps.plans import told


def test_what_shows_only_when_a_run_is_made_has_its_line_too(folder):
    """All of it at once, each at the setting that is to blame; a wrong axis is told once."""
    found = told(
        """\
        defaults: {benchmark: human_eval}
        matrix:
          model: [models/small-Q2.gguf, models/small-Q4.gguf]
          script_args: [--x]
        runs:
          - model: models/*Q9*
          - model: models/small-Q2.gguf
            server: command
            server_command: 'serve {model} --port {port}'
            gpu_layers: 3
          - model: models/small-Q2.gguf
            script: nope.py
          - model: models/small-Q2.gguf
            server_args: [-c, "5", --port, "3"]
          - model: models/small-Q2.gguf
            server_binary: ./no-server
          - {base_url: "http://127.0.0.1:1", ctx_size: 512}
        """,
        folder,
    )
    assert [line.partition(" (")[0] for line in found] == [
        "sweep:4: matrix.script_args[0]: --script-args needs --script",
        f"sweep:6: runs[0].model: models/*Q9* matches no model in {folder}",
        "sweep:10: runs[1].gpu_layers: --gpu-layers does not apply to --server command",
        f"sweep:12: runs[2].script: --script {folder}/nope.py: no such file",
        "sweep:14: runs[3].server_args: --port can't be passed to the server",
        f"sweep:16: runs[4].server_binary: --server-binary {folder}/no-server: no such program",
        "sweep:17: runs[5].ctx_size: --ctx-size does not apply to --server attach",
    ]


def test_an_error_has_the_line_of_the_setting_that_it_is_about(folder):
    """Which it says itself: its words may name other options, or none. Also of a script that looks at its options."""
    found = told(
        """\
        defaults:
          model: models/small-Q2.gguf
        runs:
          - benchmark: human_eval
            max_tokens: 50
            thinking_budget: 60
          - benchmark: human_eval
            server_args: [--ctx_size, "5"]
            ctx_size: 512
          - benchmark: human_eval
            parser: /nope.py
          - benchmark: human_eval
            server_command: 'serve {nope}'
          - benchmark: tasks
            shuffle: 3
            sample: 5000
        """,
        folder,
    )
    assert [line.partition(" (")[0] for line in found] == [
        "sweep:6: runs[0].thinking_budget: a thinking budget of 60 tokens leaves none of 50 for the answer",
        "sweep:8: runs[1].server_args: --ctx-size is given twice, before and after the --",
        "sweep:11: runs[2].parser: --parser /nope.py: no such file",
        "sweep:13: runs[3].server_command: --server-command: unknown placeholder {nope}",
        "sweep:16: runs[4].sample: --sample 5000 of 20 tasks",
    ]


def test_a_data_set_that_does_not_fit_has_its_line(folder):
    """A benchmark's own script looks at its data when the plan is made, not in the middle of the night."""
    (folder / "data.jsonl").write_text("{}\n")
    (line,) = told(
        """\
        runs:
          - benchmark: gsm8k
            model: models/small-Q2.gguf
            dataset: data.jsonl
        """,
        folder,
    )
    assert line.startswith("sweep:")
    assert "question" in line


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("runs: [{model: models/small-Q2.gguf}]", "sweep:1: runs[0]: has no benchmark"),
        (
            "matrix: {benchmark: human_eval, model: models/small-Q2.gguf, exclude: [{benchmark: human_eval}]}",
            "sweep: no runs are left: everything is excluded",
        ),
        (
            "runs: [{benchmark: human_eval, model: 'models/*.txt'}]",
            "only parts of models, folders and other files",
        ),
    ],
)
def test_a_plan_without_runs_is_refused(text, message, folder):
    assert message in told(text, folder)[0]


def test_wrong_combinations_on_the_command_line_are_told_by_option(folder, monkeypatch):
    monkeypatch.chdir(folder)
    manifest = manifest_from_options(
        ["models/small-Q2.gguf"], {"benchmark": "human_eval", "script_args": "--x", "temperature": "0,1"}
    )
    with pytest.raises(UsageError, match=r"^--script-args needs --script \(our own"):
        plan_runs(manifest)
