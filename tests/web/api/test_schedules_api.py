"""Schedules over the API."""

from __future__ import annotations

NIGHTLY = {"name": "nightly", "cron": "30 2 * * *", "suite": "human_eval", "config": {"params": {"limit": 1}}}


def test_a_schedule_is_added_listed_and_removed(api):
    answer = api.ada.post("/schedules", json=NIGHTLY | {"time_zone": "Europe/Berlin"})
    assert answer.status_code == 201, answer.text
    added = answer.json()
    assert (added["name"], added["time_zone"], added["benchmark_suite"]) == (
        "nightly",
        "Europe/Berlin",
        "human_eval",
    )
    assert added["next_at"].endswith("Z")
    assert api.ada.get("/schedules").json() == {"schedules": [added]}
    assert api.admin.get("/schedules").json() == {"schedules": [added]}
    assert api.bob.get("/schedules").json() == {"schedules": []}
    assert api.bob.delete(f"/schedules/{added['schedule_id']}").status_code == 403
    assert api.ada.delete(f"/schedules/{added['schedule_id']}").status_code == 204
    assert api.ada.get("/schedules").json() == {"schedules": []}
    assert api.ada.delete(f"/schedules/{added['schedule_id']}").status_code == 404


def test_mistakes_are_told_when_it_is_added(api):
    for wrong in (
        {"cron": "61 * * * *"},
        {"cron": "x"},
        {"time_zone": "Nowhere"},
        {"suite": "x"},
        {"name": ""},
        {"x": 1},
    ):
        answer = api.ada.post("/schedules", json=NIGHTLY | wrong)
        assert answer.status_code == 400, wrong
    assert api.ada.post("/schedules", json=NIGHTLY).status_code == 201
    assert api.ada.post("/schedules", json=NIGHTLY).status_code == 400


def test_the_same_key_adds_one_schedule(api):
    """Whose answer was lost sends it again; a name that is taken would be a mistake."""
    key = {"Idempotency-Key": "once"}
    first, again = (api.ada.post("/schedules", json=NIGHTLY, headers=key) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201), again.text
    assert again.json() == first.json()
    assert api.ada.get("/schedules").json() == {"schedules": [first.json()]}
    assert api.bob.post("/schedules", json=NIGHTLY, headers=key).json()["user"] == "bob"
    other = NIGHTLY | {"name": "other"}
    assert api.ada.post("/schedules", json=other, headers=key).status_code == 409
    job = {name: NIGHTLY[name] for name in ("suite", "config")}
    assert api.ada.post("/run", json=job, headers=key).status_code == 409
    assert api.ada.delete(f"/schedules/{first.json()['schedule_id']}").status_code == 204
    gone = api.ada.post("/schedules", json=NIGHTLY, headers=key)
    assert gone.status_code == 409
    assert "was removed" in gone.json()["detail"]
    assert api.ada.post("/schedules", json=NIGHTLY).status_code == 201


def test_a_key_of_a_job_adds_no_schedule(api):
    key = {"Idempotency-Key": "once"}
    job = {name: NIGHTLY[name] for name in ("suite", "config")}
    assert api.ada.post("/run", json=job, headers=key).status_code == 202
    assert api.ada.post("/schedules", json=NIGHTLY, headers=key).status_code == 409
