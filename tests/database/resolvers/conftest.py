"""A client with a small catalogue, and one for the services of another process."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import time
from decimal import Decimal

import pytest
from support.catalogue import instant, offer, reward, segment
from support.clients.catalogue_client import CatalogueClient
from support.clients.resolver_client import ResolverClient
from support.clock import Clock

from loyalty.kernel.period import LimitPeriod
from loyalty.model.catalogue import Catalogue
from loyalty.model.offer import Audience, CodeKind, OfferCode, OfferKind
from loyalty.model.reward import AppointmentCalendar, Limit, RewardKind
from models.commits.committer import Committer
from models.loading.code_pool import load_codes
from models.mongo.database import Database, connect
from models.mongod.server import EmbeddedServer
from models.programmes.programme_store import Programmes
from models.reads.reader import Reader
from resolvers.core.context import Services

TALKS = AppointmentCalendar(frozenset(), (time(10), time(18)), 30, 1, 30)
REWARDS = (
    reward("mug", 100, stock=5),
    reward("bowl", 60),
    reward("film", 100, RewardKind.DIGITAL_CODE, pool="films"),
    reward("boxed-film", 100, pool="films", stock=3),
    reward("talk", 100, RewardKind.SERVICE, appointments=TALKS),
    reward("meal", 30, RewardKind.DONATION),
    reward("once", 10, limit=Limit(1, LimitPeriod.EVER)),
    reward("gold-only", 10, audience=Audience(frozenset({"gold"}))),
)
OFFERS = (
    offer("ten", percent=Decimal(10)),
    offer("five", OfferKind.AMOUNT_OFF, amount=Decimal(5), code=OfferCode(CodeKind.SHARED, "FIVE"), uses_max=3),
    offer("own", percent=Decimal(15), code=OfferCode(CodeKind.MEMBER, "OWN"), uses_per_member_max=3),
    offer("pooled", percent=Decimal(20), needs_activation=True, code=OfferCode(CodeKind.POOL, "coupons")),
    offer("double", OfferKind.MULTIPLIER, factor=Decimal(2), restores_use_on_refund=True, budget=1000),
    offer("bonus", OfferKind.BONUS_POINTS, points=20, budget=50, uses_per_member_max=None),
    offer("gift", OfferKind.GIFT, reward="mug"),
    offer("never", audience=Audience(segments=frozenset({"nobody"}))),
)


@pytest.fixture
async def catalogue_client(resolver_client: ResolverClient, database: Database) -> CatalogueClient:
    """The grocer's programme with a small catalogue of its own."""
    grocer = resolver_client.services.programmes.get("grocer")
    catalogue = Catalogue(OFFERS, REWARDS, (), [instant("big", "bowl", "500.00")])
    nobody = {"nobody": segment("nobody", "false")}
    programme = replace(grocer, catalogue=catalogue, segments=nobody)
    for pool, codes in {"films": 5, "coupons": 2}.items():
        await load_codes(database, "grocer", pool, [f"{pool}-{n}" for n in range(codes)])
    return CatalogueClient(
        replace(resolver_client.services, programmes=Programmes(database, [programme])), resolver_client.clock
    )


@pytest.fixture
async def other_catalogue_client(
    catalogue_client: CatalogueClient, clock: Clock, mongod: EmbeddedServer, database: Database
) -> AsyncIterator[CatalogueClient]:
    """The same programme through another process: only the database is shared. It has its own keys."""
    other = connect(mongod.url, name=database.db.name)
    async with Committer(other) as committer:
        services: Services = replace(
            catalogue_client.services, database=other, committer=committer, reader=Reader(other)
        )
        yield CatalogueClient(services, clock, keys=(f"other-{n}" for n in range(10_000)))
    await other.close()
