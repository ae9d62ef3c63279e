"""No page fails, whatever its address asks for: generated queries, paths and forms over every one of them."""

from __future__ import annotations

import re
import traceback

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig

from tests.results.recorded_runs import F, P
from tests.web.api_services import Api
from tests.web.live_door import PATIENCE_S, serving
from web import app as web_app
from web.access.role import Role
from web.config import API_ROOT, Limits
from web.jobs.job import JobStatus

pytestmark = pytest.mark.web
EXAMPLES = 6  # of each page, good and bad ones


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    hidden = [router for router in web_app.ROUTERS if not router.include_in_schema]
    routes = [route for router in web_app.ROUTERS for route in router.routes if not route.include_in_schema]
    for each in (*hidden, *routes):
        each.include_in_schema = True
    limits = Limits(requests_per_minute=1_000_000, queued_per_user=1_000_000)
    made = Api(tmp_path_factory.mktemp("pages"), limits=limits)
    job_id = made.posted()
    made.ended(job_id, JobStatus.COMPLETED)
    made.measured(job_id, {"label": "a", "outcomes": [P, F, P]}, {"label": "b", "outcomes": [P, P, F]})
    yield made
    made.close()
    for each in (*hidden, *routes):
        each.include_in_schema = False


@pytest.fixture(scope="module")
def pages(api):
    schema = api.app.openapi()
    schema["paths"] = {
        path: operations
        for path, operations in schema["paths"].items()
        if not path.startswith((API_ROOT, "/logout", "/enter"))
    }
    assert len(schema["paths"]) > 20
    secret = api.keys.add("fuzz", Role.ADMIN)[1]
    with serving(api.app) as port:
        config = SchemathesisConfig.from_dict(
            {"headers": {"Authorization": f"Bearer {secret}"}, "base-url": f"http://127.0.0.1:{port}"}
        )
        yield schemathesis.openapi.from_dict(schema, config=config)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["good", "bad"])
def test_no_page_fails(api, pages, mode):
    runs = [each.name for each in api.config.results_dir.iterdir() if (each / "run.json").exists()]
    job_id = api.ada.get("/results").json()["results"][0]["job_id"]
    known = {
        "run_id": runs,
        "run": runs,
        "a": runs,
        "b": runs,
        "job_id": [job_id],
        "benchmark": ["human_eval"],
    }
    failures = {}
    for found in pages.get_all_operations():
        operation = found.ok()
        try:
            requests_to(operation, mode, known)()
        except Unsatisfiable:
            continue
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
        for given_values in (case.path_parameters, case.query):
            for name, value in (given_values or {}).items():
                if name in known and len(str(value)) % 2:
                    given_values[name] = known[name][0]
        response = case.call(timeout=PATIENCE_S)
        case.validate_response(response, checks=[not_a_server_error])
        assert not re.search(r"Traceback \(most recent", response.text)

    return ask
