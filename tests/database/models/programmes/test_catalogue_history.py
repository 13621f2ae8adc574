from collections.abc import Mapping
from typing import Any

from support.clients.full_programme_client import FULL_PROGRAMME, FullProgrammeClient
from support.clients.resolver_client import ResolverClient
from support.clock import NOON

from loyalty.kernel.refusal import Refusal
from models.definitions.catalogue_file import ItemKind
from models.programmes.catalogue_history import CatalogueHistory
from models.programmes.catalogue_store import put, retire

SOAP: dict[str, Any] = {
    "key": "soap",
    "kind": "PHYSICAL",
    "title": {"en": "Soap"},
    "description": {"en": "A piece."},
    "category": "care",
    "points": 5,
    "stock": 3,
}


def stocks(said: list[Mapping[str, Any] | None]) -> list[int | None]:
    return sorted((one.get("stock") if one is not None else None for one in said), key=lambda stock: stock or 0)


async def test_every_version_of_file_and_stored_items_is_returned(resolver_client: ResolverClient) -> None:
    full_client = await FullProgrammeClient.opened(resolver_client)
    database = resolver_client.services.database
    past = CatalogueHistory(database, "market")
    keys = ["bread", "soap", "unheard-of"]
    said = await past.definitions(ItemKind.REWARD, keys)
    assert [stocks(said[key]) for key in keys] == [[40], [], []]
    await full_client.apply(FULL_PROGRAMME.replace("stock: 40", "stock: 50"))
    programme = resolver_client.services.programmes.get("market")
    about: dict[str, Any] = {"now": NOON, "changed_by": "manager/m"}
    for request, stock in (("1", 3), ("2", 7)):
        stored = await put(database, programme, ItemKind.REWARD, SOAP | {"stock": stock}, request=request, **about)
        assert not isinstance(stored, Refusal)
    said = await past.definitions(ItemKind.REWARD, keys)
    assert [stocks(said[key]) for key in keys] == [[40, 50], [3, 7], []]
    assert not isinstance(await retire(database, programme, ItemKind.REWARD, "soap", request="3", **about), Refusal)
    said = await past.definitions(ItemKind.REWARD, keys)
    assert stocks(said["soap"]) == [None, 3, 7]
    start, end = FULL_PROGRAMME.index("  - key: five-off"), FULL_PROGRAMME.index("  - key: tenth-off")
    await full_client.apply(FULL_PROGRAMME[:start] + FULL_PROGRAMME[end:])
    offers = await past.definitions(ItemKind.OFFER, ["five-off", "double", "bread"])
    assert [len(offers[key]) for key in offers] == [3, 3, 0]
    assert [one is None for one in offers["five-off"]].count(True) == 1
