"""The type of what `completions.jsonl` keeps of a failed check, beside the verdict."""

from __future__ import annotations

import msgspec


class FailedCheck(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What failed, in texts for people; each is bounded, and empty where it is not known or does not apply.

    check: the assertion as it is written, or which case it was. call: of the function, with its arguments; given: to a
    program as its input. returned: what the call gave, where that is not itself what was compared. got, expected: the
    two sides of the comparison, which had to be in that `relation`, such as `==`. line: of the program, where an error
    was raised, and `code`, what stands there.
    """

    check: str = ""
    call: str = ""
    given: str = ""
    returned: str = ""
    got: str = ""
    relation: str = ""
    expected: str = ""
    line: int | None = None
    code: str = ""
