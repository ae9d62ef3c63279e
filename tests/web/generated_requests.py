"""Requests that schemathesis makes from an OpenAPI document, sent to an app on a real socket."""

from __future__ import annotations

import contextlib
import traceback

import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.config import SchemathesisConfig

from tests.results.recorded_runs import F, P
from tests.web.api_services import Api
from tests.web.live_door import serving
from web.access.role import Role
from web.config import Limits
from web.jobs.job import JobStatus


@contextlib.contextmanager
def api_with_two_runs(folder):
    """One that never refuses for the number of requests, with a job that has ended and two runs."""
    made = Api(folder, limits=Limits(requests_per_minute=1_000_000, queued_per_user=1_000_000))
    try:
        job_id = made.posted()
        made.ended(job_id, JobStatus.COMPLETED)
        made.measured(job_id, {"label": "a", "outcomes": [P, F, P]}, {"label": "b", "outcomes": [P, P, F]})
        yield made
    finally:
        made.close()


@contextlib.contextmanager
def schema_of(api, document):
    """The operations of the document, at an address where the app answers an admin."""
    secret = api.keys.add("fuzz", Role.ADMIN)[1]
    with serving(api.app) as port:
        config = SchemathesisConfig.from_dict(
            {"headers": {"Authorization": f"Bearer {secret}"}, "base-url": f"http://127.0.0.1:{port}"}
        )
        yield schemathesis.openapi.from_dict(document, config=config)


def failures(schema, mode, check, *, examples, known, places):
    """What check, which gets each request, says of whom; empty if nothing. known: by a parameter's name, what there is,
    which about half of the requests ask for. places: where such parameters stand, such as `query`.
    """
    found = {}
    for each in schema.get_all_operations():
        operation = each.ok()
        try:
            _requests_to(operation, mode, check, examples=examples, known=known, places=places)()
        except Unsatisfiable:
            continue  # nothing it could forbid
        except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - told by the caller
            found[operation.label] = "".join(traceback.format_exception_only(error))
    return "\n\n".join(f"{label}: {text}" for label, text in found.items())


def _requests_to(operation, mode, check, *, examples, known, places):
    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=[*HealthCheck],
    )
    def ask(case):
        for place in places:
            values = getattr(case, place) or {}
            for name, value in values.items():
                if name in known and len(str(value)) % 2:
                    values[name] = known[name]
        check(case)

    return ask
