"""Vouchers on the screens: ordered on the site, shown in the app, used at the demonstration's till."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from playwright.async_api import Browser, Page, expect
from support.clients.api import data, enrol, mutation
from support.clients.screens import ARTEFACTS, Screens, shown_pass, wait_until
from support.servers.browser import require_browser
from support.servers.gateway import GatewayProcess

from schema.wire.ids import global_id

ORDER = """mutation ($input: PlaceOrderInput!) {
  placeOrder(input: $input) { order { number voucher { code usedAt } } userErrors { message } }
}"""
REDEEM = mutation("redeemVoucher", "order { state voucher { usedAt usedAtStore } }")
READ = "query ($by: MemberKey!) { member(by: $by) { number } }"
WORDS = {"en": "Voucher used on", "fr": "Bon d’achat utilisé le", "ar": "استُخدمت القسيمة في"}
READ_VOUCHER = {"en": "Read the voucher", "fr": "Lire le bon d’achat", "ar": "قراءة القسيمة"}


@pytest.fixture
async def screens(development_gateway: GatewayProcess, browser: Browser) -> AsyncIterator[Screens]:
    require_browser("site", "app", "demo")
    api_member = await enrol(development_gateway, firstName="Lucy", locale="en")
    await api_member.buy("1730.00")
    opened = Screens(development_gateway, browser, api_member)
    ARTEFACTS.mkdir(exist_ok=True)
    yield opened
    await opened.close()
    assert opened.console_errors == []


async def ordered(screens: Screens, reward: str) -> dict[str, Any]:
    """Order a reward as the member; return the order."""
    order = {"key": uuid4().hex, "reward": global_id("Reward", "grocer", reward), "channel": "WEB"}
    payload = data(await screens.gateway.ask(screens.api_member.token(), ORDER, input=order))["placeOrder"]
    assert payload["userErrors"] == []
    found: dict[str, Any] = payload["order"]
    return found


async def redeem(screens: Screens, code: str) -> dict[str, Any]:
    """Redeem a voucher at a till, as the gateway's client."""
    use = {"key": uuid4().hex, "code": code, "channel": "STORE", "store": "330"}
    payload: dict[str, Any] = data(await screens.gateway.ask(screens.gateway.token("till"), REDEEM, input=use))[
        "redeemVoucher"
    ]
    return payload


async def orders_tab(screens: Screens, fragment: str = "", tab: str = "Orders") -> Page:
    app = await screens.app(fragment)
    await app.get_by_role("button", name=tab, exact=True).click()
    return app


async def test_a_voucher_is_shown_after_ordering_and_marked_used_without_a_reload(screens: Screens) -> None:
    site = await screens.site()
    await site.evaluate("location.hash = '#/rewards'")
    await site.wait_for_selector("[data-reward]")
    while not await site.locator("[data-reward=counter-coffee]").count():
        shown = await site.locator("[data-reward]").count()
        await site.get_by_role("button", name="Show more").click()
        await wait_until(site, f"document.querySelectorAll('[data-reward]').length > {shown}")
    await site.locator("[data-reward=counter-coffee]").get_by_role("button").click()
    await site.get_by_role("button", name="Order", exact=True).click()
    voucher = site.locator("[data-voucher]")
    await expect(voucher.get_by_role("img", name="Voucher")).to_be_visible()
    code = await voucher.get_attribute("data-voucher") or ""
    await expect(voucher).to_contain_text(code)
    await site.screenshot(path=ARTEFACTS / "voucher-site-ordered.png")
    await site.get_by_role("link", name="See my orders").click()
    app = await orders_tab(screens)
    for page in (site, app):
        await expect(page.locator(f".order [data-voucher='{code}']")).to_be_visible()
    await site.screenshot(path=ARTEFACTS / "voucher-site-orders.png")
    await app.screenshot(path=ARTEFACTS / "voucher-app-orders.png")
    used = await redeem(screens, code)
    assert used["userErrors"] == []
    assert used["order"]["voucher"]["usedAtStore"] == "330"
    for page in (site, app):
        await expect(page.locator("[data-voucher-used]")).to_contain_text("Voucher used on")
        await expect(page.locator("[data-voucher-used]")).to_contain_text("store 330")
        await expect(page.locator("[data-voucher]")).to_have_count(0)
    await site.screenshot(path=ARTEFACTS / "voucher-site-used.png")
    await app.screenshot(path=ARTEFACTS / "voucher-app-used.png")


async def test_the_app_shows_a_new_code_as_soon_as_the_old_one_was_used(screens: Screens) -> None:
    app = await screens.app()
    for _ in range(3):
        code = await shown_pass(app)
        till, by = screens.gateway.token("till"), {"pass": code}
        found = data(await screens.gateway.ask(till, READ, by=by))["member"]
        assert found["number"] == screens.api_member.number
        await expect(app.locator("[data-pass]")).not_to_have_attribute("data-pass", code)


@pytest.mark.parametrize("locale", ["en", "fr", "ar"])
async def test_the_demonstrations_till_reads_vouchers_and_the_apps_code(screens: Screens, locale: str) -> None:
    typed, shown = await ordered(screens, "bread"), await ordered(screens, "five-dollars")
    page = await screens.browser.new_page(viewport={"width": 1440, "height": 1000})
    number = screens.api_member.number
    await page.goto(f"{screens.gateway.url}/#lang={locale}")
    app, site = page.frame_locator("iframe[src*='/app/']"), page.frame_locator("iframe[src*='/site/']")
    await app.locator("[data-version]").wait_for(timeout=30_000)
    # The demonstration chooses the member with the most points; its frames sign in as ours.
    await page.evaluate(
        """(token) => {
          for (const name of ["app", "site"]) {
            const frame = document.querySelector(`iframe[src*='/${name}/']`);
            frame.contentWindow.location.replace(`/${name}/#token=${token}`);
          }
        }""",
        screens.api_member.token(),
    )
    till = page.locator(".scanner")
    await till.locator("input").fill(f" {typed['voucher']['code'].lower().replace('-', ' ')} ")
    await till.locator("button[type=submit]").click()
    await expect(till.get_by_role("status")).not_to_be_empty()
    await till.locator("button[type=submit]").click()
    await expect(till.get_by_role("alert")).to_be_visible()
    await page.screenshot(path=ARTEFACTS / f"voucher-demo-refused-{locale}.png")
    await site.locator("[data-version]").wait_for()
    await page.evaluate(
        """() => { document.querySelector("iframe[src*='/site/']").contentWindow.location.hash = "#/orders"; }"""
    )
    await expect(site.locator(f"[data-voucher='{shown['voucher']['code']}']")).to_be_visible()
    await till.get_by_role("button", name=READ_VOUCHER[locale], exact=True).click()
    await expect(site.locator(f"[data-order='{shown['number']}'] [data-voucher-used]")).to_contain_text(WORDS[locale])
    await page.screenshot(path=ARTEFACTS / f"voucher-demo-used-{locale}.png")
    old = await app.locator("[data-pass]").get_attribute("data-pass") or ""
    await till.locator("input").fill(old)
    await till.locator("button[type=submit]").click()
    await expect(till.get_by_role("status")).to_contain_text(number)
    await expect(app.locator("[data-pass]")).not_to_have_attribute("data-pass", old)
    await page.screenshot(path=ARTEFACTS / f"voucher-demo-pass-{locale}.png")
    await page.close()
