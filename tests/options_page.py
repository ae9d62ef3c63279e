"""The page docs/options.md, built from the table: `python -m tests.options_page > docs/options.md`."""

from __future__ import annotations

from settings.setting import Determines, Section, Setting
from settings.table import SETTINGS

_BEFORE = """# Options

Every setting of a run: an option of `run`, and a field of a [manifest](manifest.md) with underscores instead of dashes.
`sweep` takes the same options, each with several values separated by commas.

The column *changes* says what depends on a setting:

- **result**: the answers or their verdicts. Scores of runs that differ in it are not compared.
- **samples**: which samples are answered. Runs are compared on the samples that both have.
- **server**: the model, or how it is served. Comparing runs that differ in it is what bench-runner is for.
- **nothing**: timeouts, places and the like. They may change when a run is resumed.

Sizes are bytes, or texts such as 512M and 2G. Seconds may have decimals.
"""
_AFTER = """## Other options

| option | meaning |
|---|---|
| `--results-dir DIRECTORY` | where runs are kept. Default: `$BENCH_RESULTS_DIR`, or `./benchmark_results` |
| `--resume RUN` | continue an earlier run, [named](results.md#names) by its id, `last` or words |
| `--json` | print the record on stdout instead of the table |

Progress goes to stderr, the result to stdout. The options that only `sweep` has are in [Sweeps](sweeps.md).
"""


def page() -> str:
    """The whole page as Markdown."""
    parts = [_BEFORE]
    for section in Section:
        rows = [_row(setting) for setting in SETTINGS if setting.section is section]
        parts.append(
            "\n".join([f"## {section}\n", "| option | meaning | changes |", "|---|---|---|", *rows, ""])
        )
    return "\n".join([*parts, _AFTER])


def _row(setting: Setting) -> str:
    names = [f"`{name}`" for name in (_with_value(setting), *setting.aliases)]
    if setting.name == "server_args":
        names = ["`-- SERVER ARGS...`"]
    return f"| {', '.join(names)} | {_meaning(setting)} | {_changes(setting.determines)} |"


def _with_value(setting: Setting) -> str:
    if setting.kind == "flag":
        return setting.option
    return f"{setting.option} {setting.metavar or setting.name.upper()}".replace("|", "\\|")


def _meaning(setting: Setting) -> str:
    parts = [setting.help.replace("{", "`{").replace("}", "}`") if "'" not in setting.help else setting.help]
    if setting.choices:
        parts.append("One of " + ", ".join(f"`{choice}`" for choice in setting.choices) + ".")
    default = setting.default_text or ("" if setting.default in {None, False} else f"{setting.default}")
    if default:
        parts.append(f"Default: {default.removesuffix('.0')}.")
    if setting.servers:
        parts.append("For --server " + ", ".join(setting.servers) + ".")
    if setting.benchmarks:
        parts.append("For " + ", ".join(f"`{name}`" for name in setting.benchmarks) + ".")
    return " ".join(parts).replace("|", "\\|")


def _changes(determines: Determines) -> str:
    return str(determines.value)


if __name__ == "__main__":
    print(page(), end="")
