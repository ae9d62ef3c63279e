"""A manifest is read in three forms alike, and all that is wrong in it is told at once, with its line."""

from __future__ import annotations

import json
import textwrap

import jsonschema
import pytest

from results.errors import UsageError
from settings.table import TABLE
from settings.variables import as_written
from sweeps.manifest.config_form import CONFIG_FIELDS
from sweeps.manifest.options import manifest_from_options
from sweeps.manifest.reader import FIELDS, parse_manifest, read_manifest
from sweeps.manifest.schema import schema
from sweeps.manifest.tasks_form import TASKS
from tests.command_line import bench_runner as command

GOOD = {
    "seed": 42,
    "test_mode": True,
    "defaults": {"benchmark": "human_eval", "temperature": 0.5},
    "matrix": {"model": ["a.gguf", {"path": "b.gguf", "name": "b", "overrides": {"gpu_layers": 3}}]},
    "runs": [{"model": "c.gguf", "server_args": ["--flash-attn", "on"]}],
}
AS_YAML = """\
seed: 42
test_mode: true
defaults: {benchmark: human_eval, temperature: 0.5}
matrix:
  model:
    - a.gguf
    - {path: b.gguf, name: b, overrides: {gpu_layers: 3}}
runs:
  - model: c.gguf
    server_args: --flash-attn on
"""
AS_TOML = """\
seed = 42
test_mode = true
defaults = {benchmark = "human_eval", temperature = 0.5}
[matrix]
model = ["a.gguf", {path = "b.gguf", name = "b", overrides = {gpu_layers = 3}}]
[[runs]]
model = "c.gguf"
server_args = ["--flash-attn", "on"]
"""


def parsed(text: str, form="yaml", folder=None):
    return parse_manifest(textwrap.dedent(text), form=form, name="sweep", folder=folder)


def told(text: str, form="yaml") -> list[str]:
    """Everything that is wrong, a line each, without the count."""
    with pytest.raises(UsageError) as caught:
        parsed(text, form)
    return [line.strip() for line in caught.value.message.splitlines() if not line.endswith(" errors:")]


@pytest.mark.parametrize(("form", "text"), [("json", json.dumps(GOOD)), ("yaml", AS_YAML), ("toml", AS_TOML)])
def test_the_three_forms_say_the_same(form, text, tmp_path):
    path = tmp_path / f"sweep.{form}"
    path.write_text(text)
    manifest = read_manifest(path)
    assert (manifest.seed.value, manifest.test_mode, manifest.folder) == (42, True, tmp_path)
    assert {name: given.value for name, given in manifest.defaults.items()} == GOOD["defaults"]
    a, b = (given.value for given in manifest.matrix.axes["model"])
    assert (a.text, a.name, a.overrides) == ("a.gguf", None, {})
    assert (b.text, b.name, b.overrides["gpu_layers"].value) == ("b.gguf", "b", 3)
    assert manifest.runs[0].settings["server_args"].value == ("--flash-attn", "on")
    assert manifest.text == text


