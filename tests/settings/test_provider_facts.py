"""The table of providers: each row can be used, and names are read as a user means them."""

from __future__ import annotations

import pytest

from results.errors import UsageError
from settings.base_url import parse_api_url, parse_base_url
from settings.providers import NAMES, PROVIDERS, named_by_model, provider_of
from settings.secrets import is_secret, read_key_file


@pytest.mark.parametrize("facts", PROVIDERS.values(), ids=PROVIDERS)
def test_each_row_can_be_used(facts):
    """Its root is an address that stays as it is, and its key is in a variable that launched servers never see."""
    if facts.root:
        parsed = parse_api_url(facts.root)
        assert facts.root in {parsed.api_url, parsed.url}
        assert parse_api_url(parsed.written) == parsed
        assert facts.root.startswith("https://") or facts.root.startswith("http://127.0.0.1:")
    assert all(is_secret(name) for name in facts.key_variables)
    assert facts.key_variables or not facts.needs_key
    assert facts.supports.most_stops > 0


def test_a_provider_has_one_name_and_perhaps_others():
    assert len(NAMES) == len(set(NAMES))
    assert provider_of("grok") is provider_of("xai")
    with pytest.raises(UsageError, match="unknown provider 'oracle'"):
        provider_of("oracle")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("openai/gpt-4o-mini", ("openai", "gpt-4o-mini")),
        ("grok/grok-4", ("xai", "grok-4")),
        ("openrouter/openai/gpt-4o", ("openrouter", "openai/gpt-4o")),
        ("huggingface/a/b:fastest", ("huggingface", "a/b:fastest")),
        ("Qwen/Qwen3-8B", None),
        ("openai", None),
        ("openai/", None),
        ("local/x", None),
        ("compatible/x", None),
        ("./openai/x", None),
    ],
)
def test_a_model_may_name_its_provider(text, found, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert named_by_model(text) == found


def test_a_folder_of_that_name_is_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "openai" / "gpt-oss").mkdir(parents=True)
    assert named_by_model("openai/gpt-oss") is None


@pytest.mark.parametrize("parse", [parse_base_url, parse_api_url])
@pytest.mark.parametrize(
    ("text", "api_url"),
    [
        ("https://generativelanguage.googleapis.com/v1beta/openai/", "/v1beta/openai"),
        ("https://api.deepinfra.com/v1/openai", "/v1/openai"),
        ("https://h/api/paas/v4", "/api/paas/v4"),
        ("https://h/openai/v1", "/openai/v1"),
        ("https://h", "/v1"),
        ("https://h/v1/chat/completions", "/v1"),
        ("https://h/v1beta/openai/chat/completions", "/v1beta/openai"),
    ],
)
def test_an_api_that_lies_elsewhere_is_asked_there(parse, text, api_url):
    found = parse(text)
    assert found.api_url.removeprefix(f"https://{found.host}") == api_url
    assert parse(found.written) == found


def test_a_provider_s_address_stays_as_it_is_and_a_server_s_has_its_api_below_it():
    for text in ("https://api.perplexity.ai/chat/completions", "https://models.github.ai/inference"):
        found = parse_api_url(text)
        assert found.api_url == text.removesuffix("/chat/completions")
        assert parse_api_url(found.written) == found
    assert parse_base_url("http://h:1/proxy").api_url == "http://h:1/proxy/v1"
    assert parse_base_url("http://h:1/chat/completions").api_url == "http://h:1/v1"


def test_a_key_file_is_read_if_only_its_owner_can_read_it(tmp_path):
    file = tmp_path / "key"
    file.write_text("sk-0123456789\n")
    file.chmod(0o600)
    assert read_key_file(file) == "sk-0123456789"
    for mode in (0o640, 0o604, 0o620, 0o666):
        file.chmod(mode)
        with pytest.raises(UsageError, match="is open to others than its owner") as caught:
            read_key_file(file)
        assert "sk-" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"", "has no key"), (b" \n", "has no key"), (b"\xff\xfe", "can't be read"), (b"a\nb", "sent")],
)
def test_a_file_without_a_key_is_refused(tmp_path, content, why):
    file = tmp_path / "key"
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(UsageError, match=why):
        read_key_file(file)
    with pytest.raises(UsageError, match="can't be read"):
        read_key_file(tmp_path / "none")
    with pytest.raises(UsageError):
        read_key_file(tmp_path)
