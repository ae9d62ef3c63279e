"""Where lm-eval is installed, and whether all is there that a task of it needs."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from results.errors import ScriptError, UsageError
from results.files import open_to_read

if TYPE_CHECKING:
    from collections.abc import Sequence

VERSION = "0.4.13"  # that was tested
_LOOK_S = 60.0
_NEEDED = ("aiohttp", "tenacity", "tqdm", "requests")  # by its clients of servers
_LOOK = """\
import importlib.metadata, importlib.util, json, sys
found = {name: importlib.util.find_spec(name) for name in sys.argv[1:]}
package = found["lm_eval"] and list(found["lm_eval"].submodule_search_locations)[0]
version = importlib.metadata.version("lm_eval") if package else ""
print(json.dumps([package, version, [name for name, spec in found.items() if spec is None]]))
"""


class Installed(NamedTuple):
    """program: its command. package: the folder of its Python package. version: as it says itself."""

    program: Path
    package: Path
    version: str


def find_lm_eval(given: Path | None, *, extra: str, needs: Sequence[str]) -> Installed:
    """The program that was given, the one beside this Python, or the one on PATH.

    extra: of lm-eval's package, which brings the modules that are needed. Raises ScriptError with the command that
    installs what is missing, UsageError for a program that is none.
    """
    wanted = f"lm_eval[api,{extra}]=={VERSION}"
    beside = Path(sys.executable).with_name("lm_eval")
    on_path = shutil.which("lm_eval")
    program = given or (beside if beside.exists() else Path(on_path) if on_path else None)
    if program is None:
        raise ScriptError(
            "lm-eval is not installed, which asks and judges this benchmark",
            hint=f"python3 -m venv ~/tools && ~/tools/bin/pip install '{wanted}', then add --lm-eval "
            "~/tools/bin/lm_eval",
        )
    python = next((path for path in _pythons(program) if path.exists()), None)
    if python is None:
        raise UsageError(
            f"{program} is not lm-eval's program: there is no Python beside it",
            hint="give the file lm_eval in the bin folder of the environment where it is installed",
            settings=("lm_eval",),
        )
    try:
        done = subprocess.run(
            [python, "-c", _LOOK, "lm_eval", *_NEEDED, *needs],
            capture_output=True, text=True, timeout=_LOOK_S, check=True,
        )  # fmt: skip
        package, version, missing = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise ScriptError(
            f"{python} can't say whether lm-eval is installed: {error}", hint="make that environment again"
        ) from error
    if missing:
        raise ScriptError(
            f"{python} has no {', '.join(missing)}",
            hint=f"{shlex.quote(str(python))} -m pip install '{wanted}'",
        )
    return Installed(program, Path(package), version)


def _pythons(program: Path) -> list[Path]:
    """The Python of its first line, and those beside it and beside what it is a link to."""
    first = ""
    try:
        with open_to_read(program) as file:
            first = file.readline(4096).decode("utf-8", "replace").strip()
    except OSError:
        pass
    named = [Path(first[2:].strip())] if first.startswith("#!/") and "python" in first else []
    return [*named, program.with_name("python"), program.resolve().with_name("python")]
