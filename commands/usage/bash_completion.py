"""Completion in bash: names with colons, and names beside files.

click's own code passes on the words as readline splits them, at each colon of ollama:qwen2.5:7b, and shows either files
or words, never both. Importing this module replaces it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from click.shell_completion import BashComplete, CompletionItem, add_completion_class, split_arg_string

if TYPE_CHECKING:
    from collections.abc import Iterator

_SOURCE = """\
%(complete_func)s() {
    local IFS=$'\\n' completion type value
    COMPREPLY=()
    for completion in $(env COMP_WORDS="${COMP_LINE:0:$COMP_POINT}" COMP_BREAKS="$COMP_WORDBREAKS" \
%(complete_var)s=bash_complete "$1"); do
        IFS=',' read -r type value <<< "$completion"
        if [[ $type == 'dir' ]]; then
            compopt -o dirnames
        elif [[ $type == 'file' ]]; then
            compopt -o default
        else
            COMPREPLY+=("$value")
            if [[ $value == *[/=] ]]; then compopt -o nospace; fi
        fi
    done
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""
_SPECIAL = re.compile(r"[^\w@%+=:,./~-]")
_MOST_FILES = 500
_SUFFIXES = {".gguf", ".yaml", ".yml", ".json", ".toml"}  # of models and manifests


@add_completion_class
class BashCompletion(BashComplete):
    """Reads the line up to the cursor itself. Offers files as words if there are other words."""

    source_template: ClassVar[str] = _SOURCE

    def get_completion_args(self) -> tuple[list[str], str]:
        line = os.environ["COMP_WORDS"]
        words = split_arg_string(line)[1:]
        return (words, "") if not words or line[-1:].isspace() else (words[:-1], words[-1])

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[Any]]:
        found = super().get_completions(args, incomplete)
        words = [item for item in found if item.type not in {"file", "dir"}]
        if not words or len(words) == len(found):
            return found
        return [*words, *map(CompletionItem, _files(_value(incomplete)))]

    def format_completion(self, item: CompletionItem[Any]) -> str:
        return f"{item.type},{self._replacement(str(item.value))}"

    def _replacement(self, value: str) -> str:
        """What takes the place of readline's word: it begins behind the last colon or equals sign, unless in quotes."""
        line = os.environ["COMP_WORDS"]
        word = re.split(r"\s", line)[-1]
        if re.match(r"(-[\w-]+=)?['\"]", word):
            return value
        breaks = os.environ.get("COMP_BREAKS", ":=")
        typed = _value(word)
        cut = max((typed.rfind(each) for each in ":=" if each in breaks), default=-1) + 1
        return _SPECIAL.sub(lambda found: f"\\{found[0]}", value.removeprefix(typed[:cut]))


def _value(word: str) -> str:
    """The value of an option in one word with it, or the word."""
    return word.partition("=")[2] if word.startswith("--") and "=" in word else word


def _files(typed: str) -> Iterator[str]:
    """Files of models and manifests, and folders with a slash behind them, as typed so far."""
    before, slash, beginning = typed.rpartition("/")
    try:
        folder = Path(before + slash or ".").expanduser()
        entries = sorted(folder.iterdir())[:_MOST_FILES]
    except (OSError, RuntimeError):
        return
    for entry in entries:
        name = entry.name
        if name.startswith(beginning) and (beginning or name[0] != ".") and name.isprintable():
            if entry.is_dir():
                yield f"{before}{slash}{name}/"
            elif entry.suffix in _SUFFIXES:
                yield f"{before}{slash}{name}"
