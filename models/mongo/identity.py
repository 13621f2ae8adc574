"""Collection `identities`: each number, card, e-mail and phone, with the member it belongs to."""

from typing import Annotated, ClassVar

from beanie import Document, Indexed

from models.mongo.schema import STRING, document_validator


class IdentityDocument(Document):
    """One identity of a member: a number, card, email or phone. Its `_id` makes it unique in the programme."""

    id: str  # type: ignore[assignment]  # Beanie's way to choose another type than ObjectId
    programme: str
    member: Annotated[str, Indexed()]

    class Settings:
        name = "identities"

    validator: ClassVar = document_validator({"_id": STRING, "programme": STRING, "member": STRING})
