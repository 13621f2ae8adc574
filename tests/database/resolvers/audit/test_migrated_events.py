"""The events of earlier releases move into the ledger; stopped anywhere, nothing is lost or counted twice."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from pymongo.errors import OperationFailure, WriteError
from support.clients.catalogue_client import CatalogueClient
from support.documents import Documents, documents
from support.former_release import FORMER_INDEX, store_as_former_release
from support.outcome import committed, refused
from support.programme_files import programme_source
from support.servers.command_line import migrate_with_a_kill

from loyalty.kernel.refusal import RefusalCode
from loyalty.model.event import Purchase
from loyalty.model.references.waiting import WAITING_MAX
from models.migrations import events_in_ledger
from models.migrations.events_in_ledger import former_events
from models.migrations.runner import migrate
from models.mongo.database import Database
from models.mongod.server import EmbeddedServer
from models.programmes.programme_store import apply_file
from resolvers.audit.audit import audit
from resolvers.core.actor import Role
from resolvers.core.member import MemberKey
from resolvers.event import EventOfMember, record
from resolvers.sweeper import settle_all_due

Shop = CatalogueClient


@pytest.fixture
async def shop(catalogue_client: CatalogueClient, migrated_database: Database) -> Shop:
    """A brand with an event of every kind: counted, amended, waiting, refused after it waited, and claimed."""
    client, database = catalogue_client, migrated_database
    await apply_file(database, programme_source("grocer"), now=client.clock(), applied_by="tests")
    member = await client.member()
    await give_back(client, member, "never-sold", key="lapses")
    client.clock.advance(days=WAITING_MAX.days + 1)
    await settle_all_due(client.services)
    member = await client.earn(500)
    await give_back(client, member, "late", key="early")
    await client.buy(member, "40.00", key="late")
    await client.buy(member, "60.00", key="amended")
    half = client.purchase_event("0", type="refund", purchase=Purchase(Decimal(30), "USD"), refund_of="amended")
    committed(await client.record(member, half))
    await give_back(client, member, "not-yet-sold", key="waits")
    typed = [
        client.purchase_event("50", key=number, store="367", purchase=Purchase(Decimal(50), "USD", receipt=number))
        for number in ("1", "2")
    ]
    for event in typed:
        committed(await record(client.context(Role.KIOSK), EventOfMember(event, MemberKey("id", member))))
    committed(await client.record(member, replace(typed[0], key="rung")))
    await client.order(member, "bowl")
    await client.buy(await client.member(), "15.00", key="other")
    assert await faults_of(database) == []
    names = {name for document in await database.records.find().to_list() for name in document}
    assert names >= {"waiting", "waited", "refused", "claim", "receipt", "orders", "money_returned", "consequences"}
    return client


async def give_back(client: Shop, member: str, bought: str, *, key: str) -> None:
    event = client.purchase_event("0", key=key, type="refund", purchase=None, refund_of=bought)
    committed(await client.record(member, event))


async def faults_of(database: Database) -> list[str]:
    findings = await audit(database)
    return [fault for broken in findings.members_with_faults for fault in broken.faults] + [
        f"{supply.name}: {fault}" for supply in findings.supplies_with_faults for fault in supply.faults
    ]


async def stored(database: Database) -> Documents:
    """Return everything but what migrations note about themselves."""
    found = await documents(database)
    found.pop("marks", None)
    return found


async def test_events_move_into_the_records_that_counted_them(shop: Shop) -> None:
    database = shop.services.database
    expected = await stored(database)
    await store_as_former_release(database)
    owners = [record for record in expected["entries"] if "key" in record]
    assert await former_events(database).count_documents({}) == len(owners)
    faults = await faults_of(database)
    assert [fault for fault in faults if "run `carillon migrate`" in fault]
    await migrate(database)
    assert await stored(database) == expected
    assert await faults_of(database) == []


async def test_keys_count_once_and_refunds_go_on_after_it(shop: Shop) -> None:
    database = shop.services.database
    await store_as_former_release(database)
    await migrate(database)
    amended = await database.records.find_one({"cause.key": "amended"})
    assert amended is not None
    member, before = amended["member"], await stored(database)
    again = shop.purchase_event("60.00", key="amended", occurred_at=amended["occurred_at"])
    assert committed(await shop.record(member, again)).replayed
    other = replace(again, purchase=Purchase(Decimal(1), "USD"))
    assert refused(await shop.record(member, other)).code is RefusalCode.KEY_REUSED
    assert await stored(database) == before
    committed(await shop.refund(member, "amended"))
    await shop.buy(member, "10.00", key="not-yet-sold")
    assert await faults_of(database) == []
    assert await database.records.count_documents({"waiting": {"$exists": True}}) == 0


async def test_stopped_anywhere_it_continues(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    database = shop.services.database
    expected = await stored(database)
    await store_as_former_release(database)
    monkeypatch.setattr(events_in_ledger, "RECORDS_PER_STEP", 2)
    chance = random.Random(3)  # noqa: S311 - not secret
    real, stops = database.transact, 0

    async def stopping(body: Callable[[Any], Any], *, seconds_max: float) -> Any:
        """Stop after the writes of a step, before or after its transaction commits."""
        nonlocal stops
        is_before, is_after = chance.random() < 0.3, chance.random() < 0.3
        stops += is_before or is_after

        async def act(session: Any) -> Any:
            result = await body(session)
            if is_before:
                raise ZeroDivisionError
            return result

        result = await real(act, seconds_max=seconds_max)
        if is_after:
            raise ZeroDivisionError
        return result

    monkeypatch.setattr(database, "transact", stopping)
    for _ in range(8):
        try:
            await migrate(database)
        except ZeroDivisionError:
            continue
    monkeypatch.setattr(database, "transact", real)
    await asyncio.gather(*(migrate(database) for _ in range(2)))
    assert stops
    assert await stored(database) == expected
    await migrate(database, again=True)
    assert await stored(database) == expected


async def test_a_killed_process_continues(mongod: EmbeddedServer, shop: Shop) -> None:
    database = shop.services.database
    member = await shop.member()
    await asyncio.gather(*(shop.buy(member, "1.00") for _ in range(1500)))
    expected = await stored(database)
    await store_as_former_release(database)
    await migrate_with_a_kill(database, mongod.url, "migration/3/grocer")
    assert await stored(database) == expected
    assert await faults_of(database) == []


async def test_an_event_without_its_record_stays_and_the_audit_lists_it(shop: Shop) -> None:
    database = shop.services.database
    await store_as_former_release(database)
    lost = await database.records.find_one_and_delete({"cause.key": "other"})
    assert lost is not None
    await migrate(database)
    assert [event["key"] async for event in former_events(database).find({})] == ["other"]
    fault = f"no record of member {lost['member']} has it, as stored by an earlier release; run `carillon migrate`"
    assert f"event grocer/event/till/other: {fault}" in await faults_of(database)


async def test_a_gateway_of_an_earlier_release_cannot_write(shop: Shop) -> None:
    records = shop.services.database.records
    [record_] = await records.find({"cause.key": "other"}).to_list()
    former = {name: value for name, value in record_.items() if name != "key"}
    with pytest.raises(WriteError, match="failed validation"):
        await records.insert_one({**former, "_id": f"{record_['member']}:9", "version": 9})


async def test_a_gateway_of_an_earlier_release_cannot_start(shop: Shop) -> None:
    database = shop.services.database
    await store_as_former_release(database)
    for _ in range(2):
        await migrate(database)
        with pytest.raises(OperationFailure, match="same name"):
            await database.records.create_index(FORMER_INDEX, unique=True)
