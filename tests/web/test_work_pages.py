"""Pages that start, cancel and schedule: who may, what a second click does, and that nothing typed is lost."""

from __future__ import annotations

import re
from html import unescape

import pytest
from sqlalchemy import delete

from tests.web.answered_runs import HOSTILE
from tests.web.door import HERE, client
from web.access.role import Role
from web.app import create_app
from web.config import Limits, ServeConfig
from web.database.tables import IDEMPOTENCY_KEYS, JOBS, SCHEDULES
from web.jobs.job import JobStatus, NewJob
from web.opening import open_services

ASKED = {"model": "demo", "benchmark": "human_eval", "limit": "2", "temperature": "0, 0.7"}
FORM = {"Origin": HERE}


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """Services, and a browser by its user's name."""
    folder = tmp_path_factory.mktemp("serve")
    state = folder / "state"
    state.mkdir(mode=0o700)
    limits = Limits(queued_per_user=2, requests_per_minute=100_000)
    roles = {"rea": Role.READ, "ada": Role.RUN, "bob": Role.RUN, "eve": Role.ADMIN}
    with open_services(
        ServeConfig(results_dir=folder / "results", state_dir=state, limits=limits)
    ) as services:
        app = create_app(services, hold_back_s=0.0, remember_s=0.0)
        sent = {"Origin": HERE}
        yield (
            services,
            {user: client(app, services.keys.add(user, role)[1], **sent) for user, role in roles.items()},
        )


@pytest.fixture
def services(opened):
    services = opened[0]
    with services.queue.database.decide() as connection:
        for table in (IDEMPOTENCY_KEYS, JOBS, SCHEDULES):
            connection.execute(delete(table))
    return services


@pytest.fixture
def people(opened):
    return opened[1]


def _add(services, user="ada", **facts):
    given = {"suite": "human_eval", "model_name": "demo", "manifest": '{"runs": []}', "needs_device": False}
    return services.queue.add(NewJob(user=user, **(given | facts)))


def test_the_form_offers_what_a_request_may_set_and_nothing_else(people):
    text = people["ada"].get("/start").text
    names = set(re.findall(r'name="(\w+)"', text))
    assert {"model", "benchmark", "limit", "temperature", "n_samples", "gpu_layers", "priority"} <= names
    assert not names & {
        "script",
        "parser",
        "server_command",
        "server_binary",
        "server_args",
        "port",
        "base_url",
    }
    assert 'value="process"' not in text
    assert "Only the first N samples." in text


def test_a_mistake_stands_at_its_field_and_all_values_are_kept(people):
    asked = {
        "check": "1",
        "model": "demo",
        "benchmark": "human_eval",
        "limit": "many",
        "system_prompt": "<b>",
    }
    answer = people["ada"].get("/start", params=asked)
    assert answer.status_code == 400
    text = answer.text
    assert re.search(r'<p class="error" id="field-limit-error">&#39;many&#39; is not a whole number', text)
    assert 'id="field-limit" name="limit" value="many"' in text
    assert 'href="#field-limit"' in text
    assert 'name="model" value="demo" checked' in text
    assert "&lt;b&gt;</textarea>" in text


@pytest.mark.parametrize(
    ("asked", "field", "what"),
    [
        ({"model": "demo"}, "benchmark", "choose at least one"),
        ({"model": "../../etc/passwd", "benchmark": "tasks"}, "model", "there is no model"),
        ({"model": "demo", "benchmark": "nope"}, "benchmark", "is no benchmark"),
        ({"model": "demo", "benchmark": "speed", "top_p": "0.5"}, "top_p", "does not apply to"),
        ({"model": "demo", "benchmark": "tasks", "sandbox": "process"}, "sandbox", "is not one of"),
        ({"model": "demo", "benchmark": "tasks", "who": "server:mine"}, "who", "is not offered"),
        ({"model": "demo", "benchmark": "tasks", "priority": "now"}, "priority", "high"),
    ],
)
def test_what_the_catalogue_refuses_stands_at_its_field(people, asked, field, what):
    answer = people["ada"].post("/start", data=asked)
    assert answer.status_code == 400
    if field == "who":  # nothing is configured, so the field isn't there
        assert what in answer.text
        return
    found = re.search(rf'id="field-{field}-error">([^<]*)<', answer.text)
    assert found is not None
    assert what in found[1]


