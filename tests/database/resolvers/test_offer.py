import asyncio
from datetime import timedelta
from typing import Any

import pytest
from support.catalogue import offer
from support.clients.catalogue_client import CatalogueClient
from support.clients.resolver_client import ResolverClient
from support.documents import documents
from support.outcome import committed, refused

from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.ledger import Account
from loyalty.model.offer import OfferState, OfferUse
from loyalty.rules.member_code import member_code
from models.commits.request import Committed
from resolvers.audit.audit import audit
from resolvers.core.actor import Role
from resolvers.core.operation_error import Forbidden
from resolvers.core.supply import LIMITED_OFFERS_MAX
from resolvers.offer import code_for, ranked_page
from resolvers.personalisation import Personalisation


async def taken(resolver_client: CatalogueClient, counter: str) -> int:
    document = await resolver_client.services.database.counters.find_one({"_id": counter})
    return document["taken"] if document is not None else 0


async def use_of(resolver_client: CatalogueClient, member: str, offer: str) -> OfferUse:
    snapshot = await resolver_client.services.reader.member("grocer", member)
    assert snapshot is not None
    return snapshot.member.offer_use(offer)


async def all_holds(resolver_client: ResolverClient) -> None:
    findings = await audit(resolver_client.services.database)
    assert findings.members_with_faults == []
    assert findings.supplies_with_faults == []


async def own_code(resolver_client: CatalogueClient, member: str, *, secret: bytes = b"a secret") -> str:
    snapshot = await resolver_client.services.reader.member("grocer", member)
    assert snapshot is not None
    return member_code("OWN", programme="grocer", offer="own", number=snapshot.member.number, secret=secret)


async def test_use_counts_for_the_member_and_in_all(catalogue_client: CatalogueClient) -> None:
    member = await catalogue_client.member()
    outcome = committed(await catalogue_client.redeem(member, offer="five", purchase_key="basket-1", key="till-1"))
    use = outcome.snapshot.member.offer_use("five")
    assert (use.uses, use.redeemed_at) == (1, catalogue_client.clock())
    [pending] = outcome.snapshot.member.pending_uses["till/basket-1"]
    assert (pending.offer, pending.uses, pending.charge) == ("five", 1, 0)
    assert await taken(catalogue_client, "grocer/uses/five") == 1
    again = committed(await catalogue_client.redeem(member, offer="five", purchase_key="basket-1", key="till-1"))
    assert (again.replayed, again.record) == (True, outcome.record)
    before = await documents(catalogue_client.services.database)
    other: list[dict[str, Any]] = [{"offer": "ten"}, {"offer": "five", "purchase_key": "basket-2"}]
    for about in other:
        assert refused(await catalogue_client.redeem(member, key="till-1", **about)).code is RefusalCode.KEY_REUSED
    assert await documents(catalogue_client.services.database) == before
    await all_holds(catalogue_client)


