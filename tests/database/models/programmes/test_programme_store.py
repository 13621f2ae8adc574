import asyncio
from decimal import Decimal

import pytest
from support.clock import Clock
from support.documents import documents
from support.programme_files import programme_source

from models.definitions.programme_file import InvalidProgramme
from models.mongo.database import Database
from models.programmes.programme_store import ProgrammeNotFound, Programmes, apply_file, newest_version

COFFEE = programme_source("coffee")
DEARER = COFFEE.replace("points: 10", "points: 20")


async def test_each_applied_file_is_a_new_version(database: Database, clock: Clock) -> None:
    first, new = await apply_file(database, COFFEE, now=clock(), applied_by="alex")
    assert (first["_id"], first["version"], first["applied_by"], new) == ("coffee/1", 1, "alex", True)
    second, new = await apply_file(database, DEARER, now=clock(), applied_by="sam")
    assert (second["version"], new) == (2, True)
    back, new = await apply_file(database, COFFEE, now=clock(), applied_by="sam")
    assert (back["version"], back["digest"], new) == (3, first["digest"], True)
    stored = await database.programmes.find().sort("version").to_list()
    assert [(document["version"], document["source"]) for document in stored] == [(1, COFFEE), (2, DEARER), (3, COFFEE)]


async def test_unchanged_file_makes_no_version(database: Database, clock: Clock) -> None:
    await apply_file(database, COFFEE, now=clock(), applied_by="alex")
    before = await documents(database)
    stored, new = await apply_file(database, COFFEE, now=clock(), applied_by="sam")
    assert (stored["version"], stored["applied_by"], new) == (1, "alex", False)
    assert await documents(database) == before


async def test_a_file_that_cannot_run_is_not_stored(database: Database, clock: Clock) -> None:
    with pytest.raises(InvalidProgramme):
        await apply_file(database, COFFEE.replace("currency: EUR", "currency: euros"), now=clock(), applied_by="alex")
    assert await database.programmes.count_documents({}) == 0


async def test_the_same_file_applied_many_times_at_once_is_one_version(database: Database, clock: Clock) -> None:
    result = await asyncio.gather(*(apply_file(database, COFFEE, now=clock(), applied_by="alex") for _ in range(8)))
    assert sorted(new for _, new in result) == [False] * 7 + [True]
    assert await database.programmes.count_documents({}) == 1


async def test_different_files_applied_at_once_get_a_version_each(database: Database, clock: Clock) -> None:
    files = [COFFEE.replace("points: 10", f"points: {number}") for number in (11, 12, 13)]
    result = await asyncio.gather(*(apply_file(database, file, now=clock(), applied_by="alex") for file in files))
    assert sorted(stored["version"] for stored, _ in result) == [1, 2, 3]
    assert {stored["source"] for stored in await database.programmes.find().to_list()} == set(files)


async def test_the_newest_version_of_each_programme_is_loaded(database: Database, clock: Clock) -> None:
    for text in (COFFEE, DEARER, programme_source("grocer")):
        await apply_file(database, text, now=clock(), applied_by="alex")
    programmes = Programmes(database)
    await programmes.load()
    assert programmes.keys() == ["coffee", "grocer"]
    assert (programmes.get("coffee").version, programmes.get("grocer").version) == (2, 1)
    newest = await newest_version(database, "coffee")
    assert newest is not None
    assert newest["source"] == DEARER


async def test_late_old_version_does_not_replace_a_newer_one(database: Database, clock: Clock) -> None:
    versions = [(await apply_file(database, text, now=clock(), applied_by="alex"))[0] for text in (COFFEE, DEARER)]
    programmes = Programmes(database)
    for document in reversed(versions):
        programmes.apply_version(document)
    assert programmes.get("coffee").version == 2


async def test_programme_that_was_never_applied_is_reported_with_the_remedy(database: Database) -> None:
    programmes = Programmes(database)
    await programmes.load()
    assert (programmes.find("coffee"), programmes.keys()) == (None, [])
    assert await newest_version(database, "coffee") is None
    with pytest.raises(
        ProgrammeNotFound, match="programme 'coffee' was never applied; run `carillon programme apply FILE`"
    ):
        programmes.get("coffee")


@pytest.mark.parametrize(("stored_decimals", "counted"), [(3, 12_505), (None, 1251)])
async def test_budgets_stay_in_the_unit_of_the_first_version(
    database: Database, clock: Clock, stored_decimals: int | None, counted: int
) -> None:
    source = """
programme: sook
name: Sook
currency: KWD
locale: en
time_zone: Asia/Kuwait
tiers: [{key: all, name: All, threshold: 0}]
offers:
  - {key: tenth, kind: PERCENT_OFF, title: T, description: D, first_day: 2026-01-01, percent: 10, budget: BUDGET}
"""
    await apply_file(database, source.replace("BUDGET", '"1.000"'), now=clock(), applied_by="alex")
    if stored_decimals is None:  # as an earlier release stored it
        await database.programmes.update_one({"_id": "sook/1"}, {"$unset": {"budget_decimals": 1}})
    await apply_file(database, source.replace("BUDGET", '"12.505"'), now=clock(), applied_by="alex")
    programmes = Programmes(database)
    await programmes.load()
    programme = programmes.get("sook")
    assert (programme.version, programme.catalogue.offers["tenth"].budget) == (2, counted)
    assert programme.budget_unit.count(Decimal("0.125")) == (125 if stored_decimals else 13)
