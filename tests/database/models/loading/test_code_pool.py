import asyncio
import random

import pytest
from support.catalogue import offer

from loyalty.model.catalogue import Catalogue
from loyalty.model.offer import CodeKind, OfferCode
from loyalty.model.supply import CodeState
from models.loading import code_pool
from models.loading.code_pool import InvalidLoad, load_codes, pool_counts
from models.mongo.database import Database
from models.mongo.ids import code_id


async def test_codes_are_added_to_their_pool(database: Database) -> None:
    done: list[int] = []
    lines = ["A-1", "", "  b 2 \n", "é/3", "\u200bd4\ufeff"]
    tally = await load_codes(database, "grocer", "cinema", lines, on_progress=done.append)
    assert (tally.loaded, tally.duplicates, tally.refused, done) == (4, 0, 0, [4])
    documents = await database.codes.find({}, sort=[("code", 1)]).to_list()
    assert documents == [
        {
            "_id": code_id("grocer", "cinema", code),
            "programme": "grocer",
            "pool": "cinema",
            "code": code,
            "canonical": canonical,
            "state": "free",
        }
        for code, canonical in (("A-1", "A1"), ("b 2", "B2"), ("d4", "D4"), ("é/3", "É/3"))
    ]


async def test_stored_code_is_unchanged(database: Database) -> None:
    await load_codes(database, "grocer", "cinema", ["A", "B", "C"])
    given = {"state": "given", "holder": "order/1", "member": "m"}
    await database.codes.update_one({"code": "B"}, {"$set": given})
    tally = await load_codes(database, "grocer", "cinema", ["A", "B", "D", "D"])
    assert (tally.loaded, tally.duplicates) == (1, 3)
    stored = await database.codes.find_one({"code": "B"})
    assert stored is not None
    assert stored | given == stored
    assert await pool_counts(database, "grocer", "cinema") == {
        CodeState.FREE: 3,
        CodeState.HELD: 0,
        CodeState.ISSUED: 1,
        CodeState.VOID: 0,
    }


async def test_programmes_are_separate(database: Database) -> None:
    for programme in ("grocer", "coffee"):
        assert (await load_codes(database, programme, "cinema", ["A"])).loaded == 1
    assert (await pool_counts(database, "grocer", "cinema"))[CodeState.FREE] == 1
    assert sum((await pool_counts(database, "grocer", "nowhere")).values()) == 0


WAYS = [
    "AB-12",
    "ab12",
    " A B 1 2 ",
    "\uff21\uff22\uff11\uff12",
    "\u0430b12",
    "Ab\u201312\u200b",
]


@pytest.mark.parametrize("typed", WAYS)
async def test_code_of_another_pool_is_refused_with_its_name(database: Database, typed: str) -> None:
    assert (await load_codes(database, "grocer", "theatre", ["AB-12"])).loaded == 1
    tally = await load_codes(database, "grocer", "cinema", ["C", typed, "D"])
    assert (tally.loaded, tally.refused, tally.taken) == (2, 1, 1)
    assert tally.refused_lines == [(2, f"pool 'theatre' already has the code {typed.strip()!r}")]
    again = await load_codes(database, "grocer", "theatre", [typed])
    assert (again.loaded, again.duplicates, again.refused) == (0, 1, 0)


async def test_code_written_in_two_ways_in_one_file_is_refused(database: Database) -> None:
    tally = await load_codes(database, "grocer", "cinema", ["AB-12", "C", "AB-12", "ab12"])
    assert (tally.loaded, tally.duplicates, tally.taken) == (2, 1, 1)
    assert tally.refused_lines == [(4, "'ab12' is the same code as 'AB-12' in line 1")]


@pytest.mark.parametrize("typed", ["spring-24", "OWN-4711223344-K7Q2X4AB", "own4711223344k7q2x4ab"])
async def test_code_of_an_offer_is_refused_with_its_name(database: Database, typed: str) -> None:
    catalogue = Catalogue(
        [
            offer("fresh", code=OfferCode(CodeKind.SHARED, "Spring24")),
            offer("own", code=OfferCode(CodeKind.MEMBER, "OWN")),
        ]
    )
    tally = await load_codes(database, "grocer", "cinema", [typed, "C"], catalogue=catalogue)
    assert (tally.loaded, tally.taken) == (1, 1)
    key = "fresh" if typed.startswith("spring") else "own"
    assert tally.refused_lines == [(1, f"offer {key!r} already has the code {typed!r}")]


async def test_of_two_pools_loaded_at_once_one_gets_each_code(database: Database) -> None:
    lines = [f"code-{number}" for number in range(300)]
    tallies = await asyncio.gather(
        *(load_codes(database, "grocer", pool, random.sample(lines, 300)) for pool in ("cinema", "theatre", "circus"))
    )
    assert sum(tally.loaded for tally in tallies) == 300
    assert sum(tally.taken for tally in tallies) == 600
    assert await database.codes.count_documents({}) == 300


async def test_invalid_lines_are_reported(database: Database) -> None:
    lines = ["x" * 64, "x" * 65, "a\x00b", "- -", *["y" * 100] * 20]
    tally = await load_codes(database, "grocer", "cinema", lines)
    assert (tally.loaded, tally.refused, len(tally.refused_lines)) == (1, 23, 10)
    assert tally.refused_lines[:3] == [
        (2, "65 characters; a code has at most 64"),
        (3, "contains unprintable characters"),
        (4, "contains no letter or digit"),
    ]


async def test_more_codes_than_a_batch_are_loaded(database: Database) -> None:
    done: list[int] = []
    lines = (f"code-{number % 2500}\n" for number in range(3100))
    tally = await load_codes(database, "grocer", "cinema", lines, on_progress=done.append)
    assert (tally.loaded, tally.duplicates, done) == (2500, 600, [1000, 2000, 3000, 3100])


async def test_too_long_file_is_reported(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_pool, "CODES_MAX", 3)
    assert (await load_codes(database, "grocer", "cinema", ["A", "", "B", "C"])).loaded == 3
    with pytest.raises(InvalidLoad, match="line 5: more than 3 lines that are not blank"):
        await load_codes(database, "grocer", "cinema", ["A", "", "B", "C", "D"])


@pytest.mark.parametrize("name", ["", "Cinema", "1st", "a/b", "x" * 41, "cinéma"])
async def test_a_pool_that_no_programme_can_name_is_refused(database: Database, name: str) -> None:
    with pytest.raises(InvalidLoad, match="is not a valid pool name"):
        await load_codes(database, "grocer", name, ["A"])
    assert await database.codes.count_documents({}) == 0
