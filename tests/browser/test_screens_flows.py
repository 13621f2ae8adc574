"""Flows of shoppers and clerks on the screens, up to the state in the gateway."""

import re
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from playwright.async_api import Browser, Page, expect
from support.clients.api import data, enrol
from support.clients.screens import CARD, Screens, scan, wait_for_screen, wait_until
from support.servers.browser import require_browser
from support.servers.gateway import GatewayProcess

from schema.wire.ids import global_id

PROFILE = """query ($by: MemberKey!) { member(by: $by) {
  profile { firstName phone locale consents { purpose channel granted via } consentHistory { purpose granted } }
  orders { edges { node { state reward { key } recipient } } } points { available } version
} }"""

ACTIVATE = """mutation ($input: ActivateOfferInput!) {
  activateOffer(input: $input) { memberOffer { state } userErrors { message } }
}"""


@pytest.fixture
async def screens(development_gateway: GatewayProcess, browser: Browser) -> AsyncIterator[Screens]:
    require_browser("site", "app", "kiosk")
    api_member = await enrol(development_gateway, firstName="Lucy", locale="en", phone=_phone())
    await api_member.buy("730.00")
    opened = Screens(development_gateway, browser, api_member)
    yield opened
    await opened.close()
    assert opened.console_errors == []


def _phone() -> str:
    return f"+336{uuid4().int % 10**9:09d}"


async def stored(screens: Screens, **by: str) -> dict[str, Any]:
    """Return the gateway's state of a member."""
    gateway = screens.gateway
    answer = await gateway.ask(gateway.token("agent"), PROFILE, by=by or screens.api_member.by)
    found: dict[str, Any] = data(answer)["member"]
    return found


async def opened(screens: Screens, path: str) -> Page:
    """Open a page of the website."""
    page = await screens.site()
    await page.evaluate(f"location.hash = '#/{path}'")
    return page


async def chosen(screens: Screens, reward: str) -> Page:
    """Choose a reward on the website by its name, since other tests add to the catalogue."""
    page = await opened(screens, "rewards")
    await page.wait_for_selector("[data-reward]")
    while not await page.locator(f"[data-reward={reward}]").count():
        shown = await page.locator("[data-reward]").count()
        await page.get_by_role("button", name="Show more").click()
        await wait_until(page, f"document.querySelectorAll('[data-reward]').length > {shown}")
    await page.locator(f"[data-reward={reward}]").get_by_role("button").click()
    return page


async def test_a_reward_is_ordered_on_the_website_tracked_and_cancelled(screens: Screens) -> None:
    page = await chosen(screens, "tote-bag")
    await page.get_by_role("button", name="Order", exact=True).click()
    await expect(page.get_by_text("It is yours")).to_be_visible()
    await page.get_by_role("link", name="See my orders").click()
    order = page.locator("[data-order]")
    await expect(order).to_have_attribute("data-state", "PLACED")
    found = await stored(screens)
    assert found["points"]["available"] == 130
    assert [edge["node"]["reward"]["key"] for edge in found["orders"]["edges"]] == ["tote-bag"]
    await order.get_by_role("button", name="Cancel the order").click()
    await order.get_by_role("button", name="Cancel the order").click()
    await expect(order).to_have_attribute("data-state", "CANCELLED")
    assert (await stored(screens))["points"]["available"] == 730
    await page.evaluate("location.hash = '#/'")
    await expect(page.locator(CARD)).to_have_attribute("data-points", "730")


async def test_refusal_appears_at_the_field_and_nothing_is_ordered(screens: Screens) -> None:
    page = await chosen(screens, "tote-bag")
    await page.get_by_label("It is a gift for a relative").check()
    await page.get_by_label("Recipient", exact=True).fill("Ines")
    await page.get_by_role("button", name="Order", exact=True).click()
    await expect(page.get_by_text("Your status doesn’t include rewards for a relative")).to_be_visible()
    found = await stored(screens)
    assert (found["orders"]["edges"], found["points"]["available"]) == ([], 730)