async def test_invalid_redemption_is_refused_and_changes_nothing(
    catalogue_client: CatalogueClient, subtests: pytest.Subtests
) -> None:
    member, other = await catalogue_client.member(), await catalogue_client.member()
    committed(await catalogue_client.redeem(member, offer="five"))
    bought = (await catalogue_client.buy(other, "5.00", key="others")).record.cause.key
    await catalogue_client.buy(member, "5.00", key="own")
    committed(await catalogue_client.refund(member, "own"))
    forged = await own_code(catalogue_client, member, secret=b"another secret")
    before = await documents(catalogue_client.services.database)
    later = catalogue_client.clock() + timedelta(minutes=6)
    wrong: dict[str, tuple[Any, RefusalCode, str, tuple[str, ...]]] = {
        "neither": (catalogue_client.redeem(member), RefusalCode.INVALID, "offer_or_code", ("offer",)),
        "nobody": (catalogue_client.redeem(offer="ten"), RefusalCode.INVALID, "member_missing", ("member",)),
        "of all": (catalogue_client.redeem(code="FIVE"), RefusalCode.INVALID, "member_missing", ("member",)),
        "no offer": (catalogue_client.redeem(member, offer="x"), RefusalCode.NOT_FOUND, "offer_not_found", ("offer",)),
        "no code": (catalogue_client.redeem(member, code="SIX"), RefusalCode.NOT_FOUND, "code_not_found", ("code",)),
        "forged": (catalogue_client.redeem(code=forged), RefusalCode.NOT_FOUND, "code_not_found", ("code",)),
        "free": (catalogue_client.redeem(member, code="coupons-0"), RefusalCode.NOT_FOUND, "code_not_found", ("code",)),
        "other offer": (
            catalogue_client.redeem(member, offer="ten", code="FIVE"),
            RefusalCode.CONFLICT,
            "code_of_another_offer",
            ("code",),
        ),
        "other member": (
            catalogue_client.redeem(other, code=await own_code(catalogue_client, member)),
            RefusalCode.CONFLICT,
            "code_of_another_member",
            ("code",),
        ),
        "used": (catalogue_client.redeem(member, offer="five"), RefusalCode.LIMIT_REACHED, "offer_used", ("offer",)),
        "idle": (
            catalogue_client.redeem(member, offer="pooled"),
            RefusalCode.NOT_ELIGIBLE,
            "offer_not_activated",
            ("offer",),
        ),
        "nobody's": (
            catalogue_client.redeem(member, offer="never"),
            RefusalCode.NOT_ELIGIBLE,
            "offer_audience",
            ("offer",),
        ),
        "no purchase": (
            catalogue_client.redeem(member, offer="double"),
            RefusalCode.INVALID,
            "purchase_key_missing",
            ("purchaseKey",),
        ),
        "not own": (
            catalogue_client.redeem(member, offer="double", purchase_key=bought),
            RefusalCode.CONFLICT,
            "purchase_of_another",
            ("purchaseKey",),
        ),
        "refunded": (
            catalogue_client.redeem(member, offer="double", purchase_key="own"),
            RefusalCode.CONFLICT,
            "refund_done",
            ("purchaseKey",),
        ),
        "too early": (
            catalogue_client.redeem(member, offer="ten", occurred_at=later),
            RefusalCode.INVALID,
            "occurred_in_future",
            ("occurredAt",),
        ),
        "a story": (catalogue_client.redeem(member, code="x" * 201), RefusalCode.INVALID, "text_too_long", ("code",)),
        "no key": (catalogue_client.redeem(member, offer="ten", key=""), RefusalCode.INVALID, "key_missing", ("key",)),
    }
    for name, (attempt, code, reason, path) in wrong.items():
        with subtests.test(name):
            refusal = refused(await attempt)
            assert (refusal.code, refusal.reason, refusal.path) == (code, reason, path)
    assert await documents(catalogue_client.services.database) == before


async def test_shared_code_ignores_case_and_spaces(catalogue_client: CatalogueClient) -> None:
    member = await catalogue_client.member()
    outcome = committed(await catalogue_client.redeem(member, code=" fi ve "))
    assert outcome.snapshot.member.offer_use("five").uses == 1


async def test_members_own_code_identifies_the_member(catalogue_client: CatalogueClient) -> None:
    member = await catalogue_client.member()
    code = await own_code(catalogue_client, member)
    outcome = committed(await catalogue_client.redeem(code=code.lower()))
    assert (outcome.snapshot.member.id, outcome.snapshot.member.offer_use("own").uses) == (member, 1)
    assert committed(await catalogue_client.redeem(member, code=code)).snapshot.member.offer_use("own").uses == 2


async def test_pool_code_is_assigned_at_activation_and_identifies_the_member(catalogue_client: CatalogueClient) -> None:
    ann, bob, cat = await catalogue_client.member(), await catalogue_client.member(), await catalogue_client.member()
    given = committed(await catalogue_client.activate(ann, "pooled", key="tap-1"))
    assert given.snapshot.member.offer_use("pooled").code == "coupons-0"
    assert committed(await catalogue_client.activate(ann, "pooled", key="tap-1")).replayed
    assert (
        committed(await catalogue_client.activate(bob, "pooled")).snapshot.member.offer_use("pooled").code
        == "coupons-1"
    )
    before = await documents(catalogue_client.services.database)
    refusal = refused(await catalogue_client.activate(cat, "pooled"))
    assert (refusal.code, refusal.reason, refusal.path) == (RefusalCode.OUT_OF_STOCK, "offer_codes_gone", ("offer",))
    refusal = refused(await catalogue_client.activate(ann, "pooled"))
    assert (refusal.code, refusal.reason) == (RefusalCode.ALREADY_EXISTS, "offer_activated")
    refusal = refused(await catalogue_client.activate(ann, "ten"))
    assert (refusal.code, refusal.reason) == (RefusalCode.INVALID, "offer_no_activation")
    assert await documents(catalogue_client.services.database) == before
    outcome = committed(await catalogue_client.redeem(code="coupons-1"))
    assert (outcome.snapshot.member.id, outcome.snapshot.member.offer_use("pooled").uses) == (bob, 1)
    assert refused(await catalogue_client.redeem(code="coupons-1")).reason == "offer_used"
    await all_holds(catalogue_client)


