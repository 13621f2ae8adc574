"""Notices: what changed with a version of a member, in the member's language."""

from typing import Self

import strawberry

from loyalty.model import notice as domain
from loyalty.model.programme import Programme
from schema.wire.access import REACHED, field, resolver
from schema.wire.enums import NoticeKind, TextDirection
from schema.wire.text import notice_sentence, text_direction


@strawberry.type
class Notice:
    """Something that happened to the member, worded for the member."""

    kind: NoticeKind = field(REACHED, "What happened, for programs.")
    direction: TextDirection = field(REACHED, "Writing direction of `text`.")
    notice: strawberry.Private[domain.Notice]
    programme: strawberry.Private[Programme]
    locale: strawberry.Private[str]

    @resolver(REACHED)
    def text(self) -> str:
        """One sentence for the member, in the language of the request, else of the member."""
        return notice_sentence(self.notice, self.programme, self.locale)

    @classmethod
    def of(cls, notice: domain.Notice, programme: Programme, locale: str) -> Self:
        """Return a notice in one language."""
        return cls(
            kind=notice.kind, direction=text_direction(locale), notice=notice, programme=programme, locale=locale
        )
