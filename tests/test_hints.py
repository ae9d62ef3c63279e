"""Every mistake on the command line is answered with one thing to try."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

import bench_runner
from results.errors import UsageError
from tests.servers.gguf_file import gguf

RUN = ("run", "--benchmark", "human_eval")
SWEEP = ("sweep", "--benchmark", "human_eval")
CASES = [
    ((*RUN, "--script", "my_evl.py"), "--script my_evl.py: no such file", "did you mean {here}/my_eval.py?"),
    ((*RUN, "--script", "gone/my_eval.py"), "no such file", "look for the folder {here}/gone"),
    ((*RUN, "--parser", "./zzz.py"), "zzz.py: no such file", "look into {here}"),
    (("run", "--benchmark", "tasks", "--tasks", "sum.yaml"), "no such file", "did you mean {here}/sums.yaml?"),
    (("sweep", "nightli.yaml"), "nightli.yaml can't be read", "did you mean {here}/nightly.yaml?"),
    (("sweep", "nightly.yaml"), "nightly.yaml:1: matrix.model: *.gguf2 matches no", "did you mean {here}/good.gguf?"),
    ((*SWEEP, "bad*.gguf"), "bad*.gguf matches no model", "did you mean {here}/good.gguf?"),
    (("sweep", "good.gguf"), "has no benchmark", "give --benchmark NAME, one of human_eval, "),
    (("sweep", "none.yaml"), "none.yaml:1: matrix: has no benchmark", "give `benchmark: NAME`, one of human_eval, "),
    (("sweep", "torn.yaml"), "torn.yaml:1: not valid YAML", "`bench_runner.py schema`"),
    (("sweep", "torn.json"), "torn.json:1: not valid JSON", "`bench_runner.py schema`"),
    (("sweep", "torn.toml"), "torn.toml:1: not valid TOML", "`bench_runner.py schema`"),
    ((*RUN, "--flash-attn", "on"), "there is no option --flash-attn", "`-- --flash-attn`"),
    ((*RUN, "-fa", "on"), "there is no option -fa", "`-- -fa`"),
    ((*SWEEP, "good.gguf", "--flash-attn=on"), "there is no option --flash-attn", "`-- --flash-attn=on`"),
    ((*RUN, "--gpu-layer", "3"), "there is no option --gpu-layer", "did you mean --gpu-layers? "),
    ((*RUN, "--gpu-layers", "all"), "--gpu-layers: 'all' is not a whole number", "-1 is for all"),
    ((*SWEEP, "good.gguf", "--gpu-layers", "all"), '--gpu-layers: "all" is not a whole number (-1 is for all)', ""),
    ((*RUN, "--model", "qwen2.5:7b"), "there is no model 'qwen2.5:7b'", "11434 --model qwen2.5:7b"),
    (("leaderboard", "--benchmark", "humaneval"), "there is no benchmark 'humaneval'", "did you mean human_eval?"),
    (("leaderboard", "--benchmark", "zzz"), "there is no benchmark 'zzz'", "one of gsm8k, human_eval, "),
]  # fmt: skip
FILES = {
    "my_eval.py": "", "sums.yaml": "",
    "nightly.yaml": 'matrix: {model: "*.gguf2", benchmark: human_eval}', "none.yaml": "matrix: {model: good.gguf}",
    "torn.yaml": "matrix: {", "torn.json": '{"matrix": ', "torn.toml": "a = = 3",
}  # fmt: skip


@pytest.mark.parametrize(("words", "message", "hint"), CASES, ids=[" ".join(words) for words, *_ in CASES])
def test_a_mistake_says_what_to_try(tmp_path, monkeypatch, words, message, hint):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCH_RESULTS_DIR", str(tmp_path / "r"))
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "good.gguf").write_bytes(gguf())
    done = CliRunner().invoke(bench_runner.cli, words)
    assert isinstance(done.exception, UsageError), done.output
    assert message in done.exception.message
    assert hint.format(here=tmp_path) in done.exception.hint
    assert done.exception.hint or "(" in done.exception.message
    assert not (tmp_path / "r").exists()
