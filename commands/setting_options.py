"""The options of `run` and `sweep`, built from the table of settings, with help and completion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from commands.options import RunName, model_completions
from commands.usage.mistakes import no_such_option, stray_word
from results.errors import UsageError
from settings.asked import Asked
from settings.scoring.weights import known_parts
from settings.setting import Section
from settings.table import TABLE
from settings.values import allowed, read_value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from settings.setting import Setting

_OTHERS = "Options"


def setting_options(*, several: bool, table: Mapping[str, Setting] = TABLE) -> Callable[..., Any]:
    """Give a command an option for each setting. Its value is a text, or None if it isn't given.

    several: for `sweep`, whose models are arguments and whose options take several values.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for setting in reversed([*table.values()]):
            if setting.hidden or setting.name == "server_args" or (several and setting.name == "model"):
                continue
            if setting.kind == "flag":
                how: dict[str, Any] = {"is_flag": True, "default": None, "flag_value": "true"}
            elif setting.kind == "adapters":
                how = {"type": SettingText(setting), "metavar": setting.metavar, "multiple": True}
            elif setting.metavar == "RUN":
                how = {"type": RunName(), "metavar": setting.metavar}
            else:
                how = {"type": SettingText(setting, several=several), "metavar": _metavar(setting)}
            names = (setting.option, *setting.aliases)
            command = click.option(*names, setting.name, help=_help(setting), **how)(command)
        return command

    return decorate


def asked_by_options(options: Mapping[str, Any], table: Mapping[str, Setting] = TABLE) -> Asked:
    """The settings from the options of `run`. Raises one UsageError with all errors."""
    given: dict[str, Any] = {}
    wrong: list[UsageError] = []
    for name, text in options.items():
        if text is None or text == ():
            continue
        setting = table[name]
        try:
            given[name] = read_value(setting, text, variables=False)
        except UsageError as error:
            numbers = allowed(setting) or (
                "set the shell's variable that is empty here" if text == "" else ""
            )
            hint = error.hint or f"{numbers}; see `bench_runner.py run --help`".removeprefix("; ")
            wrong.append(UsageError(f"{setting.option}: {error.message}", hint=hint))
    if len(wrong) == 1:
        raise wrong[0]
    if wrong:
        raise UsageError("\n".join(error.message for error in wrong), hint="see `bench_runner.py run --help`")
    return Asked(given, table)


class SectionedCommand(click.Command):
    """A command whose help shows the options by section of the table, and its own options: before them where the
    command is about these, else behind.
    """

    own_options_first = False

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        words = list(args)  # click takes them away as it reads
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            name = next((word for word in words if word.startswith(error.option_name)), error.option_name)
            raise no_such_option(name, error.possibilities or (), ctx, for_server=True) from None
        except click.BadOptionUsage as error:  # click leaves out where
            error.ctx = error.ctx or ctx
            raise

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        titles = [_OTHERS, *Section] if self.own_options_first else [*Section, _OTHERS]
        sections: dict[str, list[tuple[str, str]]] = {title: [] for title in titles}
        for parameter in self.get_params(ctx):
            if not isinstance(parameter, click.Option):
                continue
            shown = parameter.get_help_record(ctx)
            setting = TABLE.get(parameter.name or "")
            if shown is not None:
                sections[setting.section if setting else _OTHERS].append(shown)
        for title, rows in sections.items():
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


class RunCommand(SectionedCommand):
    """`run`: nothing but options, and after -- what the server gets."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        cut = args.index("--") if "--" in args else len(args)
        rest = super().parse_args(ctx, args[:cut])
        stray = ctx.params.get("server_args") or ()
        if stray and not ctx.resilient_parsing:
            raise stray_word(stray[0], TABLE["benchmark"].every_choice)
        ctx.params["server_args"] = tuple(args[cut + 1 :])
        return rest


class SettingText(click.ParamType):  # type: ignore[type-arg] # generic only in newer versions of click
    """Accepts any text; values are checked together with those of manifests. Completes choices, file names, and the
    parts of a composite score.
    """

    name = "text"

    def __init__(self, setting: Setting, *, several: bool = False) -> None:
        self._setting = setting
        self._several = several

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[click.shell_completion.CompletionItem]:
        del param
        from click.shell_completion import CompletionItem

        setting = self._setting
        if setting.kind == "weights":
            scorer = ctx.params.get("scorer")
            return [CompletionItem(text) for text in _weights(incomplete, [scorer] if scorer else [])]
        if setting.kind == "model":
            return model_completions(incomplete)
        if setting.kind in {"path", "adapters"} or setting.name == "server_binary":
            return [CompletionItem(incomplete, type="file")]
        before, comma, typed = incomplete.rpartition(",") if self._several else ("", "", incomplete)
        return [
            CompletionItem(f"{before}{comma}{choice}")
            for choice in setting.every_choice
            if choice.startswith(typed)
        ]


def _weights(typed: str, scorers: list[str]) -> list[str]:
    """What is typed with each part behind it that has no weight yet."""
    before, comma, beginning = typed.rpartition(",")
    given = {pair.partition("=")[0] for pair in before.split(",")}
    parts = [name for name in known_parts(scorers) if name not in given and name.startswith(beginning)]
    return [f"{before}{comma}{name}=" for name in parts]


def _metavar(setting: Setting) -> str:
    if setting.metavar:
        return setting.metavar
    return "|".join(setting.choices) if 1 < len(setting.choices) < 8 else "NAME"


def _help(setting: Setting) -> str:
    default = setting.default_text or ("" if setting.default in {None, False} else _plain(setting.default))
    of = f"  [{', '.join(setting.benchmarks)}]" if setting.benchmarks else ""
    return setting.help + (f"  [default: {default}]" if default else "") + of


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
