"""The settings of composite scores. They determine nothing: a run with them and without is the same run."""

from __future__ import annotations

from settings.setting import Determines, Section, Setting

SCORING_SETTINGS = (
    Setting(
        name="scoring",
        kind="flag",
        help="Also compute a composite score of the answers: correctness, speed, quality, efficiency; for coding "
        "benchmarks.",
        section=Section.SCORING,
        determines=Determines.NOTHING,
    ),
    Setting(
        name="weights",
        kind="weights",
        help="The weights of its parts; implies --scoring. A part of weight 0 is left out.",
        section=Section.SCORING,
        determines=Determines.NOTHING,
        metavar="PART=WEIGHT,...",
        default_text="correctness=40,speed=20,quality=25,efficiency=15",
    ),
    Setting(
        name="speed_baseline",
        kind="text",
        help="Compare the speed with that run's: its id, its label or last; implies --scoring.",
        section=Section.SCORING,
        determines=Determines.NOTHING,
        metavar="RUN",
    ),
    Setting(
        name="speed_target_s",
        kind="number",
        help="Compare the speed with S seconds for an answer instead; implies --scoring.",
        section=Section.SCORING,
        determines=Determines.NOTHING,
        metavar="S",
        above=0,
        maximum=86_400,
    ),
    Setting(
        name="scorer",
        kind="path",
        help="A Python file with a scorer of your own, which is a part by the name of the file; implies --scoring.",
        section=Section.SCORING,
        determines=Determines.NOTHING,
        metavar="FILE.py",
    ),
)
