"""What the OpenAPI allows is answered as it says, what it forbids is refused: schemathesis over every endpoint."""

from __future__ import annotations

import re

import pytest
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from tests.web.door import client
from tests.web.generated_requests import api_with_two_runs, failures, schema_of
from tests.web.live_door import PATIENCE_S

# What the schema allows may still name nothing that there is, so 400 is no failure; and wrong keys are slowed down with
# 429, so a test of its own is about them.
NOT_MEANT = [positive_data_acceptance, ignored_auth]
pytestmark = pytest.mark.web
EXAMPLES = 10  # of each endpoint, good and bad ones


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    with api_with_two_runs(tmp_path_factory.mktemp("contract")) as made:
        yield made


@pytest.fixture(scope="module")
def known(api):
    """Ids that there are, of which each path parameter gets one now and then."""
    job_id = api.ada.get("/results").json()["results"][0]["job_id"]
    runs = [each.name for each in api.config.results_dir.iterdir() if (each / "run.json").exists()]
    return {"job_id": job_id, "run_id": runs[0], "task_id": "HumanEval/0"}


@pytest.fixture(scope="module")
def contract(api):
    with schema_of(api, api.app.openapi()) as schema:
        yield schema


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["good", "bad"])
def test_every_endpoint_keeps_its_contract(contract, known, mode):
    """With good requests, and with ones that the schema forbids. All that fail are told, with the request."""

    def keeps_it(case):
        case.call_and_validate(timeout=PATIENCE_S, excluded_checks=NOT_MEANT)

    is_good = mode is GenerationMode.POSITIVE
    found = failures(
        contract,
        mode,
        keeps_it,
        examples=EXAMPLES,
        known=known if is_good else {},
        places=("path_parameters",),
    )
    assert not found, found


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
