import pytest

from loyalty.model.supply import CodeState
from models.loading import code_pool
from models.loading.code_pool import InvalidLoad, load_codes, pool_counts
from models.mongo.database import Database
from models.mongo.ids import code_id


async def test_codes_are_added_to_their_pool(database: Database) -> None:
    done: list[int] = []
    tally = await load_codes(database, "grocer", "cinema", ["A-1", "", "  b 2 \n", "é/3"], on_progress=done.append)
    assert (tally.loaded, tally.duplicates, tally.refused, done) == (3, 0, 0, [3])
    documents = await database.codes.find({}, sort=[("code", 1)]).to_list()
    assert documents == [
        {
            "_id": code_id("grocer", "cinema", code),
            "programme": "grocer",
            "pool": "cinema",
            "code": code,
            "state": "free",
        }
        for code in ("A-1", "b 2", "é/3")
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


async def test_pools_and_programmes_are_separate(database: Database) -> None:
    for programme, pool in (("grocer", "cinema"), ("grocer", "theatre"), ("coffee", "cinema")):
        assert (await load_codes(database, programme, pool, ["A"])).loaded == 1
    assert (await pool_counts(database, "grocer", "cinema"))[CodeState.FREE] == 1
    assert sum((await pool_counts(database, "grocer", "nowhere")).values()) == 0


async def test_invalid_lines_are_reported(database: Database) -> None:
    lines = ["x" * 64, "x" * 65, "a\x00b", *["y" * 100] * 20]
    tally = await load_codes(database, "grocer", "cinema", lines)
    assert (tally.loaded, tally.refused, len(tally.refused_lines)) == (1, 22, 10)
    assert tally.refused_lines[:2] == [
        (2, "65 characters; a code has at most 64"),
        (3, "contains unprintable characters"),
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
