"""What a run of kld is compared with: found before anything starts, served plainly, kept within a bound."""

from __future__ import annotations

import datetime as dt
import os

import pytest

from results.errors import ResultsError, UsageError
from results.locks import lock
from results.records import RunStatus
from results.store.run_folder import RunFolder
from results.store.runs import Runs
from runner.display import Lines
from runner.host import harness_facts, host_facts
from runner.kld.choice import KldChoice, choose, facts_of, key_of, precision_of, reference_request
from runner.kld.predictions_cache import (
    claimed,
    is_there,
    is_whole,
    make_room,
    note_whole,
    predictions_folder,
)
from runner.kld.reference import make_reference, reference_words, text_sha256
from runner.request import build_spec
from runner.reuse import FinishedRuns
from servers.launch import plan
from servers.models import Model, identity, resolve
from settings.asked import Asked
from tests.results.conftest import a_record
from tests.results.recorded_runs import record_run
from tests.servers.gguf_file import gguf


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def model_file(tmp_path):
    path = tmp_path / "small.gguf"
    path.write_bytes(gguf())
    return path


@pytest.fixture
def spec_of(model_file):
    def make(**settings):
        given = {"benchmark": "kld", "model": str(model_file), "kld_way": "served", **settings}
        return build_spec(Asked(given))

    return make


@pytest.fixture
def runs(tmp_path):
    return Runs(tmp_path / "results", say=pytest.fail)


def key(spec, request, **changes):
    made = plan(request, nonce="n")
    return key_of(spec, request, made, **({"run_id": "r", "text_sha256": "t"} | changes))


def test_a_reference_is_served_without_what_is_measured(spec_of, model_file):
    args = ("-t", "1", "-ctk", "q8_0", "--cache-type-v=q4_0", "--flash_attn", "on", "--mlock")
    spec = spec_of(server_args=args, parallel=2)
    request = reference_request(spec, resolve(str(model_file)))
    assert request.extra_args == ("-t", "1", "--mlock")
    assert request.parallel == 2
    assert facts_of(spec, request, name="demo", run_id="").served == {"server_args": ["-t", "1", "--mlock"]}


def test_predictions_are_found_by_what_determines_them(spec_of, model_file):
    """Slots, context and the KV cache of the model under test don't; text, window, K and the reference's options do."""
    model = resolve(str(model_file))

    def of(**settings):
        spec = spec_of(**settings)
        return key(spec, reference_request(spec, model))

    one = of()
    assert of(parallel=4, ctx_size=1024, limit=3, server_args=("-ctk", "q8_0")) == one
    others = [of(kld_window=64), of(kld_top=5), of(gpu_layers=3), of(server_args=("--mlock",))]
    spec = spec_of()
    others.append(key(spec, spec.server, text_sha256="u"))
    assert len({one, *others}) == 6
    assert key(spec, spec.server, run_id="other") == one  # a server of ours is the same in every run


def test_what_it_can_t_be_compared_with_is_refused_before_anything_starts(
    spec_of, runs, model_file, tmp_path
):
    with pytest.raises(UsageError, match=r"neither a model .* nor a run"):
        choose(spec_of(kld_reference="nosuch"), runs)
    folder = RunFolder.create(
        tmp_path / "results", "human_eval", "m", dt.datetime(2026, 11, 26, tzinfo=dt.UTC)
    )
    folder.write_record(a_record(folder.run_id))
    with pytest.raises(UsageError, match="is not a finished run of kld"):
        choose(spec_of(kld_reference=folder.run_id), runs)
    attached = build_spec(
        Asked({"benchmark": "kld", "base_url": "http://127.0.0.1:9", "kld_reference": str(model_file)})
    )
    with pytest.raises(UsageError, match="starts no second server"):
        choose(attached, runs)
    assert choose(spec_of(), runs).model is None
    with pytest.raises(UsageError, match="does not apply to --benchmark kld"):
        spec_of(spec_type="ngram-mod")


def test_a_text_or_window_that_can_t_work_is_refused_before_anything_starts(spec_of, tmp_path):
    text = tmp_path / "text.txt"
    for data, why in (
        (b"\xff\xfe", "not UTF-8"),
        (b"a" * (1 << 20) + b"\xc3", "not UTF-8"),
        (b" \n", "is empty"),
    ):
        text.write_bytes(data)
        with pytest.raises(UsageError, match=why):
            spec_of(kld_text=str(text))
    text.write_bytes(b"a" * ((1 << 20) - 1) + "ü".encode())  # across two parts of the file
    assert spec_of(kld_text=str(text)).server.longest.tokens == 513
    with pytest.raises(UsageError, match="--kld-window 9,000 needs 9,001 tokens of context, but"):
        plan(spec_of(kld_window="9000").server, nonce="n")


