"""Contents: texts for a place of an app, a website or a screen, changed without a release."""

from typing import Self

import strawberry

from loyalty.kernel.channel import Channel
from loyalty.model import catalogue as domain
from loyalty.model.programme import Programme
from schema.wire.access import REACHED, field
from schema.wire.enums import TextDirection
from schema.wire.ids import global_id
from schema.wire.text import direction_of


@strawberry.type
class Content:
    """A text in one language, as one channel words it."""

    id: strawberry.ID = field(REACHED)
    key: str = field(REACHED)
    title: str = field(REACHED)
    body: str = field(REACHED)
    image: str | None = field(REACHED)
    locale: str = field(REACHED, description="The language that it is told in.")
    direction: TextDirection = field(REACHED, description="How its words run.")
    version: int = field(REACHED, description="Grows with each change; 0 for one of the programme file.")

    @classmethod
    def of(cls, content: domain.Content, programme: Programme, locale: str, channel: Channel | None) -> Self:
        """Return a content in one language."""
        return cls(
            id=strawberry.ID(global_id("Content", programme.key, content.key)),
            key=content.key,
            title=content.title.in_locale(locale, channel),
            body=content.body.in_locale(locale, channel),
            image=content.image,
            locale=content.body.locale_told(locale, channel),
            direction=direction_of(content.body, locale, channel),
            version=content.version,
        )
