"""Scores of continuations: the tokens that are scored, their sum, and what no server can be made to write."""

from __future__ import annotations

import asyncio
import json
import math

import pytest

from evaluation.likelihood.continuations import TRIED, likeliest, scorer_for
from evaluation.likelihood.forced_tokens import read_ids, read_vllm
from evaluation.models.failures import Refused, Transient
from evaluation.protocols import PromptStyle, Request
from results.stats.divergence import LEAST_LOGPROB

# Tokens of a model of our own: the longest that fits is taken. The half characters make one together.
HALVES = ("\udce6\udcbc", "\udca2")
VOCABULARY = ("<s>", "</s>", "a", "b", " ", " a", " b", "ab", "c", *HALVES)
END = VOCABULARY.index("</s>")


def ids_of(text):
    raw = text.encode().decode("utf-8", "surrogateescape").replace("漢", "".join(HALVES))
    found = []
    while raw:
        piece = max((piece for piece in VOCABULARY if raw.startswith(piece)), key=len)
        found.append(VOCABULARY.index(piece))
        raw = raw[len(piece) :]
    return found


def logprobs(before):
    """Of each next token: it depends on the one before it, and sums up to one."""
    weights = [1 + (3 * before[-1] + 7 * token) % 11 for token in range(len(VOCABULARY))]
    return [math.log(weight / sum(weights)) for weight in weights]


def expected(before, forced):
    total = 0.0
    for token in forced:
        total += logprobs(before)[token]
        before = [*before, token]
    return total


class PlayedLlama:
    """Answers as llama-server does, with what it can't do."""

    def __init__(self, *, failing=()):
        self.asked = []
        self.failing = list(failing)

    async def __call__(self, path, body):
        self.asked.append((path, body))
        if self.failing and path == "/completion":
            raise self.failing.pop(0)
        return json.dumps(getattr(self, path.strip("/").replace("-", "_"))(body)).encode()

    def tokenize(self, body):
        begin = [0] if body["add_special"] else []
        found = [*begin, *ids_of(body["content"])]
        pieces = [VOCABULARY[each].encode("utf-8", "surrogateescape") for each in found]
        told = [list(piece) if max(piece) > 127 else piece.decode() for piece in pieces]
        return {"tokens": [{"id": each, "piece": piece} for each, piece in zip(found, told, strict=True)]}

    def apply_template(self, body):
        return {"prompt": "".join(f"{said['content']}</s>" for said in body["messages"])}

    def completion(self, body):
        before, written = list(body["prompt"]), []
        grammar = body.get("grammar", "").partition("root ::= ")[2].split()
        wanted = [int(each.strip("<[]>")) for each in grammar] or [
            pair[0] for pair in body.get("logit_bias", ())
        ]
        for token in wanted:
            if grammar and token == END:
                raise Transient("HTTP status 500: got exception: Unexpected empty grammar stack", status=500)
            if VOCABULARY[token] == HALVES[0]:
                before.append(token)  # of half a character it tells nothing
                continue
            ranked = sorted(enumerate(logprobs(before)), key=lambda each: -each[1])
            top = [{"id": each, "logprob": value} for each, value in ranked[: body["n_probs"]]]
            written.append({"id": token, "logprob": logprobs(before)[token], "top_logprobs": top})
            before.append(token)
        return {"completion_probabilities": written}


def scored(server, context, *continuations, properties=None):
    async def main():
        scorer = scorer_for(server, owner="llamacpp", model="", properties=properties or {"total_slots": 2})
        return await asyncio.wait_for(scorer.score(context, continuations), 10)

    return asyncio.run(main())


def test_a_score_is_the_sum_over_the_tokens_behind_those_of_the_context():
    before, (first, second) = [0, *ids_of("c")], ([5, 6], [6])
    one, two = scored(PlayedLlama(), "c", " a b", " b")
    assert one.logprob == pytest.approx(expected(before, first))
    assert two.logprob == pytest.approx(expected(before, second))
    assert (one.tokens, two.tokens) == (2, 1)


@pytest.mark.parametrize(
    ("context", "continuation", "before", "forced"),
    [
        ("c ", "a", "c", " a"),  # blanks at the end go to the continuation
        ("c  ", "a", "c", "  a"),
        ("c", "a b", "c", "a b"),
    ],
)
def test_blanks_at_the_end_of_a_context_belong_to_the_continuation(context, continuation, before, forced):
    (found,) = scored(PlayedLlama(), context, continuation)
    assert found.logprob == pytest.approx(expected([0, *ids_of(before)], ids_of(forced)))


