"""Lists the document classes of all collections, for `Database.prepare`."""

from models.mongo.event import EventDocument
from models.mongo.identity import IdentityDocument
from models.mongo.ledger import RecordDocument
from models.mongo.member import MemberDocument
from models.mongo.order import OrderDocument
from models.mongo.programme import CatalogueDocument, ProgrammeDocument
from models.mongo.supply import AudienceDocument, CodeDocument, CounterDocument
from models.mongo.tablet import DeviceDocument, SessionDocument, SpentDocument

DOCUMENTS = (
    MemberDocument,
    RecordDocument,
    EventDocument,
    IdentityDocument,
    ProgrammeDocument,
    OrderDocument,
    CounterDocument,
    CodeDocument,
    AudienceDocument,
    CatalogueDocument,
    DeviceDocument,
    SessionDocument,
    SpentDocument,
)
