"""Searches with a planted optimum, without a model: found, the same again, within the budget, nothing asked twice."""

from __future__ import annotations

import dataclasses
import os
import pickle
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from evaluation.optimise.contract import FEW_SHOT, OPTIMIZERS, Budget, Cost, Stopped
from evaluation.optimise.journal import OutcomeLine, PromptLine, ReflectionLine, _read
from evaluation.optimise.search import optimise
from results.errors import NewerRecord, ResultsError, ResumeMismatch, ServerError, UsageError
from tests.benchmarks.planted_prompts import PARAMETERS, Planted

ROOT = Path(__file__).resolve().parents[3]
FEW = {
    "few_shot": {"max_trials": 8},
    "meta_prompt": {"max_trials": 8},
    "evolutionary_optimizer": {"population_size": 4, "num_generations": 2},
    "hierarchical_reflective": {"max_trials": 8},
    "gepa": {"max_trials": 12},
}


def planted(optimizer, seed=1, *, validation=60, test=20):
    return Planted(seed, examples=optimizer == FEW_SHOT, validation=validation, test=test)


def searched(known, optimizer, folder, *, params=None, **others):
    return optimise(
        known.problem,
        optimizer=optimizer,
        journal=folder / "evaluations.jsonl",
        seed=known.seed,
        params=params or FEW[optimizer],
        **others,
    )


def outcomes(folder):
    """(prompt, sample) of each line."""
    path = folder / "evaluations.jsonl"
    lines, _ = _read(path.read_bytes(), path)
    return [(line.prompt, line.item) for line in lines if isinstance(line, OutcomeLine)]


@pytest.mark.servers
@pytest.mark.parametrize("optimizer", ["few_shot", "hierarchical_reflective"])
def test_the_planted_prompt_is_found(optimizer, tmp_path):
    known = planted(optimizer, validation=600, test=100)
    found = searched(known, optimizer, tmp_path, params=PARAMETERS[optimizer])
    assert known.is_found(found.prompt)
    assert found.gain.shown
    assert found.parents[0] == known.problem.seed_prompt.sha256
    assert found.prompt.sha256 not in found.parents


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_same_seed_gives_the_same_and_the_journal_answers_all(optimizer, tmp_path):
    folders = [tmp_path / "first", tmp_path / "second"]
    first, second = (searched(planted(optimizer), optimizer, folder) for folder in folders)
    assert first == second
    assert (folders[0] / "evaluations.jsonl").read_bytes() == (folders[1] / "evaluations.jsonl").read_bytes()
    asked = outcomes(folders[0])
    assert len(set(asked)) == len(asked) == first.spent.evaluations
    again = planted(optimizer)
    third = searched(again, optimizer, folders[0])
    assert again.calls == again.reflections == 0
    assert third.replayed >= first.spent.evaluations
    assert msgspec.structs.replace(third, replayed=0) == first


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_budget_in_calls_is_never_exceeded_and_has_room_for_the_test(optimizer, tmp_path):
    for most in (100, 131, 200, 307):
        known = planted(optimizer)
        folder = tmp_path / str(most)
        params = {**FEW[optimizer], "race": False}
        found = searched(known, optimizer, folder, params=params, budget=Budget(max_calls=most))
        assert known.calls + known.reflections == found.spent.calls <= most
        assert found.gain is not None
        assert found.stopped is not Stopped.BUDGET or found.spent.calls > most - 100


@pytest.mark.parametrize("unit", ["max_tokens", "max_cost_usd"])
def test_budgets_in_tokens_and_money_hold_for_the_worst_case(unit, tmp_path):
    known = planted("meta_prompt")
    spent = []

    def priced(prompt, items, seed):
        for outcome in known.evaluate(prompt, items, seed):
            spent.append(10)
            yield msgspec.structs.replace(outcome, tokens=10, cost_usd=0.1)

    def worst_case(asked, items):
        calls = len(items) or 1
        return Cost(12 * calls, 0.12 * calls)

    problem = dataclasses.replace(known.problem, evaluate=priced, worst_case=worst_case)
    most = 2500 if unit == "max_tokens" else 25.0
    found = optimise(
        problem,
        optimizer="meta_prompt",
        journal=tmp_path / "evaluations.jsonl",
        seed=1,
        params={"max_trials": 100},
        budget=Budget(**{unit: most}),
    )
    assert found.stopped is Stopped.BUDGET
    assert found.gain is not None
    assert sum(spent) + 12 * known.reflections == found.spent.tokens
    assert found.spent.tokens <= 2500
    assert found.spent.cost_usd <= 25.0
    with pytest.raises(UsageError, match="too small"):
        searched(known, "gepa", tmp_path / "other", budget=Budget(max_calls=99))
    with pytest.raises(UsageError, match="not known"):
        searched(known, "gepa", tmp_path / "other", budget=Budget(max_tokens=10**9))
    assert not (tmp_path / "other").exists()


