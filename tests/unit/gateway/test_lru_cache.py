"""What is kept is bounded, and what is asked for stays."""

from gateway.lru_cache import Kept, characters


def held(kept: Kept[str, int], *texts: str) -> list[int | None]:
    return [kept.get(text) for text in texts]


def test_what_was_not_asked_for_longest_goes_first() -> None:
    kept = Kept[str, int](count_max=2, size_max=100, size_of=characters)
    kept.put("a", 1)
    kept.put("b", 2)
    assert kept.get("a") == 1
    kept.put("c", 3)
    assert held(kept, "a", "b", "c") == [1, None, 3]


def test_characters_are_bounded_together() -> None:
    kept = Kept[str, int](count_max=100, size_max=10, size_of=characters)
    kept.put("aaaa", 1)
    kept.put("bbbb", 2)
    kept.put("cccc", 3)
    assert held(kept, "aaaa", "bbbb", "cccc") == [None, 2, 3]
    kept.put("dd", 4)
    assert held(kept, "bbbb", "cccc", "dd") == [2, 3, 4]


def test_text_past_the_bound_is_not_kept() -> None:
    kept = Kept[str, int](count_max=100, size_max=10, size_of=characters)
    kept.put("a" * 11, 1)
    assert held(kept, "a" * 11) == [None]
    kept.put("b" * 10, 2)
    assert held(kept, "b" * 10) == [2]


def test_a_value_in_place_of_another_counts_by_itself() -> None:
    kept = Kept[str, str](size_max=10, size_of=lambda _, value: len(value))
    kept.put("a", "xxxxxxxx")
    kept.put("a", "xx")
    kept.put("b", "yyyyyyyy")
    assert (kept.get("a"), kept.get("b")) == ("xx", "yyyyyyyy")


def test_what_is_dropped_makes_room_and_a_newer_value_is_not_dropped_for_an_older_one() -> None:
    kept, old, new = Kept[str, list[int]](count_max=2), [1], [1]
    kept.put("a", old)
    kept.put("a", new)
    kept.drop("a", old)
    assert kept.get("a") is new
    kept.drop("a", new)
    kept.drop("a")
    assert ("a" in kept, kept.get("a")) == (False, None)
