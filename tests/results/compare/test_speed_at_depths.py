"""A speed benchmark at depths is ranked by how fast a chat is written, not by the time of all requests."""

from __future__ import annotations

import msgspec
import pytest

from results.compare.leaderboard import SortBy, make_tables
from results.records import Score
from results.stats.speed import Load, SpeedRequest, figures
from results.views.export import flat_rows
from results.views.leaderboard_text import table_cells
from tests.results.conftest import a_record


def measured(depth, gap_s, ttft_s):
    load = Load(concurrency=1, prompt_tokens=max(depth, 16), output_tokens=5, depth=depth)
    return figures(
        [
            SpeedRequest(
                load=load, attempt=1, index=index, count=3, start_s=10.0 * index, ttft_s=ttft_s,
                e2e_s=ttft_s + 4 * gap_s, gaps_s=(gap_s,) * 4, prompt_tokens=load.prompt_tokens, completion_tokens=5,
            )
            for index in range(3)
        ]
    )  # fmt: skip


def test_the_writing_of_the_shortest_chat_ranks_and_all_of_it_is_shown(tmp_path):
    import datetime as dt

    from results.store.run_folder import RunFolder

    runs = []
    for name, gap_s in (("slow", 0.1), ("fast", 0.05)):
        folder = RunFolder.create(tmp_path, "speed", name, dt.datetime(2026, 11, 20, tzinfo=dt.UTC))
        loads = msgspec.to_builtins([measured(8192, 4 * gap_s, 9.0), measured(0, gap_s, 0.02)])
        record = a_record(folder.run_id, benchmark="speed", model=name)
        record = msgspec.structs.replace(
            record, score=Score(score=None, completions=6, details={"loads": loads})
        )
        folder.write_record(record)
        runs.append((folder, record))
    (table,) = make_tables(runs, warn=pytest.fail, sort_by=SortBy.TOKENS_PER_S)
    assert [(row.record.model, row.tokens_per_s) for row in table.rows] == [
        ("fast", pytest.approx(20)),
        ("slow", pytest.approx(10)),
    ]
    said = "20 tokens/s after 0.02 s at d0, 5 tokens/s after 9 s at d8192"
    header, cells = table_cells(table)
    assert cells[0][header.index("one at a time")] == said
    assert flat_rows([table])[0]["one_at_a_time"] == said
