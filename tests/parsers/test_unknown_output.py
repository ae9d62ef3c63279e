"""A run whose output the chosen parser does not know, through the command line: exit code 5, whatever the parser."""

from __future__ import annotations

import pytest

from settings.parsers import PARSERS
from tests.command_line import bench_runner, logged
from tests.evaluation.running_servers import canonical_server

# JSON of somebody else's, a torn archive, and text: nothing that any tool writes.
SCRIPT = """
import os, pathlib
folder = pathlib.Path(os.environ["BENCH_OUTPUT_DIR"])
for name in ("results_1.json", "x_eval_results.json", "x_eval_all.json", "metrics.json", "x.jsonl"):
    (folder / name).write_text('{"unknown": [1, 2]}')
(folder / "x.eval").write_bytes(b"PK\\3\\4")
print("hello\\n[]\\n{}\\nthe last words")
"""


@pytest.fixture(scope="module")
def url():
    with canonical_server() as url:
        yield url


@pytest.mark.parametrize("parser", PARSERS)
def test_it_shows_the_tail_and_names_the_parsers_that_exist(tmp_path, url, parser):
    script = tmp_path / "eval.py"
    script.write_text(SCRIPT)
    results = tmp_path / "results"
    done = bench_runner(
        "run", "--base-url", url, "--script", script, "--parser", parser, "--results-dir", results
    )
    assert done.code == 5, done.err
    assert "the last words" in done.err
    assert [name for name in PARSERS if name not in done.err] == []
    assert "Traceback" not in done.err
    (run,) = logged(results)
    assert (run["status"], run["results"]["score"], run["error"]["kind"]) == ("failed", None, "parse")
