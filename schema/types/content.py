"""Contents: texts for a place of an app, a website or a screen, changed without a release."""

from typing import Annotated, Self

import strawberry

from loyalty.kernel.channel import Channel
from loyalty.model import catalogue as domain
from loyalty.model.programme import Programme
from schema.wire.access import REACHED, field
from schema.wire.enums import TextDirection
from schema.wire.ids import global_id
from schema.wire.text import direction_of

ContentKey = Annotated[str, strawberry.argument(description="Key of the content in the programme file or catalogue.")]


@strawberry.type
class Content:
    """A text for a place of an app, a website or a screen, in one language and in the wording of one channel."""

    id: strawberry.ID = field(
        REACHED, "Opaque id, unique over all types, for client caches; `node(id:)` does not read contents."
    )
    key: str = field(REACHED, "The name under which clients read it, unique within the programme.")
    title: str = field(REACHED, "Headline, in the language of `locale`.")
    body: str = field(REACHED, "The text itself, in the language of `locale`.")
    image: str | None = field(REACHED, "Address of an image: an https URL or an absolute path. Null if there is none.")
    locale: str = field(
        REACHED,
        "Language of the text: `fr`, `en` or `ar`; may differ from the requested one if a translation is missing.",
    )
    direction: TextDirection = field(REACHED, "Writing direction of the text.")
    version: int = field(REACHED, "Grows with each change; 0 for a content of the programme file.")

    @classmethod
    def of(cls, content: domain.Content, programme: Programme, locale: str, channel: Channel | None) -> Self:
        """Return a content in one language."""
        return cls(
            id=strawberry.ID(global_id("Content", programme.key, content.key)),
            key=content.key,
            title=content.title.in_locale(locale, channel),
            body=content.body.in_locale(locale, channel),
            image=content.image,
            locale=content.body.resolved_locale(locale, channel),
            direction=direction_of(content.body, locale, channel),
            version=content.version,
        )
