"""All endpoints of the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from web.api import compare, events, jobs, leaderboard, offers, results, samples, schedules

if TYPE_CHECKING:
    from fastapi import APIRouter

ROUTERS: tuple[APIRouter, ...] = tuple(
    module.router for module in (jobs, events, results, compare, leaderboard, samples, schedules, offers)
)
