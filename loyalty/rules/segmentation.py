"""A member as audiences see it: its tier, its segments and the lists it is on, at one moment."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from loyalty.model.expression import ExpressionFault
from loyalty.model.member import Member
from loyalty.model.programme import Programme
from loyalty.rules.earning import member_variables


class MemberShopper:
    """One member at one moment. A segment's condition is evaluated when somebody asks for it, and once."""

    def __init__(self, member: Member, programme: Programme, lists: frozenset[str], now: datetime) -> None:
        self._member, self._programme, self._now = member, programme, now
        self._lists = lists
        self._segments: dict[str, bool] = {}
        self._variables: Mapping[str, Any] | None = None

    @property
    def tier(self) -> str:
        """The key of the member's tier."""
        return self._member.standing.tier

    @property
    def lists(self) -> frozenset[str]:
        """The lists that the member is on."""
        return self._lists

    def in_segment(self, key: str) -> bool:
        """Say whether the member is in a segment. One that is no more, or does not fit the member, has no members."""
        known = self._segments.get(key)
        if known is None:
            known = self._segments[key] = self._holds(key)
        return known

    def _holds(self, key: str) -> bool:
        segment = self._programme.segments.get(key)
        if segment is None:
            return False
        if self._variables is None:
            self._variables = {"member": member_variables(self._member, self._programme, self._now)}
        try:
            return segment.condition.evaluate(self._variables) is True
        except ExpressionFault:
            return False
