"""Notices: what a version brought, in the member's language."""

from typing import Self

import strawberry

from loyalty import notice as domain
from loyalty.programme import Programme
from schema.access import REACHED, field
from schema.enums import NoticeKind, TextDirection
from schema.text import noticed, running


@strawberry.type
class Notice:
    """One thing that happened."""

    kind: NoticeKind = field(REACHED)
    text: str = field(REACHED, description="One sentence for the member.")
    direction: TextDirection = field(REACHED, description="How its words run.")

    @classmethod
    def of(cls, notice: domain.Notice, programme: Programme, locale: str) -> Self:
        """Return a notice in one language."""
        return cls(kind=notice.kind, text=noticed(notice, programme, locale), direction=running(locale))
