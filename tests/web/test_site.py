"""`export --site`: what it writes is whole, leads nowhere else, and shows nothing that acts."""

from __future__ import annotations

import errno
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from results.errors import ResultsError, UsageError
from tests.command_line import bench_runner
from tests.web.answered_runs import answer_run, hostile_run
from web.site.addresses import file_of, page_of
from web.site.rewriting import rewritten
from web.site.site import MARK, require_place, write_site


class Seen(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.links, self.tags, self.handlers = [], set(), []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.links += [value for name, value in attrs if name in {"href", "src", "action", "srcset"}]
        self.handlers += [name for name, _ in attrs if name.startswith("on") or name == "style"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A site of three runs, one of them hostile in every text, written once."""
    folder = tmp_path_factory.mktemp("site")
    runs = [
        answer_run(folder / "runs", model, skill, number=3)
        for model, skill in (("One-Q8_0", 0.9), ("Two-Q4_0", 0.2))
    ]
    runs.append(hostile_run(folder / "runs"))
    (runs[0].path / "server.log").write_text("the server's own words")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", "return numbers")  # stands in an answer
        written = write_site(runs, folder / "site")
    return folder / "site", runs, written


def pages(site):
    return {path: Seen(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}


@pytest.mark.web
def test_every_link_leads_to_a_file_of_the_site(made):
    site, _, _ = made
    for path, seen in pages(site).items():
        for link in seen.links:
            if link.startswith("#"):
                continue
            assert not link.startswith("/"), (path, link)
            assert not re.match(r"[a-z]+:", link), (path, link)
            to = (path.parent / unquote(link.partition("#")[0])).resolve()
            assert to.is_file(), (path, link)
            assert to.is_relative_to(site.resolve()), (path, link)


@pytest.mark.web
def test_nothing_that_needs_a_server_stays(made):
    site, _, _ = made
    for path, seen in pages(site).items():
        assert not seen.tags & {"form", "input", "button", "iframe", "object", "embed", "base"}, path
        assert seen.handlers == [], path


@pytest.mark.web
def test_runs_and_their_answers_are_in_it_but_no_logs(made):
    site, runs, written = made
    texts = [path.read_text(encoding="utf-8") for path in site.rglob("*.html")]
    assert sum(runs[0].run_id in text for text in texts) > 1
    assert any("has_close_elements" in text for text in texts), [path.name for path in site.rglob("*")]
    assert not any("the server's own words" in text for text in texts)
    assert written.pages == sum(path.is_file() and path.name != MARK for path in site.rglob("*"))


@pytest.mark.web
def test_another_site_takes_its_place_whole(made, tmp_path):
    _, runs, _ = made
    place = tmp_path / "site"
    write_site(runs[:1], place)
    (place / "old.html").write_text("")
    write_site(runs[1:2], place)
    assert not (place / "old.html").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


@pytest.mark.web
def test_an_earlier_site_stays_where_the_new_one_cannot_take_its_place(made, tmp_path, monkeypatch):
    _, runs, _ = made
    place = tmp_path / "site"
    place.mkdir()
    (place / MARK).touch()
    rename = Path.rename

    def fails(path, target):
        if path.name == "site" and path != place:
            raise OSError(errno.ENOSPC, "No space left on device")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fails)
    with pytest.raises(ResultsError, match="No space left"):
        write_site(runs[:1], place)
    assert [path.name for path in tmp_path.iterdir()] == ["site"]
    assert (place / MARK).exists()


def test_nothing_but_a_site_is_replaced(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(UsageError, match="is no site"):
        require_place(tmp_path)
    with pytest.raises(UsageError, match="not a folder"):
        require_place(tmp_path / "letter.txt")


@pytest.mark.web
def test_the_command_says_what_it_wrote(made, tmp_path):
    site, _, _ = made
    results = site.parent / "runs"
    done = bench_runner("export", "One-Q8_0", "--site", str(tmp_path / "new"), "--results-dir", str(results))
    assert done.code == 0, done.err
    assert "1 run on" in done.out
    done = bench_runner("export", "--site", str(results), "--results-dir", str(results))
    assert done.code == 2
    assert "is no site" in done.err


@pytest.mark.parametrize(
    ("address", "page"),
    [
        ("/", "/"),
        ("/?benchmark=gsm8k#best", "/?benchmark=gsm8k"),
        ("/?benchmark=gsm8k&order=-score", None),
        ("/?format=pdf", None),
        (
            "/runs/20261121T034600Z-human_eval-X-00ce/samples/HumanEval/0",
            "/runs/20261121T034600Z-human_eval-X-00ce/samples/HumanEval/0",
        ),
        ("/static/site.css?v=1", "/static/site.css"),
        ("/jobs", None),
        ("/start", None),
        ("//elsewhere.example/", None),
        ("https://elsewhere.example/", None),
        ("javascript:alert(1)", None),
        ("#top", None),
    ],
)
def test_what_belongs_to_a_site(address, page):
    assert page_of(address) == page


def test_different_addresses_are_different_files_within_the_site():
    addresses = [
        "/", "/?benchmark=a", "/?benchmark=b", "/runs", "/runs/A-b", "/runs/a-b", "/runs/a%2Fb", "/runs/..%2f..",
        "/runs/x/samples/../y", "/runs/" + "x" * 400, "/runs/" + "x" * 401, "/runs/a/samples?task_id=..%2F",
    ]  # fmt: skip
    files = [file_of(each) for each in addresses]
    assert len(set(map(str.lower, files))) == len(files)
    for each in files:
        assert ".." not in each.split("/")
        assert not each.startswith("/")
        assert max(map(len, each.split("/"))) < 120


def test_text_that_looks_like_markup_is_repeated_as_it_is():
    kept = '<p title="&lt;form&gt;">&lt;a href=&#34;/jobs&#34;&gt; &amp; <a{}>jobs</a><br>{}</p>'
    html = kept.format(' href="/jobs"', "<form><input><p>x</p></form>")
    assert rewritten(html, lambda _: None) == kept.format("", "")