def test_a_run_is_not_reused_whose_reference_may_be_another_by_now(spec_of, model_file, tmp_path):
    """A label names today's run; a file is known by its content."""
    spec = spec_of(kld_reference=str(model_file))
    config = {**spec.config(), "server": "llama.cpp"}
    record_run(
        tmp_path / "results", benchmark="kld", fingerprint="f", config=config,
        model_identity=identity(spec.server.model), harness=harness_facts(), host=host_facts(),
        status=RunStatus.SUCCEEDED,
    )  # fmt: skip
    asked = []

    def fingerprint():
        asked.append(True)
        return "other"

    finished = FinishedRuns(tmp_path / "results", warn=pytest.fail)
    assert finished.find(spec_of(kld_reference="plain"), fingerprint) is None
    assert asked == []
    assert finished.find(spec, fingerprint) is None
    assert asked == [True]


def test_only_weights_that_were_not_quantised_are_full_precision(model_file, tmp_path):
    assert precision_of(resolve(str(model_file))) == "Q4_0"
    for config, told in (
        ('{"torch_dtype": "bfloat16"}', "BF16"),
        ('{"dtype": "float16"}', "F16"),
        ('{"torch_dtype": "bfloat16", "quantization_config": {"quant_method": "awq"}}', "awq"),
        ("{}", None),
        ("[1]", None),
    ):
        (tmp_path / "config.json").write_text(config)
        assert precision_of(Model(kind="hf_folder", name="m", path=tmp_path)) == told
    assert precision_of(Model(kind="name", name="owner/m")) is None


def fill(name, size, age):
    folder = predictions_folder(name)
    folder.mkdir(parents=True)
    (folder / "predictions.jsonl").write_bytes(b"x" * size)
    note_whole(name, None)
    for path in (folder, folder / "whole.json"):
        os.utime(path, (1e9 - age, 1e9 - age))


def test_the_cache_stays_within_its_bound_and_what_was_not_used_for_longest_goes_first():
    for name, age in (("old", 30), ("older", 40), ("writing", 50), ("new", 10)):
        fill(name, 1000, age)
    said = []
    with lock(predictions_folder("writing").with_suffix(".lock")):
        make_room("new", 2000, said.append, limit_bytes=3500)
    assert {name for name in ("old", "older", "writing", "new") if is_there(name)} == {"writing", "new"}
    assert len(said) == 2
    with pytest.raises(ResultsError, match="need 3 MiB, and all may have 1"):
        make_room("new", 3 << 20, said.append, limit_bytes=1 << 20)


def test_predictions_that_a_run_reads_stay_until_it_has_ended(spec_of, tmp_path):
    """Another run that makes room in between must not take them away."""
    own = RunFolder.create(tmp_path / "results", "kld", "m", dt.datetime(2026, 11, 26, tzinfo=dt.UTC))
    spec, choice, display = spec_of(), KldChoice(key="read"), Lines()
    made = plan(spec.server, nonce="n")
    fill("read", 1000, 30)
    with reference_words(spec, made, choice, own, display) as words:
        assert words == ("--reference", str(predictions_folder("read")))
        make_room("new", 3000, pytest.fail, limit_bytes=3500)
        assert is_there("read")
    make_room("new", 3000, display.say, limit_bytes=3500)
    with (
        pytest.raises(ResultsError, match="has just deleted the predictions"),
        reference_words(spec, made, choice, own, display),
    ):
        pytest.fail("there is nothing to read")


class Impatient(Lines):
    def say(self, text):
        assert "waiting" not in text
        super().say(text)


def test_a_reference_that_is_there_is_not_waited_for_while_others_read_it(
    spec_of, tmp_path, model_file, capsys
):
    own = RunFolder.create(tmp_path / "results", "kld", "m", dt.datetime(2026, 11, 26, tzinfo=dt.UTC))
    spec, model = spec_of(), resolve(str(model_file))
    found = key(spec, reference_request(spec, model), run_id=own.run_id, text_sha256=text_sha256(spec))
    fill(found, 1000, 30)
    with claimed(found, pytest.fail, to_read=True):
        make_reference(spec, KldChoice(model=model), own, Impatient(), pause=pytest.fail)
    assert "are in the cache" in capsys.readouterr().err


def test_fewer_windows_are_there_if_more_are():
    with claimed("a", pytest.fail) as folder:
        folder.mkdir()
        note_whole("a", 5)
    assert is_whole("a", 3)
    assert is_whole("a", 5)
    assert not is_whole("a", 6)
    assert not is_whole("a", None)
    note_whole("a", 2)  # says nothing new
    assert is_whole("a", 5)
    note_whole("a", None)
    assert is_whole("a", 1000)
    assert not is_there("b")
