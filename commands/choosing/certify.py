"""`certify`: whether an acceleration loses anything, by two plain runs and an accelerated one on the same samples."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import click

from commands.options import results_dir_option
from commands.setting_options import RunCommand, asked_by_options, setting_options
from results.errors import UsageError
from settings.table import TABLE

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from choosing.certify import Question

WITH = "--with"
DAMAGING = 8  # the exit codes; as a gate's
NOT_DECIDED = 9

EXAMPLES = """
\b
Examples:
  bench_runner.py certify --benchmark human_eval --model X.gguf --with --model-draft small.gguf
  bench_runner.py certify --benchmark human_eval --model X.gguf --parallel 1 --with --parallel 4
  bench_runner.py certify --benchmark human_eval,gsm8k --model X.gguf --with -- -fa on -ctk q8_0 -ctv q8_0
  bench_runner.py certify --benchmark human_eval --model X.gguf --server-binary old/llama-server
      --with --server-binary new/llama-server
"""


class CertifyCommand(RunCommand):
    """Like `run`; what stands after --with are settings of the accelerated server only."""

    own_options_first = True

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return [*super().collect_usage_pieces(ctx), WITH, "SETTINGS...", "[-- SERVER ARGS...]"]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if ctx.resilient_parsing:  # for completion, the options on both sides are the same
            return super().parse_args(ctx, [word for word in args if word != WITH])
        if WITH not in args:
            joined = next((word for word in args if word.startswith(f"{WITH}=")), None)
            if joined is None:
                return self._parsed(ctx, args, None)
            args = [
                *args[: args.index(joined)],
                WITH,
                joined.partition("=")[2],
                *args[args.index(joined) + 1 :],
            ]
        cut = args.index(WITH)
        fast = args[cut + 1 :]
        if len(fast) == 1 and " " in fast[0].strip():  # in quotes
            try:
                fast = shlex.split(fast[0])
            except ValueError as error:
                raise UsageError(f"{WITH} {fast[0]!r}: {error}", hint="close the quotes") from None
        mine, fast = self._of_command(fast)
        return self._parsed(ctx, [*mine, *args[:cut]], fast)

    def _parsed(self, ctx: click.Context, args: list[str], fast: list[str] | None) -> list[str]:
        rest = super().parse_args(ctx, args)
        if fast is not None:
            with _accelerated.make_context(ctx.info_name, fast, parent=ctx.parent) as of_server:
                ctx.params["fast"] = dict(of_server.params)
        return rest

    def _of_command(self, words: list[str]) -> tuple[list[str], list[str]]:
        """Options of the command itself, such as --json, may also stand last. Returns them and the rest."""
        own = {
            name: option.is_flag
            for option in self.params
            if isinstance(option, click.Option) and option.name not in TABLE
            for name in option.opts
        }
        end = words.index("--") if "--" in words else len(words)
        mine: list[str] = []
        rest: list[str] = []
        at = 0
        while at < end:
            if words[at].partition("=")[0] in own:
                length = 1 if own[words[at].partition("=")[0]] or "=" in words[at] else 2
                mine += words[at : at + length]
                at += length
            else:
                rest.append(words[at])
                at += 1
        return mine, [*rest, *words[end:]]


@click.command(cls=RunCommand, add_help_option=False)
@setting_options(several=False)
@click.argument("server_args", nargs=-1, type=click.UNPROCESSED)
def _accelerated(**_options: Any) -> None:
    """The settings after --with; it is only parsed."""


@click.command(cls=CertifyCommand, epilog=EXAMPLES)
@setting_options(several=False)
@click.option(
    WITH,
    "fast",
    metavar="SETTINGS...",
    help="The acceleration: settings of the server that only the accelerated run has, to the end of the line.",
)
@click.option(
    "--margin",
    "margin_points",
    type=click.FloatRange(0, 100, min_open=True, max_open=True),
    default=3.0,
    show_default=True,
    metavar="POINTS",
    help="The loss of score that is to be excluded.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the certificate as JSON.")
@results_dir_option
@click.argument("server_args", nargs=-1, type=click.UNPROCESSED, metavar="[-- SERVER ARGS...]")
@click.pass_obj
def certify(
    held: Callable[[], AbstractContextManager[None]],
    /,
    *,
    fast: dict[str, Any] | None,
    margin_points: float,
    as_json: bool,
    results_dir: Path | None,
    **options: Any,
) -> None:
    """Certify that an acceleration loses nothing: a draft model, more slots, a KV type, flash attention, another build.

    Everything before --with is plain decoding, which runs twice: what differs between the two is this machine's own
    noise. The settings after --with are added for the accelerated run, server options behind -- too. The verdict is
    identical, within this machine's own noise, damaging (exit code 8) or not decided (exit code 9).
    Finished runs are reused; given again after an interruption, the command goes on.
    """
    if fast is None:
        raise UsageError(
            "no acceleration given",
            hint="name it last: --with --parallel 4, or --with --model-draft small.gguf",
        )
    questions = _questions(options, fast)
    from choosing.asked_runs import RunSource
    from choosing.certify import certify as certify_them
    from results.folders import default_results_dir
    from results.json_text import encode
    from results.stats.certification import Certified
    from results.views.certificate_text import print_certificate
    from runner.display import display_for_stderr

    display = display_for_stderr()
    source = RunSource(
        name="certify", results_dir=results_dir or default_results_dir(), display=display, held=held
    )
    try:
        done = certify_them(questions, source, margin_points=margin_points)
    finally:
        display.close()
    if as_json:
        click.echo(encode(done.certificate))
    else:
        print_certificate(done.certificate, done.path)
    code = {Certified.DAMAGING: DAMAGING, Certified.NOT_DECIDED: NOT_DECIDED}.get(done.certificate.verdict, 0)
    click.get_current_context().exit(code)


def _questions(options: dict[str, Any], fast: dict[str, Any]) -> list[Question]:
    """One for each benchmark. Raises UsageError."""
    from choosing.certify import Question

    own = tuple(fast.pop("server_args", None) or ())
    faster = asked_by_options(fast).given
    found = []
    for name in (options.get("benchmark") or "").split(","):
        plain = asked_by_options({**options, "benchmark": name.strip() or None})
        changes = dict(faster)
        if own:
            changes["server_args"] = (*(plain["server_args"] or ()), *own)
        found.append(Question(plain=plain, accelerated=plain.but(**changes)))
    return found
