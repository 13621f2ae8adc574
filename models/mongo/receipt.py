"""Collection `receipts`: each receipt, with the purchase or claim that it belongs to."""

from typing import Annotated, ClassVar

from beanie import Document, Indexed

from models.mongo.bson import Document as StoredDocument
from models.mongo.schema import STRING, document_validator


class ReceiptDocument(Document):
    """One receipt. Its `_id` makes it unique in the programme; `event` is the `_id` of the event that it belongs to."""

    id: str  # type: ignore[assignment]  # Beanie's way to choose another type than ObjectId
    programme: str
    member: Annotated[str, Indexed()]
    event: str

    class Settings:
        name = "receipts"

    validator: ClassVar = document_validator({"_id": STRING, "programme": STRING, "member": STRING, "event": STRING})


def receipt_document(id_: str, programme: str, member: str, event: str) -> StoredDocument:
    """Return the document of a receipt that belongs to an event of a member."""
    return {"_id": id_, "programme": programme, "member": member, "event": event}
