"""The settings that only some benchmarks have."""

from __future__ import annotations

from settings.needle_lengths import KINDS, PER_CELL
from settings.setting import Determines, Section, Setting
from settings.speed_lengths import OUTPUT_TOKENS, PROMPT_TOKENS, TOKENS_LIST

KLD_WINDOW = 512  # as llama-perplexity's
KLD_TOP = 200
KLD_CACHE_BYTES = 32 << 30
KLD_LEAST_OF_PROGRAM = (
    8  # tokens of a window: llama-perplexity reads 2048 tokens at once, in at most 256 windows
)
_LEVEL = "(easy|medium|hard|extreme)"
_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_COUNT = "[1-9][0-9]{0,7}"
_COUNTS = f"{_COUNT}(,{_COUNT})*"
_PERCENT = "([0-9]{1,2}|100)"
_KIND = f"({'|'.join(KINDS)})"


def _own(
    name: str,
    metavar: str,
    text: str,
    *benchmarks: str,
    pattern: str = "",
    is_path: bool = False,
    determines: Determines = Determines.RESULT,
    to_script: bool = True,
) -> Setting:
    return Setting(
        name=name,
        kind="path" if is_path else "text",
        help=text,
        section=Section.OWN,
        determines=determines,
        metavar=metavar,
        pattern=pattern,
        benchmarks=benchmarks,
        to_script=to_script,
        may_hold_secret=True,
    )


