"""The pages of answers and of what goes on, in one list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from web.pages.answers import grid, pair, sample
from web.pages.work import job_page, jobs, key_list, machine, schedules, sign_in, start

if TYPE_CHECKING:
    from fastapi import APIRouter

ROUTERS: tuple[APIRouter, ...] = tuple(
    module.router
    for module in (grid, pair, sample, jobs, job_page, start, schedules, machine, key_list, sign_in)
)
