"""What is kept of texts is bounded, and what is asked for stays."""

from gateway.kept import Kept


def held(kept: Kept[int], *texts: str) -> list[int | None]:
    return [kept.get(text) for text in texts]


def test_what_was_not_asked_for_longest_goes_first() -> None:
    kept = Kept[int](count_max=2, characters_max=100)
    kept.put("a", 1)
    kept.put("b", 2)
    assert kept.get("a") == 1
    kept.put("c", 3)
    assert held(kept, "a", "b", "c") == [1, None, 3]


def test_characters_are_bounded_together() -> None:
    kept = Kept[int](count_max=100, characters_max=10)
    kept.put("aaaa", 1)
    kept.put("bbbb", 2)
    kept.put("cccc", 3)
    assert held(kept, "aaaa", "bbbb", "cccc") == [None, 2, 3]
    kept.put("dd", 4)
    assert held(kept, "bbbb", "cccc", "dd") == [2, 3, 4]


def test_text_past_the_bound_is_not_kept() -> None:
    kept = Kept[int](count_max=100, characters_max=10)
    kept.put("a" * 11, 1)
    assert held(kept, "a" * 11) == [None]
    kept.put("b" * 10, 2)
    assert held(kept, "b" * 10) == [2]
