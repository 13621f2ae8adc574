"""`identities`: a number, card, e-mail or phone, and the member it belongs to."""

from typing import Annotated, ClassVar

from beanie import Document, Indexed

from models.mongo.schema import STRING, schema


class IdentityDocument(Document):
    """One way to say which member: a number, card, email or phone. The `_id` makes each one unique in its programme."""

    id: str  # type: ignore[assignment]  # Beanie's way to choose another type than ObjectId
    programme: str
    member: Annotated[str, Indexed()]

    class Settings:
        name = "identities"

    validator: ClassVar = schema({"_id": STRING, "programme": STRING, "member": STRING})
