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
