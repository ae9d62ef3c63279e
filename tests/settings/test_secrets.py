"""Keys and passwords of the user: known by the names that hold them, and hidden wherever a command line is shown."""

from __future__ import annotations

import shlex

import pytest

from results.errors import UsageError
from settings.secrets import (
    environment_without_keys,
    given_key,
    is_secret,
    read_key,
    secrets_of,
    without_secrets,
    without_secrets_in,
)
from settings.variables import Filled

SECRET = """
OPENAI_API_KEY ANTHROPIC_API_KEY AZURE_OPENAI_KEY BENCH_API_KEY HF_TOKEN GITHUB_TOKEN AWS_SECRET_ACCESS_KEY PGPASSWORD
GOOGLE_APPLICATION_CREDENTIALS api-key api_key hf-token db-password Authorization -hft
"""
PLAIN = """
PATH PWD OLDPWD HOME CUDA_VISIBLE_DEVICES TOKENIZERS_PARALLELISM SSH_AUTH_SOCK KEYBOARD LS_COLORS max-tokens tokenizer
api-key-file cache-type-k max-num-batched-tokens monkey http -
"""


def test_names_that_hold_a_secret():
    assert [name for name in SECRET.split() if not is_secret(name)] == []
    assert [name for name in PLAIN.split() if is_secret(name)] == []


@pytest.mark.parametrize(
    "command",
    [
        "serve --api-key S3CRET --port 80",
        "serve --api-key=S3CRET",
        "serve --api_key 'S3CRET' x",
        'serve --api-key "S3CRET S3CRET"',
        "serve -hft S3CRET",
        "serve --hf-token S3CRET --db-password S3CRET",
        "env OPENAI_API_KEY=S3CRET serve",
        "sh -c 'LLAMA_API_KEY=S3CRET exec serve --token S3CRET'",
        "serve -H 'Authorization: Bearer S3CRET'",
        "serve --header='X-Api-Key: S3CRET'",
        'serve --config \'{"api_key": "S3CRET", "port": 80}\'',
        "serve --proxy http://me:S3CRET@proxy:80/",
        "serve --verbose --api-key S3CRET",
    ],
)
def test_a_command_is_shown_without_its_keys(command):
    words = shlex.split(command)
    for text in (without_secrets_in(command), " ".join(without_secrets(words))):
        assert "S3CRET" not in text
        assert "***" in text
        assert "serve" in text
    shown = " ".join(words)
    for secret in secrets_of(words):
        shown = shown.replace(secret, "***")
    assert "S3CRET" not in shown


@pytest.mark.parametrize(
    "command",
    [
        "serve -m model.gguf --port 80",
        "serve --max-tokens 5 --api-key-file /k",
        "serve --api-key ${KEY}",
        "serve --api-key $KEY",
        "sh -c 'serve --api-key ${KEY:-}'",
        "serve --verbose --token --port 80",
        "serve http://h:80/a {model}: x=y",
    ],
)
def test_a_command_without_a_key_is_shown_as_it_is(command):
    assert without_secrets_in(command) == command
    assert " ".join(without_secrets(command.split())) == command


def test_what_a_variable_filled_in_is_shown_by_its_name():
    assert without_secrets(["--api-key", Filled("S3CRET", "${KEY}"), Filled("--token=S3CRET", "--token=${KEY}")]) == (
        "--api-key", "${KEY}", "--token=${KEY}",
    )  # fmt: skip


def test_a_program_gets_no_key_but_its_own():
    environment = {"PATH": "/bin", "OPENAI_API_KEY": "a", "HF_TOKEN": "b", "MY_SECRET": "c", "LANG": "C"}
    assert environment_without_keys({"HF_TOKEN"}, environment) == {
        "PATH": "/bin",
        "HF_TOKEN": "b",
        "LANG": "C",
    }


@pytest.mark.parametrize(
    ("command", "key"),
    [
        ("serve --api-key k1,k2 x", "k1"),
        ("serve --api-key=k1", "k1"),
        ("env LLAMA_API_KEY=k1 serve", "k1"),
        ("serve --api-key", None),
        ("serve --api-key-file f", None),
        ("serve", None),
    ],
)
def test_the_key_that_a_command_gives_to_its_server(command, key):
    assert given_key(command.split()) == key


def test_a_key_is_read_as_it_can_be_sent():
    assert read_key("K", {}) is None
    assert read_key("K", {"K": " k1\n"}) == "k1"
    for odd in ("k\n1", "kä", "k\x1b1"):
        with pytest.raises(UsageError, match="K can't be sent"):
            read_key("K", {"K": odd})
