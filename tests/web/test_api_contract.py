"""What the OpenAPI allows is answered as it says, what it forbids is refused: schemathesis over every endpoint."""

from __future__ import annotations

import re
import traceback

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from tests.results.recorded_runs import F, P
from tests.web.api_services import Api
from tests.web.door import client
from tests.web.live_door import PATIENCE_S, serving
from web.access.role import Role
from web.config import Limits
from web.jobs.job import JobStatus

# What the schema allows may still name nothing that there is, so 400 is no failure; and wrong keys are slowed down with
# 429, so a test of its own is about them.
NOT_MEANT = [positive_data_acceptance, ignored_auth]
pytestmark = pytest.mark.web
EXAMPLES = 10  # of each endpoint, good and bad ones


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    limits = Limits(requests_per_minute=1_000_000, queued_per_user=1_000_000)
    made = Api(tmp_path_factory.mktemp("contract"), limits=limits)
    job_id = made.posted()
    made.ended(job_id, JobStatus.COMPLETED)
    made.measured(job_id, {"label": "a", "outcomes": [P, F, P]}, {"label": "b", "outcomes": [P, P, F]})
    yield made
    made.close()


@pytest.fixture(scope="module")
def known(api):
    """Ids that there are, of which each path parameter gets one now and then."""
    job_id = api.ada.get("/results").json()["results"][0]["job_id"]
    runs = [each.name for each in api.config.results_dir.iterdir() if (each / "run.json").exists()]
    return {"job_id": job_id, "run_id": runs[0], "task_id": "HumanEval/0"}


@pytest.fixture(scope="module")
def contract(api):
    secret = api.keys.add("fuzz", Role.ADMIN)[1]
    with serving(api.app) as port:
        config = SchemathesisConfig.from_dict(
            {"headers": {"Authorization": f"Bearer {secret}"}, "base-url": f"http://127.0.0.1:{port}"}
        )
        yield schemathesis.openapi.from_dict(api.app.openapi(), config=config)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["good", "bad"])
def test_every_endpoint_keeps_its_contract(contract, known, mode):
    """With good requests, and with ones that the schema forbids. All that fail are told, with the request."""
    failures = {}
    for found in contract.get_all_operations():
        operation = found.ok()
        try:
            ask = requests_to(operation, mode, known)
            ask()
        except Unsatisfiable:
            continue  # nothing it could forbid
        except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - told below
            failures[operation.label] = "".join(traceback.format_exception_only(error))
    assert not failures, "\n\n".join(f"{label}: {text}" for label, text in failures.items())


def requests_to(operation, mode, known):
    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=[*HealthCheck],
    )
    def ask(case):
        for name, value in (case.path_parameters or {}).items():
            if name in known and mode is GenerationMode.POSITIVE and len(str(value)) % 2:
                case.path_parameters[name] = known[name]
        case.call_and_validate(timeout=PATIENCE_S, excluded_checks=NOT_MEANT)

    return ask


def test_no_endpoint_answers_without_a_key(api):
    """Or with one that is made up; whatever else it is sent."""
    stranger, guesser = client(api.app), client(api.app, "bench_000000000000_" + "a" * 43)
    asked = 0
    for path, operations in api.app.openapi()["paths"].items():
        for method in operations:
            if path != "/health":
                for who, allowed in ((stranger, {401}), (guesser, {401, 429})):
                    answer = who.request(method, re.sub(r"\{[^}]*\}", "x", path), json={})
                    assert answer.status_code in allowed, (method, path)
                    asked += 1
    assert asked > 20