def test_an_error_of_the_server_comes_out_as_it_is_and_the_search_goes_on_later(tmp_path):
    whole = searched(planted("meta_prompt"), "meta_prompt", tmp_path / "whole")
    for place in ("evaluate", "reflect"):
        known = planted("meta_prompt")
        left = [150 if place == "evaluate" else 2]

        def failing(*asked, place=place, left=left, known=known):
            if place == "evaluate":
                return _cut(known.evaluate(*asked), left)
            left[0] -= 1
            if not left[0]:
                raise ServerError("it is gone")
            return known.reflect(*asked)

        broken = dataclasses.replace(known.problem, in_flight=2, **{place: failing})
        known.problem, good = broken, known.problem
        with pytest.raises(ServerError, match="it is gone"):
            searched(known, "meta_prompt", tmp_path / place)
        known.problem = good
        found = searched(known, "meta_prompt", tmp_path / place)
        lost = found.spent.lost
        assert 1 <= lost <= 2
        assert found.prompt == whole.prompt
        assert found.gain == whole.gain
        assert known.calls <= whole.spent.evaluations + lost  # none of those written down was asked again
        with pytest.raises(UsageError):
            searched(known, "meta_prompt", tmp_path / place, budget=Budget(max_calls=10))


def _cut(asked, left):
    for outcome in asked:
        left[0] -= 1
        if not left[0]:
            raise ServerError("it is gone")
        yield outcome


def test_mistakes_of_an_optimiser_are_not_swallowed(tmp_path):
    """gepa would log an exception of a proposer, and go on."""
    known = planted("meta_prompt")
    known.problem = dataclasses.replace(known.problem, reflect=lambda text, seed: None)
    with pytest.raises(AttributeError):
        searched(known, "meta_prompt", tmp_path)


# Loads everything once, then forks a search for each line of its input: a start of Python each would take far longer.
MOTHER = """
import os, sys
from tests.evaluation.optimise.test_prompt_search import forked
import evaluation.optimise.pareto, gepa.api, scipy.special, scipy.stats
while line := sys.stdin.readline():
    if not (child := os.fork()):
        forked(*line.split())
        os._exit(0)
    print(child, flush=True)
    sys.stdin.readline()  # until then its number can't become another's
    os.waitpid(child, 0)
    print("ended", flush=True)
"""


def forked(optimizer, folder, asked):
    """The search of a process of its own: says what it asks before it has an outcome, and what it found."""
    known = planted(optimizer, validation=120)
    ask = known.problem.evaluate
    with Path(asked).open("ab", buffering=0) as said:

        def told(prompt, items, seed):
            for item in items:
                said.write(f"{prompt.sha256} {item.sha256}\n".encode())
                yield from ask(prompt, [item], seed)

        known.problem = dataclasses.replace(known.problem, evaluate=told, in_flight=1)
        found = searched(known, optimizer, Path(folder))
    result = [found.prompt, found.parents, found.gain, found.candidates]
    (Path(folder) / "found.json").write_bytes(msgspec.json.encode(result))


@pytest.mark.servers
def test_after_kill_9_at_random_places_nothing_is_asked_again_and_the_result_is_the_same(tmp_path):
    """The processes have other hashes of strings than this one: an order that comes of a set would differ."""
    environment = {**os.environ, "PYTHONHASHSEED": "random", "OPENBLAS_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", MOTHER],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as mother:
        for optimizer in OPTIMIZERS:
            whole, killed = tmp_path / optimizer / "whole", tmp_path / optimizer / "killed"
            whole.mkdir(parents=True)
            killed.mkdir()
            forked(optimizer, whole, tmp_path / optimizer / "whole.asked")
            size = (whole / "evaluations.jsonl").stat().st_size
            places = [*sorted(random.randrange(1, size) for _ in range(4)), None]
            _killed(mother, optimizer, killed, places)
            assert (killed / "found.json").read_bytes() == (whole / "found.json").read_bytes()
            assert set(outcomes(killed)) == set(outcomes(whole))
            assert len(outcomes(killed)) == len(outcomes(whole))
        mother.stdin.close()


def _killed(mother, optimizer, folder, places):
    """At each place of the journal, in bytes; the last search, with None, ends by itself."""
    journal = folder / "evaluations.jsonl"
    before: set[tuple[str, str]] = set()
    for number, place in enumerate(places):
        asked = folder / f"{number}.asked"
        print(optimizer, folder, asked, file=mother.stdin, flush=True)
        child = int(mother.stdout.readline())
        while place is not None and not (journal.exists() and journal.stat().st_size >= place):
            time.sleep(0.0005)
        if place is not None:
            os.kill(child, signal.SIGKILL)
        print(file=mother.stdin, flush=True)
        assert mother.stdout.readline() == "ended\n"
        again = {tuple(line.split()) for line in asked.read_text().splitlines()} if asked.exists() else set()
        assert not again & before, place
        before = set(outcomes(folder))


