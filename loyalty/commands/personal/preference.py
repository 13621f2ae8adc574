"""Preferences: the categories and brands that a member chooses. They raise offers and rewards in its ranking."""

from dataclasses import dataclass, replace

from loyalty.commands.decision_builder import DecisionBuilder
from loyalty.commands.registry import handles
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.decision import Decision
from loyalty.model.ledger import Cause
from loyalty.rules.affinity import BRAND_PREFIX, CATEGORY_PREFIX

PREFERENCES_MAX = 50
TOPIC_LENGTH_MAX = 100


@dataclass(frozen=True, slots=True)
class SetPreferences:
    """Replace the topics that a member prefers: `category:COFFEE`, `brand:Private`."""

    topics: tuple[str, ...]
    cause: Cause


def _is_topic(text: str) -> bool:
    kind = next((kind for kind in (CATEGORY_PREFIX, BRAND_PREFIX) if text.startswith(kind)), None)
    return kind is not None and bool(text.removeprefix(kind).strip()) and len(text) <= TOPIC_LENGTH_MAX


@handles(SetPreferences, operation="set-preferences")
def set_preferences(command: SetPreferences, builder: DecisionBuilder) -> Decision | Refusal:
    """Return the decision to replace a member's preferences."""
    topics = tuple(dict.fromkeys(command.topics))
    if len(topics) > PREFERENCES_MAX:
        return Refusal(RefusalCode.LIMIT_REACHED, "preferences_max", ("topics",), {"max": PREFERENCES_MAX})
    for place, topic in enumerate(command.topics):
        if not _is_topic(topic):
            return Refusal(RefusalCode.INVALID, "topic_invalid", ("topics", str(place)))
    builder.member = replace(builder.member, profile=replace(builder.member.profile, preferences=topics))
    return builder.close(command.cause)
