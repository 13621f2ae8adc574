"""The audit proves from stored documents that what followed from purchases was reversed, once."""

from typing import Any

import pytest
from support.clients.full_programme_client import FULL_PROGRAMME, FullProgrammeClient
from support.clients.resolver_client import ResolverClient
from support.outcome import committed

from loyalty.model.order import OrderState
from resolvers.audit.audit import audit

RETURNABLE = FULL_PROGRAMME.replace("    reward: bread\nrewards:", "    reward: bread\n    returnable: true\nrewards:")


@pytest.fixture
async def client(resolver_client: ResolverClient) -> FullProgrammeClient:
    opened = await FullProgrammeClient.opened(resolver_client)
    await opened.apply(RETURNABLE)
    return opened


async def report(client: FullProgrammeClient) -> str:
    findings = await audit(client.services.database)
    faults = [fault for member in findings.members_with_faults for fault in member.faults]
    faults += [f"{supply.name}: {fault}" for supply in findings.supplies_with_faults for fault in supply.faults]
    return "\n".join(faults)


async def shopped(client: FullProgrammeClient) -> tuple[str, dict[str, str]]:
    """Return a member with a returned purchase, one whose gift is gone, one that stays, and a use without any."""
    member = await client.member()
    keys = {name: client.key() for name in ("returned", "gone", "stays", "waits")}
    for name in ("returned", "gone", "stays"):
        for offer in ("loaf", "double", "five-off"):
            committed(await client.redeem(member, offer, keys[name]))
        await client.buy(member, "120.00", key=keys[name])
    for name in ("returned", "gone"):
        if name == "gone":
            document = await client.services.database.records.find_one({"type": "purchase", "cause.key": keys[name]})
            assert document is not None
            [order] = [row["order"] for row in document["consequences"] if row["rule"] == "offer/loaf"]
            found = await client.services.reader.order("market", order)
            assert found is not None
            await client.advance(found, OrderState.FULFILLED)
        committed(await client.refund(member, keys[name]))
    committed(await client.redeem(member, "double", keys["waits"]))
    committed(await client.redeem(member, "five-off"))
    return member, keys


async def test_what_followed_from_purchases_passes(client: FullProgrammeClient) -> None:
    member, keys = await shopped(client)
    assert await report(client) == ""
    snapshot = await client.services.reader.member("market", member)
    assert snapshot is not None
    # `five-off` is not returnable; the loaf that is gone keeps its use.
    assert {key: use.uses for key, use in snapshot.member.offer_uses.items()} == {"loaf": 2, "double": 2, "five-off": 4}
    counters = {row["_id"]: row["taken"] async for row in client.services.database.counters.find({"kind": "budget"})}
    assert counters == {"market/budget/double": 120, "market/budget/five-off": 2000}
    document = await client.services.database.records.find_one({"type": "purchase", "cause.key": keys["returned"]})
    assert document is not None
    assert {row["rule"]: row["end"] for row in document["consequences"]} == {
        "offer/loaf": "reversed",
        "offer/double": "reversed",
        "offer/five-off": "reversed",
        "instant/hundred": "reversed",
    }


@pytest.mark.parametrize(
    ("collection", "purchase", "change", "fault"),
    [
        ("records", "stays", {"$set": {"returned": ["1"]}}, "is returned, and offer/loaf was not reversed"),
        ("records", "returned", {"$inc": {"consequences.1.uses": 1}}, "the use of offer/double was not restored"),
        ("records", "returned", {"$inc": {"consequences.1.charge": 5}}, "the use of offer/double was not restored"),
        ("records", "returned", {"$inc": {"consequences.1.charge": 5}}, "it is 120, purchases sum to 125"),
        ("records", "stays", {"$set": {"consequences": []}}, "counts 2 uses of offer 'loaf', its events sum to 1"),
        ("records", "stays", {"$set": {"consequences": []}}, "budget/double: it is 120, purchases sum to 0"),
        ("records", "stays", {"$set": {"consequences.0.uses": "two"}}, "cannot be read"),
        ("orders", "returned", {"$set": {"state": "PLACED"}}, "of offer/loaf is PLACED"),
        ("orders", "gone", {"$set": {"state": "PLACED"}}, "of offer/loaf is PLACED, not cancelled"),
        ("members", "", {"$inc": {"offers.double.uses": -1}}, "counts 1 uses of offer 'double', its events sum to 2"),
        ("members", "", {"$unset": {"bound": 1}}, "counts 2 uses of offer 'double', its events sum to 1"),
        ("counters", "five-off", {"$inc": {"taken": 1}}, "budget/five-off: it is 2001, purchases sum to 2000"),
    ],
)
async def test_what_was_edited_is_found(
    client: FullProgrammeClient, collection: str, purchase: str, change: dict[str, Any], fault: str
) -> None:
    member, keys = await shopped(client)
    edited = getattr(client.services.database, collection)
    if collection == "records":
        query: dict[str, Any] = {"type": "purchase", "cause.key": keys[purchase]}
    elif collection == "orders":
        document = await client.services.database.records.find_one({"type": "purchase", "cause.key": keys[purchase]})
        assert document is not None
        query = {"_id": document["consequences"][0]["order"]}
    else:
        query = {"_id": member} if collection == "members" else {"kind": "budget", "key": purchase}
    # Edits bypass MongoDB's validators, as an administrator can.
    await edited.update_one(query, change, bypass_document_validation=True)
    assert fault in await report(client)


async def test_documents_of_earlier_releases_pass(client: FullProgrammeClient) -> None:
    """A purchase, a use that waits and a redemption, stored as releases up to 0.2.0 did, refunded by this one."""
    member, database = await client.member(), client.services.database
    bought, waits = client.key(), client.key()
    committed(await client.redeem(member, "double", bought))
    await client.buy(member, "120.00", key=bought)
    committed(await client.redeem(member, "double", waits))
    await database.records.update_many({"cause.operation": "redeem"}, {"$unset": {"consequences": 1}})
    offers = {"$set": {"offers": [["double", 120]]}, "$unset": {"consequences": 1}}
    await database.records.update_one({"type": "purchase", "cause.key": bought}, offers)
    old = {"bound": [[f"till/{waits}", [["double", 0]]]], "offers.double.purchases": ["till/x"]}
    await database.members.update_one({"_id": member}, {"$set": old})
    assert await report(client) == ""
    committed(await client.refund(member, bought))
    assert await report(client) == ""
    orders = {order["state"] async for order in database.orders.find({"member": member})}
    assert orders == {"CANCELLED"}
    await client.buy(member, "10.00", key=waits)
    assert await report(client) == ""
    assert [row["taken"] async for row in database.counters.find({"kind": "budget"})] == [10]
