"""A table is the same on a page, in Markdown, in CSV and in PDF, and no text in it acts."""

from __future__ import annotations

import csv
import io
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.requests import Request

from web.pages import help as help_page
from web.pages import pdf, static_files
from web.pages.exporting import csv_text, markdown
from web.pages.rendering import error_page, page
from web.pages.table import Cell, Column, Empty, Kind, Pager, Row, Table, axis_of, spark_path
from web.pages.templating import script_data
from web.pages.view import View, choice, here

EVIL = '"><script>alert(1)</script><img src=http://evil.example/x onerror=alert(1)>'
COLUMNS = (
    Column("model", "model", term="model"),
    Column("score", "score", kind=Kind.SCORE, digits=1, order="score", sorted="descending", term="score"),
    Column("tokens_per_s", "tokens/s", kind=Kind.NUMBER, digits=1),
    Column("usd", "USD", kind=Kind.NUMBER),
)
ROWS = (
    Row({"model": Cell("Qwen-Q4", href="/runs/1", badge="best"), "score": Cell(46.25, low=40.0, high=52.5)}),
    Row({"model": EVIL, "score": Cell(None), "tokens_per_s": 1234.56}, kind="worse"),
    Row({"model": "=cmd|'/c calc'!A1"}),
    Row({"model": "a|b [x](http://evil) `c` \u202egnp.exe\u202c <!-- \x1b[2J"}),
)
TABLE = Table("All runs", COLUMNS, ROWS, pager=Pager(1, 4, 9, next="/?cursor=4"))
VIEW = View(title=f"Runs of {EVIL}", name="runs of ../x", lead="Qwen-Q4 is best.", tables=(TABLE,))


@pytest.fixture(scope="module")
def client():
    app = FastAPI()
    app.include_router(static_files.router)
    app.include_router(help_page.router)

    @app.get("/table")
    def shown(request: Request):
        return page(request, "table.html.jinja", view=VIEW, table=TABLE)

    @app.get("/wrong")
    def wrong(request: Request):
        return error_page(request, 404, title="No such run", detail=f"no run {EVIL}", hint="look at the list")

    return TestClient(app)


def test_a_page_shows_hostile_text_as_text(client):
    text = client.get("/table").text
    assert "<script>alert" not in text
    assert "<img src=http" not in text
    assert "\u202e" not in text, "what reverses text is written out"
    assert "\\u202e" in text
    assert "&lt;script&gt;alert(1)" in text
    wrong = client.get("/wrong")
    assert wrong.status_code == 404
    assert "<script>alert" not in wrong.text


def test_a_page_has_no_inline_style_or_handler(client):
    """The content security policy allows neither, so that one would not work."""
    for path in ("/table", "/wrong", "/help"):
        text = client.get(path).text.lower()
        assert " style=" not in text
        assert "<style" not in text
        assert " onclick=" not in text
        assert "javascript:" not in text


def test_columns_without_a_value_are_left_out_and_numbers_are_aligned(client):
    text = client.get("/table").text
    assert "USD" not in text
    assert "1,234.6" in text
    assert "40.0 to 52.5" in text
    assert 'aria-sort="descending"' in text
    assert "order=score" in text, "the heading leads to it"
    assert "1 to 4 of 9" in text


def test_an_empty_table_says_so(client):
    table = Table("Runs", COLUMNS, (), empty=Empty("No runs yet.", "Start one.", "/start", "Start a run"))
    text = markdown(View(title="t", name="t", tables=(table,)))
    assert "No runs yet." in text


def test_csv_keeps_numbers_and_defuses_formulas():
    heads, *rows = csv.reader(io.StringIO(csv_text(VIEW)))
    assert heads == ["model", "score", "score_low", "score_high", "tokens_per_s"]
    assert rows[0] == ["Qwen-Q4", "46.25", "40.0", "52.5", ""]
    assert float(rows[1][4]) == 1234.56
    assert rows[2][0].startswith("'=cmd")
    assert "\x1b" not in rows[3][0]