@pytest.mark.parametrize("name", ["seed", "gpu_layers", "limit", "cpu_limit", "memory_limit"])
def test_a_number_without_end_is_a_mistake_and_no_error_of_ours(people, name):
    asked = {"model": "demo", "benchmark": "human_eval", name: "1" * 400}
    answer = people["ada"].post("/start", data=asked)
    assert answer.status_code in {303, 400}
    if answer.status_code == 400:
        assert f'id="field-{name}-error"' in answer.text


def test_empty_fields_leave_the_address(people):
    answer = people["ada"].get("/start", params={"model": "demo", "limit": "", "top_p": " ", "check": "1"})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/start?model=demo&check=1"


def test_two_clicks_make_one_job(services, people):
    first = people["ada"].post("/start", data=ASKED | {"key": "k-1"})
    second = people["ada"].post("/start", data=ASKED | {"key": "k-1"})
    assert first.status_code == second.status_code == 303
    assert first.headers["location"] == second.headers["location"]
    job = services.queue.get(first.headers["location"].removeprefix("/jobs/"))
    assert (job.user, job.suite) == ("ada", "human_eval")
    assert '"temperature":[0,0.7]' in job.manifest
    assert services.queue.counts()[JobStatus.PENDING] == 1


@pytest.mark.web  # a preflight
def test_a_full_queue_keeps_what_was_typed_and_its_key(services, people):
    for _ in range(2):
        _add(services)
    answer = people["ada"].post("/start", data=ASKED | {"key": "k-2"})
    assert answer.status_code == 429
    assert "Not started" in answer.text
    assert 'name="key" value="k-2"' in answer.text
    assert 'name="temperature" value="0, 0.7"' in answer.text


@pytest.mark.web  # a preflight
def test_the_second_step_says_what_would_happen_and_starts_nothing(services, people):
    text = people["ada"].get("/start", params=ASKED | {"check": "1"}).text
    assert "2 runs, " in text
    assert text.count("temperature=0") >= 2
    assert "Start 2 runs" in text
    assert len(re.findall(r'name="key" value="[\w-]{20,}"', text)) == 1
    assert sum(services.queue.counts().values()) == 0


def test_a_schedule_is_added_listed_and_removed(services, people):
    sent = ASKED | {"then": "schedule", "name": "nightly", "cron": "30 2 * * *", "time_zone": "UTC"}
    assert people["ada"].post("/start", data=sent).headers["location"] == "/schedules"
    assert "nightly" in people["ada"].get("/schedules").text
    assert "nightly" not in people["bob"].get("/schedules").text
    assert "nightly" in people["eve"].get("/schedules").text
    schedule = services.schedules.list()[0]
    url = f"/schedules/{schedule.schedule_id}/remove"
    assert people["bob"].post(url).status_code == 403
    assert people["rea"].post(url).status_code == 403
    assert people["ada"].post(url).status_code == 303
    assert services.schedules.list() == ()
    assert people["ada"].post(url).status_code == 404


@pytest.mark.web  # a preflight
def test_a_wrong_time_keeps_the_schedule_that_was_typed(people):
    sent = ASKED | {"then": "schedule", "name": "nightly", "cron": "every night"}
    answer = people["ada"].post("/start", data=sent)
    assert answer.status_code == 400
    assert "no time in cron form" in answer.text
    assert 'name="cron" maxlength="100" value="every night"' in answer.text


def test_buttons_are_there_for_those_who_may(services, people):
    job = _add(services)
    for user, shown in (("ada", True), ("eve", True), ("bob", False), ("rea", False)):
        for url in ("/jobs", f"/jobs/{job.job_id}"):
            assert (f'action="/jobs/{job.job_id}/cancel"' in people[user].get(url).text) is shown, (user, url)
    assert "Start a run" not in people["rea"].get("/jobs").text
    assert people["rea"].get("/start").status_code == 403
    assert people["rea"].post("/start", data=ASKED).status_code == 403
    assert people["rea"].get("/keys").status_code == people["ada"].get("/keys").status_code == 403