async def test_code_is_shown_while_it_can_be_redeemed(catalogue_client: CatalogueClient) -> None:
    member = await catalogue_client.member()
    snapshot = await catalogue_client.services.reader.member("grocer", member)
    assert snapshot is not None
    context, catalogue = (
        catalogue_client.context(Role.MEMBER, member=member),
        catalogue_client.services.programmes.get("grocer").catalogue,
    )

    def shown(offer: str, use: OfferUse, state: OfferState = OfferState.AVAILABLE) -> str | None:
        assert snapshot is not None
        return code_for(context, catalogue.offers[offer], use, snapshot.member, state)

    activated = OfferUse(activated_at=catalogue_client.clock(), code="coupons-7")
    assert shown("ten", OfferUse()) is None
    assert shown("five", OfferUse()) == "FIVE"
    assert shown("five", OfferUse(uses=1), OfferState.REDEEMED) is None
    assert shown("own", OfferUse()) == await own_code(catalogue_client, member)
    assert shown("pooled", OfferUse()) is None
    assert shown("pooled", activated, OfferState.ACTIVATED) == "coupons-7"


async def test_single_use_offer_is_used_once_concurrently(
    catalogue_client: CatalogueClient, other_catalogue_client: CatalogueClient
) -> None:
    member = await catalogue_client.member()
    outcomes = await asyncio.gather(
        *(
            (catalogue_client, other_catalogue_client)[place % 2].redeem(member, offer="ten", purchase_key=f"b-{place}")
            for place in range(64)
        )
    )
    done = [outcome for outcome in outcomes if isinstance(outcome, Committed)]
    assert len(done) == 1
    assert {outcome.reason for outcome in outcomes if isinstance(outcome, Refusal)} == {"offer_used"}
    assert (await use_of(catalogue_client, member, "ten")).uses == 1
    assert await taken(catalogue_client, "grocer/uses/ten") == 1
    await all_holds(catalogue_client)


async def test_uses_of_all_members_never_exceed_the_limit(
    catalogue_client: CatalogueClient, other_catalogue_client: CatalogueClient
) -> None:
    members = await asyncio.gather(*(catalogue_client.member() for _ in range(30)))
    outcomes = await asyncio.gather(
        *(
            (catalogue_client, other_catalogue_client)[place % 2].redeem(member, code="FIVE")
            for place, member in enumerate(members)
        )
    )
    assert sum(isinstance(outcome, Committed) for outcome in outcomes) == 3
    assert {outcome.reason for outcome in outcomes if isinstance(outcome, Refusal)} == {"offer_used_up"}
    assert await taken(catalogue_client, "grocer/uses/five") == 3
    await all_holds(catalogue_client)


async def test_budget_is_never_exceeded_and_the_last_use_gets_the_rest(
    catalogue_client: CatalogueClient, other_catalogue_client: CatalogueClient
) -> None:
    members = await asyncio.gather(*(catalogue_client.member() for _ in range(12)))
    outcomes = await asyncio.gather(
        *(
            (catalogue_client, other_catalogue_client)[place % 2].redeem(member, offer="bonus")
            for place, member in enumerate(members)
        )
    )
    done = [outcome for outcome in outcomes if isinstance(outcome, Committed)]
    assert sorted(outcome.snapshot.member.available for outcome in done) == [10, 20, 20]
    assert await taken(catalogue_client, "grocer/budget/bonus") == 50
    await all_holds(catalogue_client)


@pytest.mark.parametrize("redeemed_first", [True, False])
async def test_multiplier_applies_to_its_purchase_in_either_order(
    catalogue_client: CatalogueClient, redeemed_first: bool
) -> None:
    member = await catalogue_client.member()

    async def redeem() -> None:
        committed(await catalogue_client.redeem(member, offer="double", purchase_key="basket-1"))

    async def buy() -> None:
        await catalogue_client.buy(member, "30.00", ("a", "10.00"), ("b", "20.00"), key="basket-1")

    for step in (redeem, buy) if redeemed_first else (buy, redeem):
        await step()
    event = await catalogue_client.services.database.records.find_one({"cause.key": "basket-1"})
    assert event is not None
    assert event["grants"] == [["basket", [10, 20], True], ["offer/double", [10, 20], False]]
    [use] = event["consequences"]
    assert (use["rule"], use["uses"], use["charge"]) == ("offer/double", 1, 30)
    assert await taken(catalogue_client, "grocer/budget/double") == 30
    await all_holds(catalogue_client)
    outcome = committed(await catalogue_client.refund(member, "basket-1"))
    assert outcome.snapshot.member.balance(Account.AVAILABLE) == 0
    assert outcome.snapshot.member.offer_use("double").uses == 0
    assert (
        await taken(catalogue_client, "grocer/budget/double"),
        await taken(catalogue_client, "grocer/uses/double"),
    ) == (0, 0)
    await all_holds(catalogue_client)


