"""The rows for what requests may cost, and for answers that are kept so that none is asked for twice."""

from __future__ import annotations

from settings.setting import Determines, Section, Setting

MOST_TOKENS = 10**12
CACHE_BYTES = 2 << 30

SPENDING_SETTINGS = (
    Setting(
        name="max_cost",
        kind="number",
        help="Interrupt the run before it costs more than USD; --resume continues with a higher cap.",
        section=Section.COST,
        determines=Determines.NOTHING,
        metavar="USD",
        above=0,
        maximum=1_000_000,
        default_text="none",
        not_for=("speed", "kld", "ifeval"),
        to_script=True,
    ),
    Setting(
        name="max_tokens_total",
        kind="whole",
        help="Interrupt the run before its prompts and answers take more than N tokens.",
        section=Section.COST,
        determines=Determines.NOTHING,
        metavar="N",
        minimum=1,
        maximum=MOST_TOKENS,
        default_text="none",
        not_for=("speed", "kld", "ifeval"),
        to_script=True,
    ),
    Setting(
        name="cache",
        kind="flag",
        help="Keep answers, and take those that are kept instead of asking again. The run has no speed then.",
        section=Section.COST,
        determines=Determines.NOTHING,
        not_for=("speed", "kld", "ifeval"),
        to_script=True,
    ),
    Setting(
        name="cache_size",
        kind="size",
        help="With --cache: keep at most so much; the answers unused for longest go first.",
        section=Section.COST,
        determines=Determines.NOTHING,
        metavar="SIZE",
        minimum=1 << 20,
        maximum=1 << 50,
        default_text=f"{CACHE_BYTES >> 30}G",
        not_for=("speed", "kld", "ifeval"),
        to_script=True,
    ),
)
