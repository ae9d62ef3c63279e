"""No page fails, whatever its address asks for: generated queries, paths and forms over every one of them."""

from __future__ import annotations

import re

import pytest
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error

from tests.web.generated_requests import api_with_two_runs, failures, schema_of
from tests.web.live_door import PATIENCE_S
from web import app as web_app
from web.config import API_ROOT

pytestmark = pytest.mark.web
EXAMPLES = 6  # of each page, good and bad ones


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    hidden = [router for router in web_app.ROUTERS if not router.include_in_schema]
    routes = [route for router in web_app.ROUTERS for route in router.routes if not route.include_in_schema]
    for each in (*hidden, *routes):
        each.include_in_schema = True
    with api_with_two_runs(tmp_path_factory.mktemp("pages")) as made:
        yield made
    for each in (*hidden, *routes):
        each.include_in_schema = False


@pytest.fixture(scope="module")
def pages(api):
    document = api.app.openapi()
    document["paths"] = {
        path: operations
        for path, operations in document["paths"].items()
        if not path.startswith((API_ROOT, "/logout", "/enter"))
    }
    assert len(document["paths"]) > 20
    with schema_of(api, document) as schema:
        yield schema


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["good", "bad"])
def test_no_page_fails(api, pages, mode):
    run = next(each.name for each in api.config.results_dir.iterdir() if (each / "run.json").exists())
    job_id = api.ada.get("/results").json()["results"][0]["job_id"]
    known = {"run_id": run, "run": run, "a": run, "b": run, "job_id": job_id, "benchmark": "human_eval"}

    def holds(case):
        response = case.call(timeout=PATIENCE_S)
        case.validate_response(response, checks=[not_a_server_error])
        assert not re.search(r"Traceback \(most recent", response.text)

    found = failures(pages, mode, holds, examples=EXAMPLES, known=known, places=("path_parameters", "query"))
    assert not found, found
