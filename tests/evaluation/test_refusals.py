"""What a server's refusal is about is read from its words, whoever the server is; nothing is read into others."""

from __future__ import annotations

import json
import time

import pytest

from evaluation.models.refusals import refused_parameters, refuses_system_prompt
from tests.programs.refusals import HOW

SENT = ("temperature", "max_tokens", "seed", "stop", "top_p", "top_k", "logprobs", "top_logprobs")


@pytest.mark.parametrize("how", sorted(HOW))
@pytest.mark.parametrize("name", ["seed", "temperature", "stop", "max_tokens", "top_k"])
def test_the_parameter_is_named(how, name):
    _, body = HOW[how](name, 0)
    assert refused_parameters(json.dumps(body).encode(), SENT) == (name,)


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ("Unrecognized request arguments supplied: top_k, seed", ["seed", "top_k"]),
        ("`temperature` and `top_p` cannot both be specified for this model. Please use only one.",
         ["temperature", "top_p"]),
        ("`temperature` is deprecated for this model.", ["temperature"]),
        ("Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead.", ["max_tokens"]),
        ("seed: Extra inputs are not permitted", ["seed"]),
        ("This model does not support logprobs.", ["logprobs"]),
        ("Requested sample logprobs of 20, which is greater than max allowed: 5", ["logprobs"]),
        ("'temperature' does not support 0.2 with this model.", ["temperature"]),
        ("The model doesn't support the temperature parameter.", ["temperature"]),
        ("top_p must be in (0, 1], got 0.0.", ["top_p"]),
    ],
)  # fmt: skip
def test_the_words_of_others_are_understood(said, names):
    for body in ({"error": {"message": said}}, {"error": said}, {"message": said}, {"detail": said}, said):
        assert sorted(refused_parameters(json.dumps(body).encode(), SENT)) == names
    assert sorted(refused_parameters(said.encode(), SENT)) == names


@pytest.mark.parametrize(
    "body",
    [
        "cannot do that",
        {"error": {"message": "cannot do that", "param": "messages"}},
        {"error": {"message": "Invalid prompt: it was flagged by our policy. Set a seed and a temperature."}},
        {"error": {"message": "property 'store' is unsupported, did you mean 'stop'?"}},
        {"error": {"message": "unknown model; use top_p instead"}},
        {"detail": [{"type": "missing", "loc": ["body", "user"], "msg": "Field required",
                     "input": {"temperature": 0, "seed": 1, "top_p": 1}}]},
        {"detail": [{"type": "string_type", "loc": ["body", "messages", 0, "content"], "msg": "unsupported seed"}]},
        {"error": {"message": "min_temperature is not supported"}},
        {"error": {"message": "parameters.seed_everything is not supported"}},
        [], None, "", {"error": None}, {"detail": None}, {"error": {"param": 7}},
    ],
)  # fmt: skip
def test_what_is_about_something_else_names_nothing(body):
    assert refused_parameters(json.dumps(body).encode(), SENT) == ()


@pytest.mark.parametrize(
    "raw",
    [
        b"[" * 100_000,
        b'{"error": ' * 900 + b"1" + b"}" * 900,
        b"[" * 900 + b'{"loc": ["body", "seed"]}' + b"]" * 900,
        b"unknown " * 1_000_000,
        b"stop " * 1_000_000,
    ],
    ids=["open", "deep", "deep-list", "many-words", "many-names"],
)
def test_a_refusal_that_is_made_to_be_hard_to_read_is_read_at_once(raw):
    began = time.process_time()
    assert refused_parameters(raw, SENT) == ()
    assert time.process_time() - began < 1


def test_only_what_was_sent_can_be_refused():
    _, body = HOW["openai"]("seed", 0)
    assert refused_parameters(json.dumps(body).encode(), ("temperature",)) == ()


@pytest.mark.parametrize(
    "said",
    [
        "System role not supported",
        "Jinja Exception: System role not supported",
        "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
        "Developer instruction is not enabled for models/gemma-3-27b-it",
    ],
)
def test_a_model_without_the_role_system_is_known_by_the_servers_words(said):
    assert refuses_system_prompt(json.dumps({"error": {"message": said}}).encode())
    assert not refuses_system_prompt(b'{"error": "the system is busy, not enabled: seed"}')
