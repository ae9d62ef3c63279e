"""Which runs may be the baseline: of the same place and settings, whatever the model's content and the build."""

from __future__ import annotations

import pytest

from choosing.asked_runs import RunSource
from choosing.stored_runs import StoredRuns, model_place
from choosing.watch_build import BuildWatch, WatchRequest, watchable
from commands.setting_options import asked_by_options
from processes.signals import Interruptions
from results.errors import NotComparable, UsageError
from results.records import ModelIdentity, RunStatus, ServerFacts
from runner.display import Lines
from tests.results.recorded_runs import P, record_run
from tests.sweep_runs import models


def spec_of(model, **given):
    return watchable(
        asked_by_options({"benchmark": "human_eval", "model": str(model), "gpu_layers": "3", **given})
    )


@pytest.fixture
def model(tmp_path):
    (found,) = models(tmp_path / "m", "a")
    return found


def stored(results, spec):
    return StoredRuns(results_dir=results, spec=spec, warn=pytest.fail)


def recorded(results, spec, *, build="b6123-5a2b", place=None, config=None, **facts):
    path = str(place or spec.server.model.path.absolute())
    return record_run(
        results, [P] * 3, model="a", config={**spec.config(), "parallel": 4, **(config or {})},
        model_identity=ModelIdentity(name="a", path=path, sha256=facts.pop("sha256", "01")),
        server=ServerFacts(kind="llama.cpp", command=("llama-server",), effective={"build": build}), **facts,
    )  # fmt: skip


def test_another_build_and_content_count_but_not_other_settings_or_places(model, tmp_path):
    spec, results = spec_of(model), tmp_path / "r"
    taken = [
        recorded(results, spec),
        recorded(results, spec, build="b1-x", sha256="02"),
        recorded(results, spec, config={"server_binary": "/other/llama-server", "limit": 3}),
    ]
    recorded(results, spec, config={"gpu_layers": 4})
    recorded(results, spec, config={"temperature": 0.5})
    recorded(results, spec, place="/elsewhere/a.gguf")
    recorded(results, spec, status=RunStatus.FAILED)
    recorded(results, spec, benchmark="gsm8k")
    found = [folder.run_id for folder, _ in stored(results, spec).finished()]
    assert found == [folder.run_id for folder in taken]


def test_a_companion_is_of_the_same_build_as_the_server_says(model, tmp_path):
    spec, results = spec_of(model), tmp_path / "r"
    one, other = recorded(results, spec), recorded(results, spec)
    recorded(results, spec, build="b6124-0000")
    unknown = [recorded(results, spec, build="b0-unknown") for _ in range(2)]
    runs = stored(results, spec)

    def companions(folder):
        return [each.run_id for each, _ in runs.with_companion((folder, folder.read_record()))]

    assert companions(one) == [one.run_id, other.run_id]
    assert companions(unknown[0]) == [unknown[0].run_id], "a build without a number may be any"


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"status": RunStatus.FAILED}, "did not finish"),
        ({"benchmark": "gsm8k"}, "is a run of gsm8k"),
        ({"config": {"gpu_layers": 9}}, "gpu_layers"),
    ],
)
def test_a_baseline_that_cannot_be_one_is_refused_before_anything_runs(model, tmp_path, facts, words):
    spec = spec_of(model)
    folder = recorded(tmp_path / "r", spec, **facts)
    with pytest.raises(NotComparable, match=words) as error:
        stored(tmp_path / "r", spec).require_same((folder, folder.read_record()))
    assert error.value.hint


def test_a_model_is_known_by_its_place_also_when_its_content_changes(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = {"benchmark": "human_eval", "server_command": "x --port {port}"}
    watches = []
    for text in (str(model), "m/a.gguf"):
        request = WatchRequest(
            asked=asked_by_options({**asked, "model": text}), drop=0.1, looks_a_year=365, min_slowdown=0.05
        )
        source = RunSource(name="w", results_dir=tmp_path / "r", display=Lines(), held=Interruptions().held)
        watches.append(BuildWatch(request, source).folder.watch_id)
        model.write_bytes(model.read_bytes() + b"\0" * 32)
    assert watches[0] == watches[1]
    (other,) = models(tmp_path / "n", "a")
    assert model_place(spec_of(other)) != model_place(spec_of(model))
    assert model_place(spec_of("demo")) == "demo"


@pytest.mark.parametrize(
    "given", [{"n_samples": "2"}, {"benchmark": "speed"}, {"server_command": None, "as_published": "true"}]
)
def test_what_has_no_single_verdict_per_sample_is_refused(model, given):
    with pytest.raises(UsageError) as error:
        spec_of(model, **given)
    assert error.value.hint
