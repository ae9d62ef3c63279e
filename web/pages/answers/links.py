"""The addresses of grids and answers. Ids of samples may hold slashes, dots and anything: only this makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from collections.abc import Iterable


def sample_url(run_id: str, task_id: str, index: int = 0, **more: str) -> str:
    """The page of one answer. index: of several completions. more: further values of its query."""
    query = {"index": str(index)} if index else {}
    root = f"/runs/{quote(run_id, safe='')}/samples"
    if _is_path(task_id):
        text = urlencode(query | more)
        return f"{root}/{quote(task_id)}{f'?{text}' if text else ''}"
    return f"{root}?{urlencode({'task_id': task_id} | query | more)}"


def pair_url(task_id: str, first: str = "", second: str = "", **more: str) -> str:
    """The page of two runs' answers to one sample; without runs, the page that offers them."""
    query = {"task_id": task_id, "a": first, "b": second} | more
    return f"/answers?{urlencode({name: value for name, value in query.items() if value})}"


def grid_url(benchmark: str = "", run_ids: Iterable[str] = (), **more: str) -> str:
    """The grid of problems and runs."""
    query = (
        [("benchmark", benchmark)] * bool(benchmark) + [("run", each) for each in run_ids] + [*more.items()]
    )
    return f"/tasks{f'?{urlencode(query)}' if query else ''}"


def _is_path(task_id: str) -> bool:
    """Whether it comes back as it is: browsers resolve dots, and servers may join slashes."""
    return not {"", ".", ".."} & {*task_id.split("/")} and task_id.isprintable()