def test_everything_that_is_wrong_is_told_at_once_with_its_line():
    benchmarks = ", ".join(TABLE["benchmark"].choices)
    assert told(
        """\
        sed: 4
        limit: 3
        test_mode: maybe
        defaults:
          benchmark: human_evil
          gpu-layers: 3
          model: {pth: x, name: 3, overrides: {model: y, n_samples: true}}
        matrix:
          gpu_layers: [0, x,
            -7]
          ctx_size: []
          models: a.gguf
          exclude: [{ctx: 3}, {gpu_layers: [0, 1.5]}]
          include: {limit: 3}
        runs:
          - temperature: 9
            prompt_style: caht
            limit: [1, 2]
          - server_args: [-c, on, {a: 1}]
            script_args: "'"
            port: 70000
            parser: ""
          - hello
        """
    ) == [
        "sweep:1: sed: there is no such field; did you mean seed?",
        "sweep:2: limit: there is no such field; put settings of runs under defaults, matrix or runs",
        "sweep:3: test_mode: must be true or false",
        f"sweep:5: defaults.benchmark: 'human_evil' is not one of {benchmarks}; did you mean human_eval?",
        "sweep:6: defaults.gpu-layers: there is no such setting; did you mean gpu_layers?",
        "sweep:7: defaults.model.pth: there is no such field; did you mean path?",
        "sweep:7: defaults.model: the model has no path",
        "sweep:7: defaults.model.overrides.n_samples: true is not a whole number",
        "sweep:7: defaults.model.overrides.model: a model can't override itself",
        "sweep:7: defaults.model.name: must be a text",
        'sweep:9: matrix.gpu_layers[1]: "x" is not a whole number',
        "sweep:10: matrix.gpu_layers[2]: -7 is out of range: -1 or more",
        "sweep:11: matrix.ctx_size: is an empty list, so there would be no runs",
        "sweep:12: matrix.models: there is no such setting; did you mean model?",
        "sweep:13: matrix.exclude[0].ctx: is not an axis of the matrix; its axes: gpu_layers, ctx_size",
        "sweep:13: matrix.exclude[1].gpu_layers[1]: 1.5 is not a whole number",
        "sweep:14: matrix.include: must be a list",
        "sweep:16: runs[0].temperature: 9 is out of range: 0 to 5",
        "sweep:17: runs[0].prompt_style: 'caht' is not one of auto, chat, completion; did you mean chat?",
        "sweep:18: runs[0].limit: a list makes several runs: it belongs under matrix",
        "sweep:19: runs[1].server_args: a mapping in it is not a text",
        ("sweep:20: runs[1].script_args: can't be split into words: No closing quotation"
        " (close the quotation marks)"),
        "sweep:21: runs[1].port: 70000 is out of range: 1 to 65535",
        "sweep:22: runs[1].parser: '' is not one of " + ", ".join(TABLE["parser"].choices),
        "sweep:23: runs[2]: must be a mapping of settings",
    ]  # fmt: skip


def test_the_same_lines_in_toml():
    assert told(
        """\
        [matrix]
        gpu_layers = [
          0,
          "x",  # here
        ]
        [[runs]]
        limit = 0
        [[runs]]
        [runs.model]
        path = 3
        """,
        "toml",
    ) == [
        'sweep:4: matrix.gpu_layers[1]: "x" is not a whole number',
        "sweep:7: runs[0].limit: 0 is out of range: 1 to 1000000",
        "sweep:10: runs[1].model.path: must be a text",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "sweep:1: a manifest must be a mapping"),
        ("seed: 3", "sweep:1: it has no matrix, runs or models"),
        ("runs: []", "sweep:1: runs: is an empty list, so there would be no runs"),
        ("matrix: {}", "sweep:1: matrix: is empty, so there would be no runs"),
        ("matrix: {limit: 3, exclude: [{}]}", "is empty, so it would exclude everything"),
        ("runs: [{limit: '${NO_SUCH}'}]", "runs[0].limit: the environment variable NO_SUCH is not set"),
        ("runs: [{limit: '${NO_SUCH:-x}'}]", "runs[0].limit: 'x' is not a whole number"),
        ("runs: [{server_binary: 3}]", "runs[0].server_binary: 3 is not a text; put it in quotes"),
    ],
)
def test_a_manifest_without_sense_is_refused(text, message):
    with pytest.raises(UsageError) as caught:
        parsed(text)
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("sweep.txt", b"", "a manifest ends in .yaml, .yml, .json, .toml"),
        ("sweep.yaml", b"a: 1\nb: \xff\n", "sweep.yaml:2: is not UTF-8"),
        ("sweep.json", None, "can't be read: No such file"),
    ],
)
def test_a_file_that_is_none_is_refused(name, data, message, tmp_path):
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(UsageError, match=message):
        read_manifest(tmp_path / name)


