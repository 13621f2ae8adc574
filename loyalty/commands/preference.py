"""Preferences: what a member says to like, by category and brand. They move offers and rewards up in its order."""

from dataclasses import dataclass, replace

from loyalty.commands.decision_builder import Draft
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.decision import Decision
from loyalty.model.ledger import Cause
from loyalty.rules.affinity import BRAND, CATEGORY

PREFERENCES_MAX = 50
TOPIC_LENGTH_MAX = 100


@dataclass(frozen=True, slots=True)
class SetPreferences:
    """A member says which topics it likes (`category:COFFEE`, `brand:Private`), in place of what it said before."""

    topics: tuple[str, ...]
    cause: Cause


def _is_topic(text: str) -> bool:
    kind = next((kind for kind in (CATEGORY, BRAND) if text.startswith(kind)), None)
    return kind is not None and bool(text.removeprefix(kind).strip()) and len(text) <= TOPIC_LENGTH_MAX


def set_preferences(command: SetPreferences, draft: Draft) -> Decision | Refusal:
    """Return the decision to keep what a member likes."""
    topics = tuple(dict.fromkeys(command.topics))
    if len(topics) > PREFERENCES_MAX:
        return Refusal(RefusalCode.LIMIT_REACHED, "preferences_max", ("topics",), {"max": PREFERENCES_MAX})
    for place, topic in enumerate(command.topics):
        if not _is_topic(topic):
            return Refusal(RefusalCode.INVALID, "topic_invalid", ("topics", str(place)))
    draft.member = replace(draft.member, profile=replace(draft.member.profile, preferences=topics))
    return draft.close(command.cause)
