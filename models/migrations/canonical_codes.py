"""Migration 2: adds the canonical form of each code, which is unique among the pools of a programme.

Where two codes are the same in canonical form, one that was issued keeps it, else the first by pool and text. The other
cannot be redeemed by its text; `carillon audit` lists it.
"""

from collections.abc import Mapping
from typing import Any

from pymongo import UpdateOne
from pymongo.asynchronous.client_session import AsyncClientSession

from loyalty.kernel import canonical
from loyalty.model.programme import Programme
from loyalty.model.supply import CodeState
from models.mongo.database import Database

CODES_PER_STEP = 500


def _rank(code: Mapping[str, Any]) -> tuple[bool, str]:
    return code["state"] != CodeState.ISSUED.value, code["_id"]


async def step(database: Database, programme: Programme, after: str, session: AsyncClientSession) -> str | None:
    """Convert the codes after `after`; return the last one's `_id`, None if there are no more."""
    here = {"programme": programme.key, "_id": {"$gt": after}}
    codes = await database.codes.find(here, sort=[("_id", 1)], limit=CODES_PER_STEP, session=session).to_list()
    if not codes:
        return None
    forms = {code["_id"]: canonical.code(code["code"]) for code in codes}
    query = {"programme": programme.key, "canonical": {"$in": [*set(forms.values())]}}
    owners = {code["canonical"]: code async for code in database.codes.find(query, session=session)}
    before = {form: owner["_id"] for form, owner in owners.items()}
    for code in codes:
        form = forms[code["_id"]]
        if form and (form not in owners or _rank(code) < _rank(owners[form])):
            owners[form] = code
    moved = {form: owner["_id"] for form, owner in owners.items() if before.get(form) != owner["_id"]}
    writes = [UpdateOne({"_id": before[form]}, {"$unset": {"canonical": ""}}) for form in moved if form in before]
    writes += [UpdateOne({"_id": id_}, {"$set": {"canonical": form}}) for form, id_ in moved.items()]
    if writes:
        await database.codes.bulk_write(writes, session=session)
    last: str = codes[-1]["_id"]
    return last
