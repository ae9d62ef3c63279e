"""Keys and passwords: which names hold them, which programs get them, and command lines without them."""

from __future__ import annotations

import itertools
import os
import re
import stat
from typing import TYPE_CHECKING

from results.errors import UsageError
from results.files import open_to_read
from settings.variables import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

HIDDEN = "***"
_KEY_FILE = "--api-key-file"
_SHORTEST_KEY = 8
_MOST_KEY_BYTES = 16 << 10

_SECRETS = ("apikey", "token", "secret", "password", "passwd", "passphrase", "credential", "credentials")
_WHOLE = {"key", "keys", "auth", "authorization", "cookie", "hft"}  # -hft: llama-server's --hf-token
_ABOUT = {"file", "path", "env", "id", "type", "size", "length"}  # --api-key-file is no key itself
_NO_SECRETS = (
    "prompt_cache_key",
    "token_ids",
)  # OpenAI's for which requests share a cache, vLLM's for tokens
_QUOTED = r""""[^"]*"|'[^']*'|[^\s"']+"""
_OPTION = re.compile(r"(?<![\w-])--?([A-Za-z][\w-]*)")
_VALUE = re.compile(rf"(?:=|\s+)(?!--)({_QUOTED})")
_ASSIGNED = re.compile(rf"(?<![\w$-])([A-Za-z_]\w*)=({_QUOTED})")
_HEADER = re.compile(r"""(?<!\$\{)(?<![\w-])([A-Za-z][\w-]*)["']?\s*:\s*["']?(?!//)([^'"\n]+)""")
_IN_URL = re.compile(r"(?<=://)([^/@\s]+)(?=@)")
_REFERENCE = re.compile(r"""["']?\$\$?(?:\{\w+(?::-)?\}|\w+)["']?""")  # a variable's name, which is no secret
_LEAST = 4  # shorter values are not looked for in what a program prints


def is_secret(name: str) -> bool:
    """Whether a variable, option (without its dashes) or header of that name holds a key or password."""
    *before, last = re.split(r"[-_]+", name.strip("-_").lower()) or [""]
    if last in _ABOUT:
        return False
    return last in _WHOLE or any(part.endswith(_SECRETS) for part in (*before, last))


def require_no_secret(params: object) -> None:
    """Raise UsageError for a parameter, at any depth, whose name says that it is a key or password.

    params: as --provider-params have them, which records and command lines keep in clear.
    """
    waiting = [params]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            for name in value:
                if is_secret(str(name)) and not str(name).endswith(_NO_SECRETS):
                    raise UsageError(
                        f"--provider-params can't have {name!r}: a record would keep it",
                        hint="put the key into the provider's variable, or into a file for --api-key-file",
                        settings=("provider_params",),
                    )
            waiting += value.values()
        elif isinstance(value, list | tuple):
            waiting += value


def read_key(variable: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """The key in the variable, to be sent in a header; None if it isn't set. Raises UsageError.

    Servers accept several keys separated by commas; this returns the first.
    """
    key = environment.get(variable, "").partition(",")[0].strip()
    if not key.isascii() or not key.isprintable():
        raise UsageError(
            f"{variable} can't be sent: it contains characters that no key has",
            hint=f"set it again: export {variable}=KEY, without quotes and blanks inside",
        )
    return key or None


def read_key_file(file: Path) -> str:
    """The key in a file, which nobody but its owner may read. Raises UsageError."""
    try:
        with open_to_read(file) as opened:
            mode = os.fstat(opened.fileno()).st_mode
            text = opened.read(_MOST_KEY_BYTES).decode()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not a text"
        raise UsageError(
            f"{_KEY_FILE} {file} can't be read: {why}",
            hint="give a file that has the key in one line",
            settings=("api_key_file",),
        ) from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UsageError(
            f"{_KEY_FILE} {file} is open to others than its owner",
            hint=f"chmod 600 {file}",
            settings=("api_key_file",),
        )
    key = read_key(_KEY_FILE, {_KEY_FILE: text})
    if key is None:
        raise UsageError(
            f"{_KEY_FILE} {file} has no key",
            hint="put the key into it, in one line",
            settings=("api_key_file",),
        )
    return key


def without_key(said: bytes, key: str | None) -> bytes:
    """What a server said, without the key: it is shown and recorded, and some repeat it.

    A key of fewer than eight letters stays: it may be a word of an answer.
    """
    return said.replace(key.encode(), HIDDEN.encode()) if key and len(key) >= _SHORTEST_KEY else said


def environment_without_keys(
    allowed: Iterable[str], environment: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """The environment for a program that needs none of the user's keys except the allowed ones."""
    kept = set(allowed)
    return {name: value for name, value in environment.items() if name in kept or not is_secret(name)}


def without_secrets(command: Iterable[str]) -> tuple[str, ...]:
    """The words of a command line for records and people: variables by name, keys hidden."""
    words = [shown(word) for word in command]
    found = [without_secrets_in(word) for word in words]
    for index in _values(words):
        found[index] = HIDDEN
    return tuple(found)


def without_secrets_in(text: str) -> str:
    """The same for a command line in one text."""
    for start, end in sorted(_places(text), reverse=True):
        text = text[:start] + HIDDEN + text[end:]
    return text


def secrets_of(command: Iterable[str]) -> tuple[str, ...]:
    """The values that `without_secrets` hides, and the values of variables used as keys; longest first."""
    words = [str(word) for word in command]
    found = {words[index] for index in _values(words)}
    found |= {word[start:end].strip("\"'") for word in words for start, end in _places(word)}
    found |= {value.split()[-1] for value in found if value.split()}  # the KEY of "Bearer KEY"
    return tuple(sorted((value for value in found if len(value) >= _LEAST), key=len, reverse=True))


def given_key(command: Sequence[str]) -> str | None:
    """The key that this command line gives to a server, by --api-key or LLAMA_API_KEY=... and the like; or None."""
    name = re.compile(r"(?:--api[-_]key|[A-Z_]*API_KEY)(?:=(.*))?", re.DOTALL)
    for word, following in zip(command, (*command[1:], ""), strict=True):
        found = name.fullmatch(word)
        if found and (found[1] is not None or word.startswith("--")):
            return read_key("--api-key", {"--api-key": following if found[1] is None else found[1]})
    return None


def _values(words: Sequence[str]) -> Iterator[int]:
    """The index of each word that is the secret value of the option before it."""
    for index, (option, value) in enumerate(itertools.pairwise(words)):
        named = _OPTION.fullmatch(option)
        if named and is_secret(named[1]) and not value.startswith("--") and not _REFERENCE.fullmatch(value):
            yield index + 1


def _places(text: str) -> set[tuple[int, int]]:
    """Where the text has the values of secrets, as (start, end). They don't overlap."""
    spans = []
    for option in _OPTION.finditer(text):
        value = _VALUE.match(text, option.end())
        if value and is_secret(option[1]):
            spans.append(value.span(1))
    for pattern in (_ASSIGNED, _HEADER):
        spans += [found.span(2) for found in pattern.finditer(text) if is_secret(found[1])]
    spans += [found.span(1) for found in _IN_URL.finditer(text)]
    places: set[tuple[int, int]] = set()
    end = 0
    for start, stop in sorted(spans):
        if start >= end and not _REFERENCE.fullmatch(text[start:stop].strip()):
            places.add((start, stop))
            end = stop
    return places