async def test_an_offer_that_is_activated_on_the_website_is_activated_in_the_app(screens: Screens) -> None:
    app = await screens.app()
    await app.get_by_role("button", name="Offers").click()
    page = await opened(screens, "offers")
    offer = page.locator("[data-offer]", has=page.get_by_role("button", name="Activate")).first
    key = await offer.get_attribute("data-offer")
    await offer.get_by_role("button", name="Activate").click()
    for screen in (page, app):
        await expect(screen.locator(f"[data-offer='{key}']")).to_have_attribute("data-state", "ACTIVATED")


async def test_discount_shows_its_maximum(screens: Screens) -> None:
    # Activated offers come first, whatever other tests have added.
    taken = {"key": uuid4().hex, "offer": global_id("Offer", "grocer", "produce-10")}
    activated = data(await screens.gateway.ask(screens.api_member.token(), ACTIVATE, input=taken))["activateOffer"]
    assert activated["memberOffer"] == {"state": "ACTIVATED"}, activated["userErrors"]
    app = await screens.app()
    await app.get_by_role("button", name="Offers").click()
    for screen in (await opened(screens, "offers"), app):
        offer = screen.locator("[data-offer='produce-10']")
        await expect(offer).to_contain_text("10% off")
        await expect(offer.get_by_text("At most")).to_contain_text("20.00")


async def test_consent_is_given_and_withdrawn_on_the_website_with_its_history(screens: Screens) -> None:
    page = await opened(screens, "profile")
    box = page.get_by_label("Text message", exact=True)
    await box.click()
    await expect(box).to_be_checked()
    given = {"purpose": "MARKETING", "channel": "SMS", "granted": True, "via": "WEB"}
    assert (await stored(screens))["profile"]["consents"] == [given]
    await box.click()
    await expect(box).not_to_be_checked()
    profile = (await stored(screens))["profile"]
    assert profile["consents"] == [{**given, "granted": False}]
    assert [one["granted"] for one in profile["consentHistory"]] == [False, True]


async def test_a_profile_is_corrected_on_the_website_and_the_tablet_shows_it_live(screens: Screens) -> None:
    other = f"{uuid4().hex}@example.org"
    await enrol(screens.gateway, email=other)
    await screens.open_all()
    page, kiosk = screens.pages["site"], screens.pages["kiosk"]
    await expect(kiosk.locator("[data-greeting]")).to_have_attribute("data-greeting", "L•••")
    await page.evaluate("location.hash = '#/profile'")
    await page.get_by_role("button", name="Edit").click()
    await page.get_by_label("First name").fill("Zoë")
    await page.get_by_label("Email", exact=True).first.fill(f" {other.upper()} ")
    await page.get_by_label("Phone", exact=True).fill("")
    await page.get_by_role("button", name="Save").first.click()
    await expect(page.get_by_text("This email address already belongs to a member")).to_be_visible()
    assert (await stored(screens))["profile"]["firstName"] == "Lucy"
    email = f"Zoe.{uuid4().hex}@example.org"
    await page.get_by_label("Email", exact=True).first.fill(email)
    await page.get_by_role("button", name="Save").first.click()
    await expect(page.get_by_text(email)).to_be_visible()
    await expect(kiosk.locator("[data-greeting]")).to_have_attribute("data-greeting", "Z•••")
    await expect(kiosk.get_by_text("Your profile was changed.")).to_be_visible()
    profile = (await stored(screens, email=email.lower()))["profile"]
    assert (profile["firstName"], profile["phone"]) == ("Zoë", None)


async def test_a_lost_card_is_removed_and_a_new_one_added_on_the_website(screens: Screens) -> None:
    page, old, new = await opened(screens, "profile"), f"Old-{uuid4().hex}", f"New-{uuid4().hex}"
    for card in (old, new):
        await page.get_by_label("Number on the card").fill(card)
        await page.get_by_role("button", name="Add the card").click()
        await expect(page.locator(f"[data-card='{card}']")).to_be_visible()
    await page.locator(f"[data-card='{old}']").get_by_role("button", name="Remove").click()
    await expect(page.locator(f"[data-card='{old}']")).to_have_count(0)
    member = (await stored(screens, card=new.upper()))["version"]
    assert member == (await stored(screens))["version"]
    query = "query ($by: MemberKey!) { member(by: $by) { id } }"
    answer = await screens.gateway.ask(screens.gateway.token("agent"), query, by={"card": old})
    assert data(answer)["member"] is None