def test_tokens_that_merge_over_the_border_are_split_by_number_as_lm_eval_does():
    """ "a" and "bc" are [a] and [ab, c]: the context's one token, then what follows the first of the whole."""
    (found,) = scored(PlayedLlama(), "a", "bc")
    assert found.logprob == pytest.approx(expected([0, VOCABULARY.index("a")], [VOCABULARY.index("c")]))
    assert found.tokens == 1


def test_a_continuation_without_a_token_of_its_own_is_refused():
    with pytest.raises(Refused, match="adds no token"):
        scored(PlayedLlama(), "a", "b")


def test_half_a_character_is_looked_up_and_the_rest_is_forced():
    server = PlayedLlama()
    (found,) = scored(server, "c", "a漢b")
    forced = ids_of("a漢b")
    assert len(forced) == 4
    assert found.logprob == pytest.approx(expected([0, *ids_of("c")], forced))
    assert found.tokens == 4
    grammars = [body["grammar"] for _, body in server.asked if "grammar" in body]
    assert grammars == ["root ::= <[2]>", "root ::= <[3]>"]


def test_a_token_that_ends_a_text_is_looked_up():
    (found,) = scored(PlayedLlama(), "c", " a</s>")
    assert found.logprob == pytest.approx(expected([0, *ids_of("c")], ids_of(" a</s>")))


@pytest.mark.parametrize("properties", [{"bos_token": "<s>"}, {"bos_token": "", "eos_token": "</s>"}])
def test_without_a_context_the_text_stands_behind_the_token_that_begins_or_ends_texts(properties):
    class Beginless(PlayedLlama):
        def tokenize(self, body):
            return super().tokenize({**body, "add_special": False})

    (found,) = scored(Beginless(), "", "ab", properties=properties)
    first = ids_of(properties["bos_token"] or properties["eos_token"])
    assert found.logprob == pytest.approx(expected(first, ids_of("ab")))
    (found,) = scored(PlayedLlama(), "", "ab")
    assert found.logprob == pytest.approx(expected([0], ids_of("ab")))


def test_tokens_from_a_draft_are_asked_for_alone_because_their_probability_is_not_told():
    """Of what it took from a draft, llama-server says log-probability 0 and no likely tokens; one alone has none."""

    class Drafting(PlayedLlama):
        def completion(self, body):
            answer = super().completion(body)
            for each in answer["completion_probabilities"][1:]:
                each |= {"logprob": 0.0, "top_logprobs": []}
            return answer

    server = Drafting()
    (found,) = scored(server, "c", " a b b")
    assert found.logprob == pytest.approx(expected([0, *ids_of("c")], ids_of(" a b b")))
    grammars = [body["grammar"].count("<") for _, body in server.asked if "grammar" in body]
    assert grammars == [3, 1, 1]


def test_greedy_means_that_each_token_was_the_likeliest():
    before = [0, *ids_of("c")]
    best = max(range(2, 9), key=logprobs(before).__getitem__)
    ranked = max(range(len(VOCABULARY)), key=logprobs(before).__getitem__)
    found = scored(
        PlayedLlama(), "c", *(VOCABULARY[token] for token in range(2, 9) if VOCABULARY[token] != " ")
    )
    assert [each.is_greedy for each in found].count(True) == (best == ranked)


def test_all_of_a_sample_are_asked_in_one_slot_and_find_its_context_there():
    server = PlayedLlama()
    scored(server, "c", " a", " b", "ab")
    completions = [body for path, body in server.asked if path == "/completion"]
    assert len({body["id_slot"] for body in completions}) == 1
    assert all(body["cache_prompt"] for body in completions)
    assert completions[0]["n_predict"] == 0
    assert list(completions[0]["prompt"]) == [0, *ids_of("c")]


def test_a_slot_is_free_again_after_a_failure():
    server = PlayedLlama(failing=[Transient("busy")] * 3)

    async def main():
        scorer = scorer_for(server, owner="llamacpp", model="", properties={"total_slots": 1})
        for _ in range(3):
            with pytest.raises(Transient):
                await scorer.score("c", (" a",))
        return await asyncio.wait_for(scorer.score("c", (" a",)), 10)

    assert asyncio.run(main())


