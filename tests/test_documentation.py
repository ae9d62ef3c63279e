"""What README, CONTRIBUTING and docs/ say is so: their links, commands, options, examples, and the page to follow."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import subprocess
import sys

import click
import pytest

import bench_runner as command_line
from evaluation.benchmarks.tasks.file import read_task_file
from results import errors
from scripts.arguments import parse
from settings.benchmarks import BENCHMARKS
from settings.parsers import PARSERS
from sweeps.manifest.reader import parse_manifest
from sweeps.plan import plan_runs
from tests.command_line import ROOT, command_server, logged
from tests.options_page import page as options_page
from tests.servers.gguf_file import STRING, gguf
from tests.suites_page import page as suites_page

PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
}
FOR_USERS = "\n".join(text for name, text in PAGES.items() if name != "CONTRIBUTING.md")
# Options of servers and of other people's programs that are named in prose, and of our own tools for developers.
NOT_OURS = {
    "--alias",
    *("--constraint", "--exclusive", "--qos", "--test-only"),  # sbatch's
    "--fail-with-body",
    "--enable-auto-tool-choice",
    "--no-jinja",
    "--tool-call-parser",
    "--host",
    "--flash-attn",
    "--cache-ram",
    "--cache-type-k",
    "--cache-type-v",
    "--reference",
    "--write-reference",
    "--reference-model",
    "--chunks",
    "--kl-divergence",
    "--kl-divergence-base",
    "--n-cpu-moe",
    "--check",
    "--only",
    "--no-deps",
    "--log-format",
    "--url",
    "--api-key",
    "--hf-token",
    "--token",
    "--owner",
    "--encoding",
    "--exclude-schema",
    "--clean",
    "--if-exists",
    "--dbname",
}


def blocks(text: str, kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def commands(
    command: click.Command, name: str = "", parent: click.Context | None = None
) -> dict[str, click.Command]:
    """All of them by name, subcommands too."""
    if not isinstance(command, click.Group):
        return {name: command}
    context = click.Context(command, parent=parent)
    found: dict[str, click.Command] = {}
    for each in command.list_commands(context):
        found |= commands(command.get_command(context, each), f"{name} {each}".strip(), context)
    return found


COMMANDS = commands(command_line.cli)


def options_of(command: click.Command) -> set[str]:
    return {
        name for each in command.params for name in (*each.opts, *each.secondary_opts) if name[:2] == "--"
    }


def shown_command_lines() -> list[list[str]]:
    """The words after `./bench_runner.py` of every command in a shell block that begins with it."""
    found = []
    for block in blocks("\n".join(PAGES.values()), "sh"):
        command = ""
        for line in block.splitlines():
            command += line.removesuffix("\\") + ("" if line.endswith("\\") else "\n")
            try:
                words = shlex.split(command, comments=True)
            except ValueError:  # a quotation goes on
                continue
            if line.endswith("\\"):
                continue
            command = ""
            if words and words[0] == "./bench_runner.py":
                found.append(words[1 : words.index(">") if ">" in words else None])
    return found


def test_every_command_is_told_of():
    assert [name for name in COMMANDS if f"bench_runner.py {name}" not in FOR_USERS] == []


def test_every_option_is_told_of():
    all_of_them = {name for command in COMMANDS.values() for name in options_of(command)}
    assert sorted(name for name in all_of_them if not re.search(rf"{name}(?![\w-])", FOR_USERS)) == []


def test_no_option_is_told_of_that_there_is_not(capsys):
    """What stands in --script-args, and names with underscores, are other programs' own."""
    with pytest.raises(SystemExit):
        parse(["--help"], benchmark="any", about="")
    scripts = set(re.findall(r"--[a-z][\w-]*", capsys.readouterr().out))
    known = {name for command in COMMANDS.values() for name in options_of(command)} | scripts | NOT_OURS
    for name, text in PAGES.items():
        ours = re.sub(r"--script-args\s+(['\"]).*?\1", "--script-args", text, flags=re.DOTALL)
        ours = re.sub(
            r"^(?:docker|ray) (.*\\\n)*.*$|`(docker |ray |--security-opt|--build-arg|--gpus|--init)\b[^`]*`",
            "",
            ours,
            flags=re.MULTILINE,
        )
        shown = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*(?!\w)", ours))
        assert sorted(shown - known) == [], name


@pytest.mark.parametrize("words", shown_command_lines(), ids=shlex.join)
def test_every_command_line_that_is_shown_is_understood(words):
    """By the command's own parser; nothing is run."""
    name = max((each for each in COMMANDS if words[: len(each.split())] == each.split()), key=len, default="")
    assert name, f"there is no such command: {words}"
    COMMANDS[name].make_context(name, words[len(name.split()) :])


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere(name):
    for target in re.findall(r"\]\(([^)\s]+)\)", PAGES[name]):
        if target.startswith(("http:", "https:")):
            continue
        file, _, heading = target.partition("#")
        path = ((ROOT / name).parent / file).resolve() if file else ROOT / name
        assert path.exists(), target
        if heading:
            assert heading in anchors(path.read_text(encoding="utf-8")), target


