"""The segmentation input: a member's tier, segments and lists at one moment, which audiences are matched against."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from loyalty.model.expression import ExpressionError
from loyalty.model.member import Member
from loyalty.model.programme import Programme
from loyalty.rules.expression_variables import member_variables


class SegmentationInput:
    """The segmentation input of one member at `now`. Evaluates a segment's condition on first use and caches it."""

    def __init__(self, member: Member, programme: Programme, lists: frozenset[str], now: datetime) -> None:
        self._member, self._programme, self._now = member, programme, now
        self._lists = lists
        self._segments: dict[str, bool] = {}
        self._variables: Mapping[str, Any] | None = None

    @property
    def tier(self) -> str:
        """The key of the member's tier."""
        return self._member.tier_status.tier

    @property
    def lists(self) -> frozenset[str]:
        """The lists that the member is on."""
        return self._lists

    def in_segment(self, key: str) -> bool:
        """Return whether the member is in a segment; false if the segment does not exist or cannot be evaluated."""
        cached = self._segments.get(key)
        if cached is None:
            cached = self._segments[key] = self._evaluate(key)
        return cached

    def _evaluate(self, key: str) -> bool:
        segment = self._programme.segments.get(key)
        if segment is None:
            return False
        if self._variables is None:
            self._variables = {"member": member_variables(self._member, self._programme, self._now)}
        try:
            return segment.condition.evaluate(self._variables) is True
        except ExpressionError:
            return False