def test_a_heading_from_outside_is_no_formula_either():
    """Tags of problems become headings."""
    table = Table(
        "By tag", (Column("model", "model"), Column("=1+1", "=1+1")), (Row({"model": "a", "=1+1": 3}),)
    )
    heads, _ = csv.reader(io.StringIO(csv_text(View(title="t", name="t", tables=(table,)))))
    assert heads == ["model", "'=1+1"]


def test_markdown_shows_everything_literally():
    text = markdown(VIEW)
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in lines} == {4}, "no text adds a column"
    assert "<script" not in text
    assert "](http" not in text.replace("\\]", "")
    assert "\u202e" not in text
    assert "46.2 (40.0 to 52.5)" in text or "46.3 (40.0 to 52.5)" in text


def test_the_name_of_a_download_is_harmless(client):
    for kind in ("md", "csv"):
        answer = client.get(f"/table?format={kind}")
        assert answer.headers["content-disposition"] == f'attachment; filename="runs-of-..-x.{kind}"'


def test_data_for_scripts_cannot_end_its_element():
    made = script_data({"name": "</script><script>alert(1)</script>&\u2028"})
    assert "<" not in made
    assert "&" not in made
    assert "\u2028" not in made


def test_only_known_files_are_served_and_they_are_kept(client):
    page_text = client.get("/help").text
    address = page_text.split('href="/static/site.css')[1].split('"')[0]
    style = client.get(f"/static/site.css{address}")
    assert "immutable" in style.headers["cache-control"]
    assert client.get("/static/site.css").headers["cache-control"] == "no-cache"
    assert style.headers["content-encoding"] == "gzip", "a page with its charts stays small"
    whole = client.get("/static/site.css", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in whole.headers
    assert whole.content == style.content
    etag = style.headers["etag"]
    assert client.get("/static/site.css", headers={"if-none-match": etag}).status_code == 304
    for name in ("..%2frendering.py", "site.css%00", "vendor%2fuplot-1.6.32.min.js", "nothing"):
        assert client.get(f"/static/{name}").status_code == 404, name


def test_a_link_keeps_the_rest_of_the_view():
    scope = {"type": "http", "path": "/runs", "query_string": b"model=a%26b&cursor=9&order=score&tag=x&tag=y&format=md",
             "headers": []}  # fmt: skip
    request = Request(scope)
    assert here(request, order="-score") == "/runs?model=a%26b&tag=x&tag=y&order=-score"
    assert here(request, cursor="20", model=None) == "/runs?order=score&tag=x&tag=y&cursor=20"
    assert here(request, format="csv", tag=["z"]).endswith("tag=z")


def test_a_choice_shows_even_an_unknown_value():
    chosen = [
        option.value
        for option in choice("s", "Status", "gone", {"": "all", "a": "a"}).options
        if option.chosen
    ]
    assert chosen == ["gone"]


def test_drawings_of_odd_numbers():
    assert spark_path((1.0, None, 3.0, float("nan"))) != ""
    assert spark_path((2.0, None)) == ""
    assert axis_of([]) == (0.0, 100.0)
    assert axis_of([50.0, None]) == (40.0, 50.0)
    low, high = axis_of([100.0])
    assert low < high <= 100


@pytest.mark.web
def test_a_pdf_is_made_without_fetching_anything(client):
    """And only from a page: what the page names is not fetched, however it is written."""
    from web.pages.pdf import made_pdf

    assert client.get("/table?format=pdf").content.startswith(b"%PDF-")
    hostile = '<link rel=stylesheet href="file:///etc/passwd"><img src="http://127.0.0.1:9/x"><object data="file:///etc/passwd">'
    assert made_pdf(hostile).startswith(b"%PDF-")


@pytest.mark.skipif(not pdf.has_weasyprint(), reason="needs WeasyPrint")
def test_a_pdf_waits_for_no_other_one(client):
    """Who waits would hold a thread that others need; without end here, as the other one isn't ended."""
    with pdf._ONE_AT_A_TIME, ThreadPoolExecutor() as threads:
        answer = threads.submit(client.get, "/table?format=pdf").result(30)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0


@pytest.mark.web
def test_a_pdf_that_takes_too_long_ends():
    from results.errors import ResultsError
    from web.pages.pdf import made_pdf

    with pytest.raises(ResultsError, match="not ready"):
        made_pdf("<p>x</p>" * 20000, timeout_s=0.5)
