"""A setting that is added to the table arrives everywhere that settings matter."""

from __future__ import annotations

import json

import click
import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from commands.setting_options import SectionedCommand, asked_by_options, setting_options
from results.compare.comparability import forbidding
from results.errors import ResumeMismatch, UsageError
from results.records import RunRecord, RunStatus, ServerFacts
from runner.fingerprint import fingerprint
from runner.request import build_spec
from runner.rerun import asked_again
from runner.resume import require_same
from runner.script.command import Target, script_command
from runner.spec_json import decode_spec, encode_spec
from scripts.arguments import connection_of, parse
from settings.asked import Asked
from settings.setting import Determines, Section, Setting
from settings.table import SETTINGS, TABLE, table_of
from sweeps.manifest.options import manifest_from_options
from sweeps.manifest.reader import parse_manifest
from sweeps.manifest.schema import schema
from sweeps.plan import plan_runs
from tests.servers.gguf_file import gguf

ADDED = Setting(
    name="typical_p",
    kind="number",
    help="Locally typical sampling.",
    section=Section.SAMPLING,
    determines=Determines.RESULT,
    metavar="P",
    above=0,
    maximum=1,
    to_script=True,
)


def table(determines=Determines.RESULT):
    return table_of([*SETTINGS, replace(ADDED, determines=determines)])


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "m.gguf"
    path.write_bytes(gguf())
    return path


def spec(model, known, **given):
    return build_spec(Asked({"benchmark": "human_eval", "model": str(model), **given}, known))


def record(made, **config):
    return RunRecord(
        run_id="r", timestamp="t", status=RunStatus.FAILED, benchmark="human_eval", model="m",
        config={**made.config(), **config},
    )  # fmt: skip


def test_it_is_an_option_with_its_help_in_its_section():
    @click.command(cls=SectionedCommand)
    @setting_options(several=False, table=table())
    def command(**options):
        click.echo(json.dumps(asked_by_options(options, table()).written()))

    shown = CliRunner().invoke(command, ["--help"]).output
    assert "--typical-p P" in shown
    assert "Locally typical sampling." in shown
    assert json.loads(CliRunner().invoke(command, ["--typical-p", "0.5"]).output) == {"typical_p": 0.5}
    for text, message in (("2", "2.0 is out of range: more than 0, at most 1"), ("x", "'x' is not a number")):
        with pytest.raises(UsageError, match=f"--typical-p: {message}"):
            asked_by_options({"typical_p": text}, table())


def test_it_is_in_manifests_and_their_schema_and_an_axis_of_the_command_line(tmp_path, model):
    assert schema(table())["$defs"]["setting_typical_p"]["anyOf"][0] == {
        "type": "number", "exclusiveMinimum": 0, "maximum": 1,
    }  # fmt: skip
    text = json.dumps({"matrix": {"model": "m.gguf", "benchmark": "human_eval", "typical_p": [0.5, 1]}})
    manifest = parse_manifest(text, form="json", name="m", folder=tmp_path, table=table())
    runs = plan_runs(manifest, table=table()).runs
    assert [run.label for run in runs] == [f"m human_eval typical_p={p}" for p in (0.5, 1)]
    with pytest.raises(UsageError, match=r"m:3: runs\[0\]\.typical_p: 7 is out of range"):
        wrong = '{"runs":\n[{"model": "m.gguf", "benchmark": "human_eval",\n"typical_p": 7}]}'
        parse_manifest(wrong, form="json", name="m", folder=tmp_path, table=table())
    axes = manifest_from_options([], {"typical_p": "0.5,1"}, table()).matrix.axes
    assert [given.value for given in axes["typical_p"]] == [0.5, 1]


def test_the_script_gets_it_and_the_record_has_it(model):
    made = spec(model, table(), typical_p=0.5)
    command = script_command(
        made, Target(base_url="u", model_name="m", output_dir=model.parent, concurrency=1)
    )
    assert command[command.index("--typical-p") + 1] == "0.5"
    assert made.config()["typical_p"] == 0.5
    assert "typical_p" not in spec(model, table()).config()


