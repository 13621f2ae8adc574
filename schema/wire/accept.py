"""The weighted lists of HTTP's Accept fields: languages, media types and encodings (RFC 9110, 12.4.2)."""

ITEMS_MAX = 20
LENGTH_MAX = 1000


def weighted(header: str) -> list[tuple[str, float]]:
    """Return the values of an Accept field in lower case, in the order sent, each with its weight from 0 to 1.

    A value without a weight has 1, and one with a malformed weight 0. Values past `ITEMS_MAX` are left out.
    """
    found: list[tuple[str, float]] = []
    for item in header[:LENGTH_MAX].lower().split(",")[:ITEMS_MAX]:
        value, *parameters = (part.strip() for part in item.split(";"))
        weight = next((text[2:] for text in parameters if text.startswith("q=")), "1")
        if value:
            found.append((value, _weight(weight)))
    return found


def _weight(text: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        return 0.0
    return weight if 0 <= weight <= 1 else 0.0
