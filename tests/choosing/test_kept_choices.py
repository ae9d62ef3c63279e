"""A recommendation on disk, on the terminal and in a report, whatever its models are called."""

from __future__ import annotations

import json
import shlex

import msgspec
import pytest
from markdown_it import MarkdownIt

from results.errors import NewerRecord, ResultsError
from results.store.choices import Choice, ChoiceFolder, ChoiceRow, Look, choice_about
from results.views.choice_text import print_choice
from results.views.report.contents import runs_report
from results.views.report.markdown import markdown
from results.views.report.page import page
from tests.results.recorded_runs import F, P, record_run

EVIL = "x\x1b]0;owned\x07\x1b[2J\r\nerror: forged\u202edlrow<script>x</script>`````|[a](http://x) '$(reboot)'.gguf"


def a_choice(*runs: str, name: str = "Some-Q4_K_M.gguf", **changes) -> Choice:
    rows = tuple(
        ChoiceRow(key=run, label=name, path=f"/m/{name}", kv_type="f16", verdict="chosen", why="fast", runs=(run,))
        for run in runs
    )  # fmt: skip
    facts = {
        "choice_id": "abc",
        "updated": "2026-11-21T04:00:00+00:00",
        "ending": "recommended",
        "head": f"Take {name}: the fastest of 2 that are as good",
        "proof": (f"at most 1.2 points worse than {name}",),
        "command": ("llama-server", "-m", f"/m/{name}", "-c", "32768"),
        "runner_up_text": f"{name}, as good too",
        "unknown": (f"{name} may be as good",),
        "rows": rows,
        "looks": (Look(number=1, runs=runs, samples=2, tolerance_points=2.0, settled=(("a", "b"),)),),
    }
    return Choice(**(facts | changes))


def test_it_is_read_back_as_it_was_written(tmp_path):
    folder = ChoiceFolder.of(tmp_path, "abc")
    assert folder.read() is None
    with folder.claim():
        folder.write(a_choice("r1", "r2"))
        with pytest.raises(ResultsError, match="another process is answering"), folder.claim():
            pass
    assert folder.read() == a_choice("r1", "r2")
    path = folder.path / "choice.json"
    path.write_text(path.read_text().replace('"schema_version": 1', '"schema_version": 9'))
    with pytest.raises(NewerRecord):
        folder.read()
    path.write_text("{")
    with pytest.raises(ResultsError):
        folder.read()


def test_a_report_shows_the_newest_one_that_compared_its_runs(tmp_path):
    first, second = record_run(tmp_path, [P, F], model="Q8_0"), record_run(tmp_path, [P, F], model="Q4_K_M")
    runs = [first.run_id, second.run_id]
    for name, updated in (("a", "2026-11-21"), ("b", "2026-11-23"), ("c", "2026-11-22")):
        choice = a_choice(*runs, choice_id=name, updated=f"{updated}T00:00:00+00:00", head=f"Take {name}")
        folder = ChoiceFolder.of(tmp_path, name)
        with folder.claim():
            folder.write(choice)
    (tmp_path / "choices" / "a" / "choice.json").write_text("{")
    found = choice_about(tmp_path, runs)
    assert found is not None
    assert found.head == "Take b"
    assert choice_about(tmp_path, runs[:1]) is None  # one of two that were compared
    assert choice_about(tmp_path, ["other"]) is None


def test_a_hostile_name_stays_text_everywhere(tmp_path, capsys):
    first, second = record_run(tmp_path, [P, F], model="Q8_0"), record_run(tmp_path, [P, F], model="Q4_K_M")
    choice = a_choice(first.run_id, second.run_id, name=EVIL)
    with (folder := ChoiceFolder.of(tmp_path, "abc")).claim():
        folder.write(choice)
    print_choice(choice)
    shown = capsys.readouterr().out
    assert not {"\x1b", "\x07", "\r", "\u202e"} & set(shown)
    assert not any(line.startswith("error: forged") for line in shown.splitlines())
    assert "written out" in shown
    report = runs_report([(run, run.read_record()) for run in (first, second)], warn=pytest.fail)
    html, text = page(report), markdown(report)
    assert "Recommendation" in html
    assert "<script" not in html
    assert not {"\x1b", "\u202e"} & set(html + text)
    tokens = MarkdownIt().parse(text)
    (fence,) = [token for token in tokens if token.type == "fence"]
    assert fence.content.startswith("llama-server -m ")
    assert fence.content.count("\n") == 1
    assert not any(token.type == "html_block" for token in tokens)
    links = [child for token in tokens for child in token.children or () if child.type == "link_open"]
    assert links == []


def test_json_has_the_command_word_by_word(capsys):
    print_choice(a_choice("r1", name=EVIL), as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["command"] == ["llama-server", "-m", f"/m/{EVIL}", "-c", "32768"]
    assert msgspec.convert(told, Choice) == a_choice("r1", name=EVIL)


def test_the_command_can_be_copied(capsys):
    print_choice(a_choice("r1", name="a b.gguf"))
    lines = capsys.readouterr().out.splitlines()
    line = lines[lines.index("server:") + 1]
    assert shlex.split(line) == ["llama-server", "-m", "/m/a b.gguf", "-c", "32768"]
