"""gepa's own way to ask for a better instruction and to read the reply, kept safe from what both may say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evaluation.answers.thoughts import split_reasoning
from evaluation.optimise.reflecting import MOST_CHARS
from results.plain_text import in_unicode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evaluation.optimise.ledger import Ledger

_CURRENT, _SHOWN = "<curr_param>", "<side_info>"


def proposed(ledger: Ledger, current: str, records: Sequence[Mapping[str, str]]) -> str | None:
    """What the reflector writes; None for nothing, or for a reply gone wrong. Raises Halt."""
    return instruction_in(ledger.reflect(request(current, records)))


def request(current: str, records: Sequence[Mapping[str, str]]) -> str:
    """The template of gepa, filled in at once: its own marks in an instruction would else multiply the samples."""
    from gepa.strategies.instruction_proposal import InstructionProposalSignature as Signature

    shown = Signature.prompt_renderer(
        {
            "current_instruction_doc": "",
            "dataset_with_feedback": records,
            "prompt_template": f"{_CURRENT}{_SHOWN}",
        }
    )
    before, _, rest = Signature.default_prompt_template.partition(_CURRENT)
    between, _, after = rest.partition(_SHOWN)
    return f"{before}{current}{between}{shown}{after}"


def instruction_in(reply: str) -> str | None:
    """What stands between the first and the last fence, without the reflector's thoughts."""
    from gepa.strategies.instruction_proposal import InstructionProposalSignature as Signature

    said = in_unicode(split_reasoning(reply).answer)
    text = Signature.output_extractor(said)["new_instruction"]
    return text if text and len(text) <= MOST_CHARS else None