BENCHMARK_SETTINGS = (
    _own(
        "release",
        "R",
        "Release of the data, such as release_v6, v6 (only what it added) or v4_v6; default: release_v6.",
        "lcb",
        pattern="release_v[1-9][0-9]?|v[1-9][0-9]?(_v[1-9][0-9]?)?",
    ),
    _own(
        "dataset",
        "FILE",
        "Read the data set from a file instead of fetching it.",
        "lcb",
        "gsm8k",
        "mmlu",
        "mbpp",
        "human_eval_plus",
        "mbpp_plus",
        "ifeval",
        "tools",
        is_path=True,
    ),
    _own(
        "lm_eval",
        "PATH",
        "lm-eval's program; default: the one in bench-runner's environment, or on PATH.",
        "ifeval",
        is_path=True,
        determines=Determines.NOTHING,
    ),
    _own(
        "mbpp_set",
        "full|sanitized",
        "The set that is fetched: all 500 tasks of the test split, or the 257 that were looked through; default: full.",
        "mbpp",
        pattern="full|sanitized",
    ),
    _own(
        "mbpp_tests",
        "given|all",
        "all: pass the challenge tests too, which few tasks have; default: given.",
        "mbpp",
        pattern="given|all",
    ),
    _own("start_date", "DAY", "Only contests from this day on.", "lcb", pattern=_DAY),
    _own("end_date", "DAY", "Only contests up to this day.", "lcb", pattern=_DAY),
    _own("tasks", "FILE", "A YAML or JSON file of tasks; default: the starter set.", "tasks", is_path=True),
    _own(
        "difficulty",
        "LIST",
        "Only tasks of these difficulties, such as easy,hard.",
        "tasks",
        pattern=f"{_LEVEL}(,{_LEVEL})*",
    ),
    _own(
        "sample", "N", "Draw N tasks at random, in proportion from each difficulty.", "tasks", pattern=_COUNT
    ),
    _own("sample_seed", "S", "Seed of --sample; default: 0.", "tasks", pattern="[0-9]{1,18}"),
    _own(
        "few_shot",
        "N",
        "Worked examples before each question: 0 to 8; for MMLU 0 to 5.",
        "gsm8k",
        "mmlu",
        pattern="[0-8]",
    ),
    _own(
        "answer_by",
        "auto|letter",
        "letter: use only written answers, no log-probabilities.",
        "mmlu",
        pattern="auto|letter",
    ),
    _own(
        "concurrencies",
        "N,...",
        "Requests at once, one load for each number; default: 1 and the server's number of slots; with --depths 1.",
        "speed",
        pattern=_COUNTS,
    ),
    _own(
        "depths",
        "N,...",
        "Instead of --prompt-tokens: tokens in the context before the answer begins, such as 0,8k,32k, for one chat; "
        "context and slots are chosen to fit.",
        "speed",
        pattern=TOKENS_LIST,
    ),
    _own(
        "prompt_tokens",
        "N,...",
        f"Length of the prompts, such as 512,8k; default: {PROMPT_TOKENS}.",
        "speed",
        pattern=TOKENS_LIST,
    ),
    _own(
        "output_tokens",
        "N,...",
        f"Length of the answers; default: {OUTPUT_TOKENS}.",
        "speed",
        pattern=TOKENS_LIST,
    ),
    _own(
        "requests",
        "N",
        "Requests per load; default: 10, or five times the requests at once if that is more; per depth 5.",
        "speed",
        pattern=_COUNT,
    ),
    _own(
        "kld_reference",
        "MODEL|RUN",
        "What to compare with: a model, best in F16 or BF16, whose predictions are made once and kept; or a run of "
        "kld; default: nothing, and this run can be a reference.",
        "kld",
        to_script=False,
    ),
    _own(
        "kld_way",
        "WAY",
        "served: by the running server; llama-perplexity: by that program; auto: by llama-perplexity if it is there.",
        "kld",
        pattern="auto|served|llama-perplexity",
        to_script=False,
    ),
    _own(
        "kld_text",
        "FILE",
        "The text to measure on, in UTF-8; default: 28 kB of code and prose that are part of the program.",
        "kld",
        is_path=True,
    ),
    _own(
        "kld_window",
        "N",
        f"Tokens of a window; its second half is measured; --limit counts windows; default: {KLD_WINDOW}.",
        "kld",
        pattern="[4-9]|[1-9][0-9]{1,6}",
    ),
    _own(
        "kld_top",
        "K",
        f"served: compare the K likeliest tokens one by one, and the others as one; default: {KLD_TOP}.",
        "kld",
        pattern="[1-9][0-9]{0,6}",
    ),
    Setting(
        name="perplexity_binary",
        kind="text",
        help="llama-perplexity; default: the one beside llama-server, or on PATH.",
        section=Section.OWN,
        determines=Determines.SERVER,
        metavar="PATH",
        benchmarks=("kld",),
    ),
    Setting(
        name="kld_cache_size",
        kind="size",
        help="llama-perplexity: keep at most so much of what references predict; the oldest go first.",
        section=Section.OWN,
        determines=Determines.NOTHING,
        metavar="SIZE",
        minimum=1 << 20,
        maximum=1 << 50,
        default_text=f"{KLD_CACHE_BYTES >> 30}G",
        benchmarks=("kld",),
        to_script=True,
    ),
    _own(
        "lengths",
        "N,...",
        "Tokens of prompt and answer together, such as 4k,8k,32k, for which context and slots are chosen to fit; "
        "default: the powers of two from 1k to the context of a slot.",
        "needle",
        pattern=TOKENS_LIST,
        determines=Determines.SAMPLES,
    ),
    _own(
        "depth_percent",
        "N,...",
        "Where in the text the needle is hidden, in percent; default: 0,25,50,75,100.",
        "needle",
        pattern=f"{_PERCENT}(,{_PERCENT})*",
        determines=Determines.SAMPLES,
    ),
    _own(
        "kinds",
        "KIND,...",
        f"Kinds of needles; default: {','.join(KINDS)}.",
        "needle",
        pattern=f"{_KIND}(,{_KIND})*",
        determines=Determines.SAMPLES,
    ),
    _own(
        "per_cell",
        "N",
        f"Samples of each kind at each length and depth; default: {PER_CELL}.",
        "needle",
        pattern="[1-9][0-9]{0,3}",
        determines=Determines.SAMPLES,
    ),
)
