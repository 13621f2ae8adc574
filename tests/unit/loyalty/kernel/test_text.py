"""Texts: language, wording of a channel, and direction."""

import pytest

from loyalty.kernel.channel import Channel
from loyalty.kernel.text import Text, is_right_to_left

TEXT = Text(
    {"en": "Offers", "fr": "Offres"},
    "en",
    {Channel.KIOSK: {"en": "Touch an offer", "ar": "المس عرضا"}, Channel.STORE: {"fr": "Au comptoir"}},
)


@pytest.mark.parametrize(
    ("locale", "channel", "expected", "words"),
    [
        ("en", None, "en", "Offers"),
        ("fr", None, "fr", "Offres"),
        ("fr-CH", None, "fr", "Offres"),
        ("ar", None, "en", "Offers"),
        ("de", None, "en", "Offers"),
        ("en", Channel.APP, "en", "Offers"),
        ("en", Channel.KIOSK, "en", "Touch an offer"),
        ("en-GB", Channel.KIOSK, "en", "Touch an offer"),
        # The language counts for more than the channel's own wording.
        ("fr", Channel.KIOSK, "fr", "Offres"),
        ("ar", Channel.KIOSK, "ar", "المس عرضا"),
        ("ar-MA", Channel.KIOSK, "ar", "المس عرضا"),
        ("de", Channel.KIOSK, "en", "Touch an offer"),
        ("fr", Channel.STORE, "fr", "Au comptoir"),
        ("ar", Channel.STORE, "en", "Offers"),
    ],
)
def test_text_is_returned_in_the_nearest_language_as_the_channel_words_it(
    locale: str, channel: Channel | None, expected: str, words: str
) -> None:
    assert TEXT.resolved_locale(locale, channel) == expected
    assert TEXT.in_locale(locale, channel) == words


@pytest.mark.parametrize(
    ("locale", "rtl"), [("ar", True), ("ar-MA", True), ("he", True), ("fr", False), ("en-GB", False)]
)
def test_languages_run_as_they_are_written(locale: str, rtl: bool) -> None:
    assert is_right_to_left(locale) is rtl