def test_variables_are_filled_in_and_their_text_is_kept(monkeypatch):
    """Also where a number is wanted; a value with spaces stays one word; the text is what the record gets."""
    monkeypatch.setenv("LIMIT", "7")
    monkeypatch.setenv("TOKEN", "two words")
    text = "test_mode: ${TEST:-true}\nruns: [{limit: '${LIMIT}', server_args: '--key ${TOKEN} $${TOKEN}'}]\n"
    manifest = parsed(text)
    own = manifest.runs[0].settings
    assert own["limit"].value == 7
    assert own["server_args"].value == ("--key", "two words", "${TOKEN}")
    assert as_written(own["server_args"].value) == ["--key", "${TOKEN}", "$${TOKEN}"]
    assert manifest.test_mode is True
    assert "two words" not in manifest.text


def test_the_schema_is_printed_and_names_every_setting():
    printed = json.loads(command("schema").out)
    assert printed == schema()
    assert printed["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert set(printed["properties"]) == {*FIELDS, *CONFIG_FIELDS, TASKS}
    assert set(printed["$defs"]["settings"]["properties"]) == set(TABLE) - {"shard"}
    assert all(field["description"] for field in printed["properties"].values())


def test_every_reference_of_the_schema_leads_somewhere():
    whole = schema()

    def references(part):
        if isinstance(part, dict):
            yield from ([part["$ref"]] if "$ref" in part else [])
            yield from (each for value in part.values() for each in references(value))
        elif isinstance(part, list):
            yield from (each for value in part for each in references(value))

    found = set(references(whole))
    assert len(found) > len(TABLE)
    for reference in found:
        assert reference.startswith("#/$defs/")
        assert reference.removeprefix("#/$defs/") in whole["$defs"]


def test_the_schema_is_valid_and_says_the_same_as_we():
    jsonschema.Draft202012Validator.check_schema(schema())
    check = jsonschema.Draft202012Validator(schema())
    assert check.is_valid(GOOD)
    for change in ({"sed": 1}, {"seed": -1}, {"runs": [{"limit": [1]}]}, {"matrix": {"limit": []}}):
        assert not check.is_valid({**GOOD, **change})
    for other in ({"models": [{"name": "demo"}]}, {"benchmark": "mbpp"}, {"scoring": {}}):
        assert not check.is_valid({**GOOD, **other})


def test_the_command_line_compiles_to_the_same_manifest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a,b[1].gguf").touch()
    compiled = manifest_from_options(
        ["a,b[1].gguf", "models/*.gguf", "owner/name"],
        {
            "benchmark": "human_eval",
            "gpu_layers": "0, 80",
            "temperature": "0,0.5",
            "base_url": None,
            "server_args": ("--flash-attn", "on"),
            "server_command": "serve {model},{port}",
            "few_shot": "0,5",
            "concurrencies": "1,8",
            "test_mode": True,
        },
    )
    axes = {name: [given.value for given in values] for name, values in compiled.matrix.axes.items()}
    assert [choice.text for choice in axes.pop("model")] == [
        f"{tmp_path}/a,b[1].gguf",
        f"{tmp_path}/models/*.gguf",
        "owner/name",
    ]
    assert axes == {
        "benchmark": ["human_eval"],
        "gpu_layers": [0, 80],
        "temperature": [0, 0.5],
        "server_args": [("--flash-attn", "on")],
        "server_command": ["serve {model},{port}"],
        "few_shot": ["0", "5"],
        "concurrencies": ["1,8"],
    }
    assert compiled.test_mode
    again = parse_manifest(
        compiled.text, form=compiled.form, name=compiled.name, folder=tmp_path / "elsewhere"
    )
    assert again.matrix == compiled.matrix


def test_what_is_wrong_on_the_command_line_is_told_by_option():
    with pytest.raises(UsageError) as caught:
        manifest_from_options([], {"gpu_layers": "0,x", "benchmark": "human_eval", "limit": "0"})
    assert caught.value.message.splitlines() == [
        "command line has 2 errors:",
        '--gpu-layers: "x" is not a whole number',
        "--limit: 0 is out of range: 1 to 1000000",
    ]
    with pytest.raises(UsageError, match="--frob-nicate is not an option of sweep"):
        manifest_from_options([], {"frob_nicate": "3"})