async def test_redemption_and_its_purchase_may_be_concurrent(
    catalogue_client: CatalogueClient, other_catalogue_client: CatalogueClient
) -> None:
    members = await asyncio.gather(*(catalogue_client.member() for _ in range(10)))
    calls: list[Any] = []
    for place, member in enumerate(members):
        one, other = (catalogue_client, other_catalogue_client) if place % 2 else (catalogue_client, catalogue_client)
        event = catalogue_client.purchase_event("10.00", key=f"basket-{place}")
        calls += [
            one.redeem(member, offer="double", purchase_key=f"basket-{place}"),
            other.record(member, event),
        ]
    for outcome in await asyncio.gather(*calls):
        committed(outcome)
    for member in members:
        snapshot = await catalogue_client.services.reader.member("grocer", member)
        assert snapshot is not None
        assert (snapshot.member.available, dict(snapshot.member.pending_uses)) == (20, {})
    assert await taken(catalogue_client, "grocer/budget/double") == 100
    await all_holds(catalogue_client)


async def test_a_gift_is_an_order_of_its_own(catalogue_client: CatalogueClient) -> None:
    members = await asyncio.gather(*(catalogue_client.member() for _ in range(6)))
    for member in members[:5]:
        [order] = committed(await catalogue_client.redeem(member, offer="gift")).orders
        assert (order.reward.key, order.points, order.origin, order.member) == ("mug", 0, "offer/gift", member)
    before = await documents(catalogue_client.services.database)
    refusal = refused(await catalogue_client.redeem(members[5], offer="gift"))
    assert (refusal.code, refusal.reason, refusal.path) == (RefusalCode.OUT_OF_STOCK, "out_of_stock", ("offer",))
    assert await documents(catalogue_client.services.database) == before
    await all_holds(catalogue_client)


async def test_a_member_acts_for_itself_alone(catalogue_client: CatalogueClient) -> None:
    ann, bob = await catalogue_client.member(), await catalogue_client.member()
    before = await documents(catalogue_client.services.database)
    with pytest.raises(Forbidden):
        await catalogue_client.redeem(bob, offer="ten", role=Role.MEMBER, of=ann)
    refusal = refused(
        await catalogue_client.redeem(code=await own_code(catalogue_client, bob), role=Role.MEMBER, of=ann)
    )
    assert (refusal.code, refusal.reason) == (RefusalCode.CONFLICT, "code_of_another_member")
    assert await documents(catalogue_client.services.database) == before


@pytest.mark.parametrize("offers", [LIMITED_OFFERS_MAX // 2, LIMITED_OFFERS_MAX + 1], ids=["some", "many"])
async def test_used_up_offers_are_on_no_page(catalogue_client: CatalogueClient, offers: int) -> None:
    member = await catalogue_client.member()
    snapshot, context = (
        await catalogue_client.services.reader.member("grocer", member),
        catalogue_client.context(Role.MEMBER, member=member),
    )
    assert snapshot is not None
    catalogue, keys = context.programme().catalogue, [f"many-{place:03}" for place in range(offers)]
    over = {*keys[:7], keys[9]}
    await catalogue_client.services.database.counters.insert_many(
        [
            {"_id": f"grocer/uses/{key}", "programme": "grocer", "kind": "uses", "key": key, "at": None, "taken": most}
            for key, most in {**dict.fromkeys(over, 2), keys[7]: 1}.items()
        ]
    )
    for key in keys:
        catalogue.upsert_offer(offer(key, uses_max=2, weight=1000))
    try:
        page, more = await ranked_page(
            context, Personalisation(context, snapshot), channel=None, states=None, first=5, after=None
        )
    finally:
        for key in keys:
            catalogue.remove_offer(key)
    assert [found.offer.key for found in page] == [keys[7], keys[8], *keys[10:13]]
    assert more