@pytest.mark.parametrize(
    ("determines", "counts"),
    [(Determines.RESULT, True), (Determines.SERVER, True), (Determines.NOTHING, False)],
)
def test_what_it_determines_decides_who_is_the_same_run(model, determines, counts):
    known = table(determines)
    one, other = spec(model, known), spec(model, known, typical_p=0.5)
    assert (fingerprint(one) != fingerprint(other)) is counts
    external = {"script": str(model)}  # our own scripts check what is handed on to them themselves
    before, now = (record(made, **external) for made in (one, other))
    if counts:
        with pytest.raises(ResumeMismatch, match=r"typical_p was None and is 0\.5"):
            require_same(before, now, known)
    else:
        require_same(before, now, known)


def test_a_setting_that_determines_the_result_forbids_comparing(model):
    """Also one that this version does not know."""
    known = table()
    one, other = (record(spec(model, known, **given)) for given in ({}, {"typical_p": 0.5}))
    assert [difference.name for difference in forbidding(one, other, None, None)] == ["typical_p"]
    layers = record(spec(model, known, gpu_layers=3))
    assert forbidding(one, layers, None, None) == ()


def test_a_rerun_asks_for_it_again(model):
    before = record(spec(model, table(), typical_p=0.5))
    with_server = RunRecord(**{
        name: getattr(before, name) for name in before.__struct_fields__ if name != "server"
    }, server=ServerFacts(kind="llama.cpp"))  # fmt: skip
    assert asked_again(with_server, table=table())["typical_p"] == 0.5


def test_the_patience_for_one_answer_reaches_the_script_and_a_rerun_and_is_no_other_run(model):
    """A slow model would lose answers in a lane of a sweep, or when its run is repeated."""
    plain, patient = spec(model, TABLE), spec(model, TABLE, request_timeout=3600.0)
    target = Target(base_url="u", model_name="m", output_dir=model.parent, concurrency=1)
    for made, seconds in ((plain, 600), (patient, 3600)):
        command = script_command(made, target)
        options = [str(word) for word in command[command.index("--base-url") :]]
        found = parse(options, benchmark="human_eval", about="")
        assert connection_of(found).timeout == seconds
    assert fingerprint(plain) == fingerprint(patient)
    again = RunRecord(
        run_id="r", timestamp="t", status=RunStatus.FAILED, benchmark="human_eval", model="m",
        config=patient.config(), server=ServerFacts(kind="llama.cpp"),
    )  # fmt: skip
    assert asked_again(again)["request_timeout"] == 3600
    lane = decode_spec(encode_spec(patient))
    assert lane.asked["request_timeout"] == 3600


def test_every_setting_is_an_option_of_run_and_of_sweep():
    from commands.running.run import run
    from commands.sweep import sweep

    given = {name for name, setting in TABLE.items() if not setting.hidden}
    assert given <= {parameter.name for parameter in run.params}
    options = {parameter.name for parameter in sweep.params}
    assert given - options == {"model"}, "a sweep's models are words of their own"
    assert set(TABLE) - given == {"shard"}, "what this program alone gives"
    assert "shard" not in options


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_each_row_makes_sense(setting):
    assert setting.help.endswith((".", "-1 for all.", ":"))
    assert setting.benchmarks == () or setting.not_for == ()
    assert set(setting.benchmarks) | set(setting.not_for) <= set(TABLE["benchmark"].choices)
    assert set(setting.servers) | set(setting.server_option or ()) <= set(TABLE["server"].choices)
    if setting.to_script:
        assert setting.determines in {Determines.RESULT, Determines.SAMPLES} or setting.name in {
            "sandbox",
            "request_timeout",
            "rate_limit_patience",
            "kld_cache_size",
            "max_cost",
            "max_tokens_total",
            "cache",
            "cache_size",
            "lm_eval",
        }
