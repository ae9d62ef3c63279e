"""The pages of results and what they share, in one list."""

from __future__ import annotations

from web.pages import compare, history, leaderboard, rankings, run_list, run_page, static_files, tradeoffs
from web.pages import help as help_page

ROUTERS = (
    static_files.router,
    help_page.router,
    leaderboard.router,
    run_list.router,
    run_page.router,
    rankings.router,
    tradeoffs.router,
    compare.router,
    history.router,
)