def test_only_its_user_and_admins_cancel_a_job(services, people):
    job = _add(services)
    url = f"/jobs/{job.job_id}/cancel"
    assert people["bob"].post(url).status_code == 403
    assert people["rea"].post(url).status_code == 403
    assert services.queue.get(job.job_id).status is JobStatus.PENDING
    assert people["ada"].post(url).headers["location"] == f"/jobs/{job.job_id}"
    assert services.queue.get(job.job_id).status is JobStatus.CANCELLED
    assert people["eve"].post(f"/jobs/{job.job_id}/retry").status_code == 303
    assert services.queue.get(job.job_id).status is JobStatus.PENDING
    assert people["eve"].post("/jobs/nothing/cancel").status_code == 404


def test_forms_of_other_sites_change_nothing(services, people):
    job = _add(services)
    for origin in ("null", "http://evil.example", "http://127.0.0.1:1"):
        for url in (f"/jobs/{job.job_id}/cancel", "/start", "/keys"):
            assert people["eve"].post(url, data=ASKED, headers={"Origin": origin}).status_code == 403, (
                origin,
                url,
            )
    assert people["eve"].get(f"/jobs/{job.job_id}/cancel").status_code == 405
    assert services.queue.get(job.job_id).status is JobStatus.PENDING
    assert sum(services.queue.counts().values()) == 1


def test_the_log_and_the_manifest_are_for_its_user_and_admins(services, people):
    job = _add(services, manifest='{"defaults": {"system_prompt": "confidential"}}')
    for user, shown in (("ada", True), ("eve", True), ("bob", False), ("rea", False)):
        text = people[user].get(f"/jobs/{job.job_id}").text
        assert ("confidential" in text) is shown, user
        assert ('aria-label="Log"' in text) is shown, user


def test_hostile_names_of_jobs_and_schedules_act_nowhere(services, people):
    bad = HOSTILE.replace("\x00", "")
    job = _add(services, suite=bad, model_name=bad, project_id=bad, manifest='{"a": "</script><script>"}')
    services.queue.cancel(job.job_id, bad[:50])
    for url in ("/jobs", f"/jobs/{job.job_id}", "/jobs?user=%3Cscript%3E&status=failed"):
        text = people["eve"].get(url).text
        scripts = re.findall(r"<script[^>]*>", text)
        assert all('src="/static/' in script for script in scripts), scripts
        assert "<img" not in text
        assert "<iframe" not in text


def test_a_key_is_shown_once_and_revoked(services, people):
    answer = people["eve"].post("/keys", data={"user": "zoe", "role": "read"})
    secret = re.search(r'<code class="secret">(bench_\w+-?[\w-]*)</code>', answer.text)[1]
    assert answer.headers["cache-control"] == "no-store"
    assert services.keys.find(secret).user == "zoe"
    text = people["eve"].get("/keys").text
    assert "zoe" in text
    assert secret not in text
    key_id = services.keys.find(secret).key_id
    assert people["ada"].post(f"/keys/{key_id}/revoke").status_code == 403
    assert people["eve"].post(f"/keys/{key_id}/revoke").status_code == 303
    assert services.keys.find(secret) is None
    for wrong in ({"user": "a b", "role": "read"}, {"user": "zoe", "role": "root"}, {}):
        assert people["eve"].post("/keys", data=wrong).status_code == 400


def test_signing_in_leads_back_on_this_site_only(people):
    stranger = client(people["eve"].app)
    for target, kept in (
        ("/jobs?status=failed", "/jobs?status=failed"),
        ("https://evil.example", "/"),
        ("//evil.example", "/"),
    ):
        text = stranger.get("/login", params={"next": target}).text
        assert unescape(re.search(r'name="next" value="([^"]*)"', text)[1]) == kept
    failed = stranger.get("/login?failed=1")
    assert failed.status_code == 401
    assert "does not open anything here" in failed.text
    assert 'href="/jobs"' not in failed.text