def anchors(text: str) -> set[str]:
    """Of its headings, as GitHub makes them."""
    plain = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.*)$", plain, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_page_is_reached_from_the_readme():
    assert [
        name for name in PAGES if name.startswith("docs/") and f"]({name}" not in PAGES["README.md"]
    ] == []


def test_every_benchmark_and_parser_is_told_of():
    assert [name for name in BENCHMARKS if f"`{name}`" not in PAGES["README.md"]] == []
    told = PAGES["README.md"] + PAGES["docs/parsers.md"]
    assert [name for name in PARSERS if f"`{name}`" not in told] == []


def test_every_exit_code_is_told_of():
    codes = {
        each.exit_code
        for each in vars(errors).values()
        if isinstance(each, type) and "exit_code" in vars(each)
    }
    table = PAGES["docs/troubleshooting.md"].partition("## Exit codes")[2].partition("\n## ")[0]
    assert [
        code
        for code in sorted({0, 7, 130, 143} | codes)
        if not re.search(rf"\| (\d+ / )?{code}( / \d+)? \|", table)
    ] == []


def test_every_dependency_has_its_reason():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    listed = "\n".join([config["options"]["install_requires"], *config["options.extras_require"].values()])
    names = {re.match(r"[\w-]+", line)[0] for line in listed.split("\n") if line.strip()}
    table = PAGES["CONTRIBUTING.md"].partition("## Dependencies")[2]
    assert (
        sorted(name for name in names if not re.search(rf"^\| .*\b{name}\b.* \|", table, re.MULTILINE)) == []
    )


def test_the_manifest_in_the_readme_is_one(tmp_path):
    (tmp_path / "models").mkdir()
    for name in ("small-Q2_K", "small-Q4_K_M"):
        (tmp_path / "models" / f"{name}.gguf").write_bytes(gguf({"general.name": (STRING, name)}))
    (text,) = blocks(PAGES["README.md"], "yaml")
    plan = plan_runs(parse_manifest(text, form="yaml", name="README.md", folder=tmp_path))
    assert len(plan.runs) == 6


def test_the_file_of_tasks_that_is_shown_is_one(tmp_path):
    (text,) = blocks(PAGES["docs/benchmarks.md"], "yaml")
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    assert [task.id for task in read_task_file(path).tasks] == ["count_words", "initials"]


def test_a_benchmark_is_added_by_following_the_page(tmp_path):
    """On a copy of the checkout; the server answers everything with 4, which is right once in four times."""
    page = PAGES["CONTRIBUTING.md"].partition("## Adding a benchmark\n")[2].partition("\n## ")[0]
    assert len(page.splitlines()) < 62, "it is more than a page"
    for package in sorted(path.parent.name for path in ROOT.glob("*/__init__.py")):
        shutil.copytree(ROOT / package, tmp_path / package)
    shutil.copy2(ROOT / "bench_runner.py", tmp_path)
    (script, entry), (command,) = blocks(page, "python"), blocks(page, "sh")
    path, table = (tmp_path / name for name in re.findall(r"`([\w/]+\.py)`[^`]*(?:`BENCHMARKS`)?:\n", page))
    assert not path.exists()
    path.write_text(script)
    first = "        Benchmark(\n"
    assert first in table.read_text()
    table.write_text(table.read_text().replace(first, f"        {entry.strip()},\n{first}", 1))
    linted = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--config", ROOT / "pyproject.toml", path, table],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert linted.returncode == 0, linted.stdout
    words = shlex.split(command)[1:]
    done = subprocess.run(
        [sys.executable, tmp_path / "bench_runner.py", *words, *command_server("canonical_server.py"),
         "--results-dir", tmp_path / "r"],
        capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (run,) = logged(tmp_path / "r")
    assert (run["benchmark"], run["status"], run["results"]["score"]) == ("double", "succeeded", 25.0)
    assert re.search(r"^score +25\.0 of 100", done.stdout, re.MULTILINE)


def test_the_page_of_shipped_suites_is_that_of_their_files():
    """Made anew by `python -m tests.suites_page > docs/shipped-suites.md`."""
    assert PAGES["docs/shipped-suites.md"] == suites_page()


def test_the_page_of_options_is_that_of_the_table():
    """Made anew by `python -m tests.options_page > docs/options.md`."""
    assert PAGES["docs/options.md"] == options_page()
