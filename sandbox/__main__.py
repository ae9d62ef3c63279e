"""`python -m sandbox`: open the sandbox and execute a program in it; one JSON object says how that went."""

from __future__ import annotations

import json
import sys
from typing import Any

from sandbox import Limits, Program, SandboxError, VerdictKind, open_sandbox
from sandbox.interpreter import find_bwrap


def main() -> int:
    """0 when it works, 4 when it does not, with "error" and "hint" instead of what it is."""
    facts: dict[str, Any] = {}
    try:
        facts["bwrap_path"] = str(find_bwrap())
        with open_sandbox() as box:
            verdict = box.run(Program(code="assert sum(range(10)) == 45"), Limits())
            if verdict.kind is not VerdictKind.PASSED:
                raise SandboxError(f"a right program was judged {verdict.kind}: {verdict.detail}")
            print(json.dumps({**facts, **box.describe()}))
    except SandboxError as error:
        print(json.dumps({**facts, "error": error.message, "hint": error.hint}))
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
