"""Two prompts are compared on the same samples; what else determines a score stays what it was: refused."""

from __future__ import annotations

import msgspec
import pytest

from results.compare.comparison import compare_runs
from results.compare.gate import judge
from results.compare.leaderboard import make_tables
from results.errors import NotComparable
from results.records import ModelIdentity
from results.views.comparison_text import print_comparison
from results.views.sentences.pair_words import comparison_words
from tests.results.recorded_runs import SETTINGS, F, P, record_run

OWN = SETTINGS["prompts_sha256"]
BETTER, OTHER = "be" * 32, "07" * 32


@pytest.fixture
def asked(tmp_path):
    """A run of one model with these additions to its prompts."""

    def made(sha256=None, *, system=None, outcomes=(P, F, F), own=OWN, settings=None, model="m"):
        told = {"prompt": f"/p/{sha256[:2]}.json", "prompt_sha256": sha256} if sha256 else {}
        of_script = {"system_prompt": system, **(settings or {})}
        if sha256:
            of_script |= {"prompts_sha256": sha256[::-1], "own_prompts_sha256": own}
            of_script |= {"options": {"prompt_sha256": sha256}}
        return record_run(
            tmp_path,
            outcomes,
            model=model,
            config={**told, **({"system_prompt": system} if system else {})},
            settings=of_script,
            model_identity=ModelIdentity(name=model, sha256=model * 64),
        )

    return made


def test_a_prompt_is_compared_with_none_and_with_another(asked, capsys):
    plain, better, other = asked(), asked(BETTER, outcomes=(P, P, P)), asked(OTHER)
    comparison = compare_runs(plain, better)
    assert (comparison.prompts, comparison.samples) == (("none", "be.json (bebebebe)"), 3)
    print_comparison(comparison)
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith("other prompt     A none, B be.json (bebebebe): ")
    assert comparison_words(comparison, "one", "two").sentences[0] == (
        "Two prompts are compared; what one added to the benchmark's own: none; two: be.json (bebebebe)"
    )
    assert judge(comparison, None).notes[0] == "the prompt is another one: A none, B be.json (bebebebe)"
    assert compare_runs(better, other).prompts == ("be.json (bebebebe)", "07.json (07070707)")
    assert compare_runs(better, asked(BETTER)).prompts is None


def test_a_prompt_that_tells_answers_is_said_to(asked, capsys):
    plain, better = asked(), asked(BETTER, outcomes=(P, P, P))
    record = better.read_record()
    told = "1 of 3 questions stand in the prompt as examples, with their answers"
    score = msgspec.structs.replace(record.score, warnings=(told,))
    better.write_record(msgspec.structs.replace(record, score=score))
    comparison = compare_runs(plain, better)
    print_comparison(comparison)
    assert capsys.readouterr().out.splitlines()[3] == f"warning          B: {told}"
    assert f"two: {told}" in comparison_words(comparison, "one", "two").sentences
    assert f"B: {told}" in judge(comparison, None).notes


def test_a_system_prompt_is_one_too(asked):
    first, second = asked(system="Be terse."), asked(system=f"Be\n{'very ' * 20}terse.")
    told, other = compare_runs(first, second).prompts
    assert told == 'system prompt "Be terse."'
    assert other.startswith('system prompt "Be very very')
    assert len(other) < 80
    both = compare_runs(first, asked(BETTER, system="Be terse.")).prompts
    assert both == (told, f"be.json (bebebebe) and {told}")


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"settings": {"temperature": 0.5}}, "temperature"),
        ({"settings": {"data_sha256": "5"}}, "data_sha256"),
        ({"settings": {"prompt_style": "completion"}}, "prompt_style"),
        ({"settings": {"judging_version": 77}}, "judging_version"),
        ({"own": "77" * 32}, "prompts_sha256"),  # the benchmark's own are others
        ({"own": None}, "prompts_sha256"),  # not known whether they are
        ({"model": "n"}, "and in the model"),
    ],
)
def test_what_else_determines_a_score_is_refused(asked, facts, said):
    for first in (asked(), asked(OTHER)):
        with pytest.raises(NotComparable, match=said):
            compare_runs(first, asked(BETTER, **facts))


def test_a_leaderboard_never_ranks_two_prompts_as_one_setting(asked):
    folders = [asked(), asked(BETTER), asked(OTHER), asked(system="Be terse.")]
    tables = make_tables([(each, each.read_record()) for each in folders], warn=pytest.fail)
    assert [len(table.rows) for table in tables] == [1] * 4
