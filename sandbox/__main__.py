"""`python -m sandbox`: open each level and execute a program in it; one JSON object says how that went."""

from __future__ import annotations

import contextlib
import json
import sys
from typing import Any

from sandbox import LEVELS, Limits, Program, SandboxError, VerdictKind, lowered, open_sandbox
from sandbox.interpreter import find_bwrap

NO_CHOICE = {"auto", "process"}  # not a level; nothing that runs unless it is asked for by name


def main() -> int:
    """0 when a level works that `auto` may take, else 4.

    levels: of each whether it is ok; then what it is and, as "not_stopped", what a program may do all the same, and as
    "lowered" which limits are lower than usual; else "error" and "hint". auto: the level taken, or None.
    """
    levels = {name: _found(name) for name in LEVELS if name != "auto"}
    with contextlib.suppress(SandboxError):
        levels["bubblewrap"]["path"] = str(find_bwrap())  # AppArmor wants to know it
    auto = next((name for name, found in levels.items() if found["ok"] and name not in NO_CHOICE), None)
    print(json.dumps({"auto": auto, "levels": levels}))
    return 0 if auto else SandboxError.exit_code


def _found(level: str) -> dict[str, Any]:
    try:
        with open_sandbox(level) as box:
            verdict = box.run(Program(code="assert sum(range(10)) == 45"), Limits())
            if verdict.kind is not VerdictKind.PASSED:
                raise SandboxError(f"a correct program was judged {verdict.kind}: {verdict.detail}")
            facts = {"ok": True, "not_stopped": [], **box.describe()}
            return {**facts, "lowered": lowered(Limits(), facts.get("hard_limits", {}))}
    except SandboxError as error:
        return {"ok": False, "error": error.message, "hint": error.hint}


if __name__ == "__main__":
    sys.exit(main())
