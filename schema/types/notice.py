"""Notices: what a version brought, in the member's language."""

from typing import Self

import strawberry

from loyalty.model import notice as domain
from loyalty.model.programme import Programme
from schema.wire.access import REACHED, field, resolver
from schema.wire.enums import NoticeKind, TextDirection
from schema.wire.text import noticed, running


@strawberry.type
class Notice:
    """One thing that happened."""

    kind: NoticeKind = field(REACHED)
    direction: TextDirection = field(REACHED, description="How its words run.")
    notice: strawberry.Private[domain.Notice]
    programme: strawberry.Private[Programme]
    locale: strawberry.Private[str]

    @resolver(REACHED, description="One sentence for the member.")
    def text(self) -> str:
        """Return what happened, in words."""
        return noticed(self.notice, self.programme, self.locale)

    @classmethod
    def of(cls, notice: domain.Notice, programme: Programme, locale: str) -> Self:
        """Return a notice in one language."""
        return cls(kind=notice.kind, direction=running(locale), notice=notice, programme=programme, locale=locale)