async def test_member_is_enrolled_at_the_tablet_with_consents(screens: Screens) -> None:
    kiosk, phone = await screens.kiosk("&lang=en"), _phone()
    await kiosk.get_by_role("button", name="Become a member").click()
    await wait_for_screen(kiosk, "enrol-member")
    await kiosk.get_by_label("First name").fill("Nour")
    await kiosk.get_by_label("Phone").fill(phone)
    await kiosk.get_by_label("You may contact me by text message").check()
    await kiosk.get_by_role("button", name="Join").click()
    await wait_for_screen(kiosk, "session")
    number = await kiosk.locator("[data-number]").get_attribute("data-number")
    assert number is not None
    await kiosk.get_by_role("button", name="To my status").click()
    await expect(kiosk.locator("[data-greeting]")).to_have_attribute("data-greeting", "N•••")
    await wait_until(kiosk, f"Number(document.querySelector('{CARD}')?.dataset.version) >= 2")
    profile = (await stored(screens, number=number))["profile"]
    assert (profile["firstName"], profile["phone"], profile["locale"]) == ("Nour", phone, "en")
    assert profile["consents"] == [{"purpose": "MARKETING", "channel": "SMS", "granted": True, "via": "KIOSK"}]


async def test_a_phone_number_greets_and_earns_until_the_digits_of_the_app_confirm_it(screens: Screens) -> None:
    profile = (await stored(screens))["profile"]
    app, kiosk = await screens.app(), await screens.kiosk("&lang=en")
    await kiosk.get_by_role("button", name="Type it").click()
    await kiosk.get_by_role("button", name="Phone").click()
    await kiosk.get_by_label("Phone").fill(profile["phone"])
    await kiosk.get_by_role("button", name="Begin").click()
    await wait_for_screen(kiosk, "greet")
    assert await kiosk.locator(CARD).count() == 0
    assert re.search(r"\b730\b", await kiosk.inner_text("body")) is None
    await kiosk.get_by_role("button", name="I am here").click()
    await kiosk.wait_for_selector("[data-outbox='0']")
    await wait_until(app, f"Number(document.querySelector('{CARD}').dataset.version) === 3")
    digits = await app.locator("[data-digits]").get_attribute("data-digits")
    await kiosk.get_by_label("The six digits in your app").fill("000000" if digits != "000000" else "111111")
    await kiosk.get_by_role("button", name="Show my status").click()
    await expect(kiosk.get_by_text("These digits don’t match")).to_be_visible()
    await kiosk.get_by_label("The six digits in your app").fill(digits or "")
    await kiosk.get_by_role("button", name="Show my status").click()
    await wait_for_screen(kiosk, "session")
    await expect(kiosk.locator(CARD)).to_have_attribute("data-version", "3")


async def test_purchase_typed_at_the_tablet_waits_for_the_till(screens: Screens) -> None:
    kiosk = await screens.kiosk()
    await scan(kiosk, screens.api_member.number)
    await wait_for_screen(kiosk, "session")
    await kiosk.get_by_role("button", name="A purchase").click()
    for digit in "500":
        await kiosk.get_by_role("button", name=digit, exact=True).click()
    receipt = uuid4().hex[:8]
    await kiosk.get_by_label("Receipt number").fill(receipt)
    await kiosk.get_by_role("button", name="Record").click()
    await expect(kiosk.locator("[data-waiting]")).to_contain_text(receipt)
    await expect(kiosk.locator(CARD)).to_have_attribute("data-points", "730")
    assert (await stored(screens))["points"]["available"] == 730


async def test_reward_is_collected_in_the_store_that_was_chosen(screens: Screens) -> None:
    page = await chosen(screens, "tote-bag")
    await expect(page.get_by_text("130 points left after this order")).to_be_visible()
    await page.get_by_label("Store", exact=True).select_option("Harbour")
    await page.get_by_role("button", name="Order", exact=True).click()
    await expect(page.get_by_text("It is yours")).to_be_visible()


async def test_tablet_that_is_opened_alone_can_be_tried(screens: Screens) -> None:
    context = await screens.browser.new_context()
    page = await context.new_page()
    await page.goto(f"{screens.gateway.url}/kiosk/#lang=en")
    await wait_for_screen(page, "enrol-device")
    await page.get_by_role("button", name="I have no code").click()
    await wait_for_screen(page, "attract")
    await context.close()
