"""A member's pass was read by a till or a tablet: the member's app hears of it, and shows a new one."""

from dataclasses import dataclass

from loyalty.commands.decision_builder import DecisionBuilder
from loyalty.commands.registry import handles
from loyalty.model.decision import Decision
from loyalty.model.ledger import Cause
from loyalty.model.notice import NoticeKind


@dataclass(frozen=True, slots=True)
class NotePassUse:
    """Notify the member that a pass was used. The key of its cause is the pass's nonce."""

    cause: Cause


@handles(NotePassUse, operation="note-pass")
def note_pass_use(command: NotePassUse, builder: DecisionBuilder) -> Decision:
    """Return the decision to notify the member."""
    builder.notice(NoticeKind.PASS_USED)
    return builder.close(command.cause)