def test_samples_beyond_the_slots_wait_for_one():
    """Never two in one slot at a time: the second would put the first one's context out of the cache."""
    busy, most = set(), 0

    class Counting(PlayedLlama):
        async def __call__(self, path, body):
            nonlocal most
            if path == "/completion" and "grammar" in body:
                assert body["id_slot"] not in busy
                busy.add(body["id_slot"])
                most = max(most, len(busy))
                await asyncio.sleep(0)
                busy.discard(body["id_slot"])
            return await super().__call__(path, body)

    async def main():
        scorer = scorer_for(Counting(), owner="llamacpp", model="", properties={"total_slots": 2})
        return await asyncio.gather(*(scorer.score("c", (" a", " b")) for _ in range(6)))

    found = asyncio.run(main())
    assert len(found) == 6
    assert len(set(found)) == 1
    assert most <= 2


def test_the_answer_to_a_chat_continues_the_model_s_turn_as_its_template_begins_it():
    request = Request(
        task_id="t", index=0, style=PromptStyle.CHAT, system="c", user="a", continuations=(" b", " a")
    )

    async def main():
        scorer = scorer_for(PlayedLlama(), owner="llamacpp", model="", properties={})
        return await scorer.answer(request)

    answer = asyncio.run(main())
    before = [0, *ids_of("c</s>a</s>")]
    values = [expected(before, ids_of(each)) for each in request.continuations]
    assert [each.logprob for each in answer.continuations] == pytest.approx(values)
    assert answer.text == request.continuations[likeliest(values)].strip()
    assert answer.completion_tokens == 2


@pytest.mark.parametrize(
    "reply",
    [
        {"completion_probabilities": [{"id": 5, "logprob": -1.0, "top_logprobs": []}] * 3},
        {"completion_probabilities": [{"id": 6, "logprob": -1.0, "top_logprobs": []}]},
        {"completion_probabilities": [{"id": 5, "logprob": 0.0, "top_logprobs": []}]},
        {
            "completion_probabilities": [
                {"id": 5, "logprob": "much", "top_logprobs": [{"id": 6, "logprob": -1}]}
            ]
        },
        {"completion_probabilities": [{"id": 5, "logprob": 2.0, "top_logprobs": [{"id": 6, "logprob": -1}]}]},
        {"completion_probabilities": 7},
        {"content": " a"},
        [],
    ],
)
def test_what_tells_no_log_probabilities_of_these_tokens_is_no_score(reply):
    class Odd(PlayedLlama):
        def completion(self, body):
            return reply

    with pytest.raises(Refused, match="does not give log-probabilities of given tokens"):
        scored(Odd(), "c", " a")


def test_a_probability_too_small_for_the_server_s_numbers_stays_finite():
    class Tiny(PlayedLlama):
        def completion(self, body):
            top = [{"id": 6, "logprob": 0.0}]
            return {"completion_probabilities": [{"id": 5, "logprob": -3.4e38, "top_logprobs": top}]}

    (found,) = scored(Tiny(), "c", " a")
    assert found.logprob == LEAST_LOGPROB


def test_only_llama_server_and_vllm_are_asked_for_scores():
    for owner in ("", "library", "openai", "organization_owner"):
        assert scorer_for(PlayedLlama(), owner=owner, model="", properties={}) is None
    assert scorer_for(PlayedLlama(), owner="vllm", model="m", properties={}).way == "prompt log-probabilities"
    assert TRIED.continuations


def test_several_prompts_of_one_request_to_vllm_are_told_apart():
    def told(*logprobs_of_prompt):
        return [None, *({"7": {"logprob": each, "rank": 1}} for each in logprobs_of_prompt)]

    answer = {
        "choices": [{"index": 1, "prompt_logprobs": told(-3)}, {"index": 0, "prompt_logprobs": told(-1, -2)}]
    }
    assert [each.logprob for each in read_vllm(answer, [7, 7, 7], 1, top=1, index=0)] == [-1, -2]
    assert [each.logprob for each in read_vllm(answer, [7, 7], 1, top=1, index=1)] == [-3]
    with pytest.raises(ValueError, match="3 tokens instead of 2"):
        read_vllm(answer, [7, 7], 1, top=1, index=0)


def test_ids_of_older_servers_come_without_their_pieces():
    assert read_ids({"tokens": [3, 4]}) == ([3, 4], set())
    assert read_ids({"tokens": [{"id": 3, "piece": "x"}, {"id": 4, "piece": [188]}]}) == ([3, 4], {4})
    for odd in ({}, {"tokens": []}, {"tokens": [{}]}, {"tokens": ["x"]}, {"tokens": [-1]}, []):
        with pytest.raises(ValueError, match="token"):
            read_ids(odd)


def test_the_first_of_equals_is_taken():
    assert likeliest([-2.0, -1.0, -1.0]) == 1