class Planter:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_no_pickle_is_ever_read_or_written(tmp_path, monkeypatch):
    """gepa keeps its state as a pickle, and loads whatever lies there under its name."""
    monkeypatch.chdir(tmp_path)
    trap = pickle.dumps(Planter(tmp_path / "sprung"))
    (tmp_path / "gepa_state.bin").write_bytes(trap)
    for optimizer in OPTIMIZERS:
        searched(planted(optimizer), optimizer, tmp_path)
        (tmp_path / "evaluations.jsonl").unlink()
    assert [path.name for path in tmp_path.iterdir()] == ["gepa_state.bin"]
    (tmp_path / "evaluations.jsonl").write_bytes(trap + b"\n")
    with pytest.raises(ResultsError, match="not the journal"):
        searched(planted("gepa"), "gepa", tmp_path)
    assert not (tmp_path / "sprung").exists()
    assert (tmp_path / "evaluations.jsonl").read_bytes() == trap + b"\n"


def test_a_torn_line_is_cut_off_and_damage_costs_only_its_own_lines(tmp_path):
    first = searched(planted("meta_prompt"), "meta_prompt", tmp_path)
    path = tmp_path / "evaluations.jsonl"
    data = path.read_bytes()
    path.write_bytes(data[:-7])
    known = planted("meta_prompt")
    assert searched(known, "meta_prompt", tmp_path).gain == first.gain
    assert known.calls == 1
    lines = data.splitlines(keepends=True)
    place = next(number for number, line in enumerate(lines) if b'"type":"outcome"' in line)
    worse = lines[place].replace(b'"score":', b'"score":7')
    path.write_bytes(b"".join([*lines[:place], worse, b"\xff\xfe nonsense\n", *lines[place + 1 :]]))
    known = planted("meta_prompt")
    assert searched(known, "meta_prompt", tmp_path).prompt == first.prompt
    assert known.calls == 1
    assert b"nonsense" in (tmp_path / "evaluations.jsonl.damaged").read_bytes()


def test_the_journal_of_another_search_is_refused_and_stays_as_it_is(tmp_path):
    searched(planted("gepa"), "gepa", tmp_path)
    before = (tmp_path / "evaluations.jsonl").read_bytes()
    with pytest.raises(ResumeMismatch):
        searched(planted("gepa", seed=2), "gepa", tmp_path)
    assert (tmp_path / "evaluations.jsonl").read_bytes() == before
    newer = before.replace(b'{"type":"search",', b'{"type":"search","schema_version":9,', 1)
    (tmp_path / "evaluations.jsonl").write_bytes(newer)
    with pytest.raises(NewerRecord):
        searched(planted("gepa"), "gepa", tmp_path)
    assert (tmp_path / "evaluations.jsonl").read_bytes() == newer


def test_test_samples_are_asked_last_and_never_shown_to_the_reflector(tmp_path):
    for optimizer in OPTIMIZERS:
        known = planted(optimizer)
        test = {item.sha256 for item in known.problem.splits.test}
        kept_back = {item.question for item in (*known.problem.splits.test, *known.problem.splits.validation)}
        shown = []
        reflect = known.problem.reflect

        def told(text, seed, shown=shown, reflect=reflect):
            shown.append(text)
            return reflect(text, seed)

        known.problem = dataclasses.replace(known.problem, reflect=told)
        found = searched(known, optimizer, tmp_path / optimizer)
        asked = [item in test for _, item in outcomes(tmp_path / optimizer)]
        assert asked == sorted(asked)
        changed = found.prompt != known.problem.seed_prompt
        assert sum(asked) == len(test) * (2 if changed else 1)
        assert not [question for question in kept_back for text in shown if f"{question}\n" in text]


def test_the_journal_says_what_was_tried(tmp_path):
    found = searched(planted("evolutionary_optimizer"), "evolutionary_optimizer", tmp_path)
    path = tmp_path / "evaluations.jsonl"
    lines, _ = _read(path.read_bytes(), path)
    prompts = {line.sha256: line.prompt for line in lines if isinstance(line, PromptLine)}
    assert all(prompt.sha256 == sha256 for sha256, prompt in prompts.items())
    assert found.prompt in prompts.values()
    assert set(found.parents) <= set(prompts)
    assert sum(isinstance(line, ReflectionLine) for line in lines) == found.spent.reflections


def test_a_race_asks_fewer_samples_than_full_validation(tmp_path):
    calls = []
    for races in (True, False):
        known = planted("meta_prompt", validation=120, test=0)
        searched(known, "meta_prompt", tmp_path / str(races), params={"max_trials": 12, "race": races})
        calls.append(known.calls)
    assert calls[0] <= 0.6 * calls[1]
