"""What the audit proves of commands of several members: each part names the record and the key it came with."""

from dataclasses import replace

import pytest
from support.catalogue import reward
from support.clients.request_factory import RequestFactory
from support.clients.resolver_client import ResolverClient
from support.clients.several_member_requests import SeveralMemberRequests
from support.outcome import committed

from loyalty.model.catalogue import Catalogue
from models.commits.request import Committed
from models.mongo.ledger import record_id
from resolvers.audit.audit import Findings, audit


@pytest.fixture
async def gift(resolver_client: ResolverClient) -> Committed:
    """Two members after points and a reward were passed on."""
    programme = resolver_client.services.programmes.get("grocer")
    programme = replace(programme, catalogue=Catalogue([], [reward("mug", 10, stock=9)]))
    several_member_requests = SeveralMemberRequests(RequestFactory(programme, resolver_client.clock))
    giver, taker = await resolver_client.member(), await resolver_client.member()
    await resolver_client.buy(giver, "10.00")
    committed(
        await resolver_client.services.committer.commit(
            several_member_requests.passing(giver, taker, points=4, key="points")
        )
    )
    return committed(
        await resolver_client.services.committer.commit(several_member_requests.giving(giver, taker, "mug", key="gift"))
    )


async def audited(resolver_client: ResolverClient) -> Findings:
    return await audit(resolver_client.services.database)


async def faults_of(resolver_client: ResolverClient, member: str) -> tuple[str, ...]:
    findings = await audited(resolver_client)
    return next((broken.faults for broken in findings.members_with_faults if broken.member == member), ())


async def test_commands_of_several_members_hold(resolver_client: ResolverClient, gift: Committed) -> None:
    findings = await audited(resolver_client)
    assert (findings.is_clean, findings.members_with_faults, findings.orders) == (True, [], 2)
    assert gift.others[0].record.version == 3


async def test_a_part_whose_first_record_is_gone_is_found(resolver_client: ResolverClient, gift: Committed) -> None:
    await resolver_client.services.database.records.delete_one(
        {"_id": record_id(gift.record.member, gift.record.version)}
    )
    other = gift.others[0].record
    assert await faults_of(resolver_client, other.member) == (
        f"version 3 is part of version {gift.record.version} of member {gift.record.member}, which does not exist",
        f"no recorded event created order {gift.others[0].orders[0].number}",
        f"order {gift.others[0].orders[0].number} is at version 3, its last event at 0",
    )


@pytest.mark.parametrize("change", [{"$unset": {"others": ""}}, {"$set": {"others": [["nobody", 3, []]]}}])
async def test_a_part_that_its_key_does_not_name_is_found(
    resolver_client: ResolverClient, gift: Committed, change: dict[str, object]
) -> None:
    await resolver_client.services.database.records.update_one({"cause.key": "points"}, change)
    version = gift.record.version - 1
    assert await faults_of(resolver_client, gift.others[0].record.member) == (
        f"version 2 is part of version {version} of member {gift.record.member}, and key 'points' does not say so",
    )


async def test_a_part_without_its_reference_is_found(resolver_client: ResolverClient, gift: Committed) -> None:
    other = gift.others[0].record
    await resolver_client.services.database.records.update_one(
        {"_id": record_id(other.member, 2)}, {"$unset": {"command": ""}}
    )
    assert await faults_of(resolver_client, other.member) == (
        "version 2 does not match its own hash",
        "the event of key 'points' is missing",
    )
