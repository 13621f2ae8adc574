"""Website, app and tablet in a real browser on one member: all show the same version."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Iterator
from statistics import median

import pytest
from playwright.async_api import Browser, Page
from support.clients.api import enrol
from support.clients.screens import (
    ARTEFACTS,
    CARD,
    RestartableGateway,
    Screens,
    scan,
    shown_version,
    wait_for_screen,
    wait_for_version,
    wait_until,
)
from support.servers.browser import require_browser
from support.servers.gateway import GatewayProcess

ROUNDS = int(os.environ.get("ROUNDS", "20"))
OFFLINE_SECONDS = float(os.environ.get("OFFLINE_SECONDS", "2"))
QUEUED, WATCHED = 20, 50
ENTRIES = "new Set([...document.querySelectorAll('[data-entry]')].map((item) => item.dataset.entry)).size"


@pytest.fixture(scope="module")
def restartable_gateway(
    development_gateway: GatewayProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RestartableGateway]:
    """Start a gateway as in production, with registered operations only."""
    require_browser("site", "app", "kiosk")
    served = RestartableGateway.started(
        development_gateway.data_dir,
        tmp_path_factory.mktemp("screens"),
        CARILLON_OPERATIONS_ONLY="true",
        CARILLON_DRAIN_SECONDS="0",
    )
    yield served
    assert served.gateway.stop() == 0, served.gateway.output.read_text(errors="replace")


@pytest.fixture
async def screens(restartable_gateway: RestartableGateway, browser: Browser) -> AsyncIterator[Screens]:
    api_member = await enrol(
        restartable_gateway.gateway, firstName="Lucy", locale="en", card=f"C-{time.monotonic_ns()}"
    )
    opened = Screens(restartable_gateway.gateway, browser, api_member)
    yield opened
    await opened.close()
    assert opened.console_errors == []


async def test_purchase_at_the_till_appears_on_all_three_screens(screens: Screens) -> None:
    """The time from the till's answer to the last screen is recorded, not asserted: machines differ."""
    await screens.open_all()
    assert set((await screens.versions()).values()) == {1}
    took_ms: list[float] = []
    for number in range(2, ROUNDS + 2):
        bought = await screens.api_member.buy("60.00")
        answered_at = time.time() * 1000
        assert bought["member"]["version"] == number
        seen = await asyncio.gather(*(_drawn(page, number) for page in screens.pages.values()))
        took_ms.append(max(seen) - answered_at)
    for page in screens.pages.values():
        card = page.locator(CARD).first
        assert await card.get_attribute("data-points") == str(60 * ROUNDS)
        assert await card.get_attribute("data-tier") == ("silver" if 1000 <= 60 * ROUNDS < 2500 else "green")
    ARTEFACTS.mkdir(exist_ok=True)
    timings = {"rounds": ROUNDS, "median_ms": round(median(took_ms), 1), "most_ms": round(max(took_ms), 1)}
    (ARTEFACTS / "commit-to-pixels.json").write_text(json.dumps(timings))
    print(f"from the till's answer to the last of three screens: {timings}")  # noqa: T201 - for who runs it with -s
    for name, page in screens.pages.items():
        await page.screenshot(path=ARTEFACTS / f"{name}.png")


async def _drawn(page: Page, number: int) -> float:
    """Return when a version was drawn."""
    return float(await wait_until(page, f"window.seen?.['{number}']"))


async def test_tablet_keeps_events_through_a_cut_and_a_restart_and_each_counts_once(
    screens: Screens, restartable_gateway: RestartableGateway
) -> None:
    await screens.open_all()
    kiosk = screens.pages["kiosk"]
    await screens.contexts["kiosk"].set_offline(True)
    for number in range(QUEUED):
        if await kiosk.locator("[data-screen=session]").count() == 0:  # its time was over
            await scan(kiosk, screens.api_member.number)
        await kiosk.get_by_role("button", name="A purchase").click()
        for key in f"{number + 1}00":
            await kiosk.get_by_role("button", name=key, exact=True).click()
        await kiosk.get_by_role("button", name="Record").click()
        await kiosk.wait_for_selector(f"[data-outbox='{number + 1}']")
    assert (await screens.api_member.state())["version"] == 1
    restartable_gateway.gateway.kill()
    await asyncio.sleep(OFFLINE_SECONDS)
    await restartable_gateway.restart()
    # Even a page reloaded offline has them.
    await kiosk.reload()
    await kiosk.wait_for_selector(f"[data-outbox='{QUEUED}']")
    await screens.contexts["kiosk"].set_offline(False)
    await kiosk.wait_for_selector("[data-outbox='0']", timeout=60_000)
    state = await screens.api_member.state()
    assert state["points"]["available"] == 0  # typed purchases wait for the till or for staff
    assert state["version"] == QUEUED + 1
    await wait_for_screen(kiosk, "attract")
    await scan(kiosk, screens.api_member.number)
    await wait_for_screen(kiosk, "session")
    await screens.wait_for_version(QUEUED + 1)
    assert set((await screens.versions()).values()) == {QUEUED + 1}
    points = {name: await page.get_attribute(CARD, "data-points") for name, page in screens.pages.items()}
    assert set(points.values()) == {"0"}


async def test_all_screens_end_on_one_version_when_the_gateway_is_killed_while_they_watch(
    screens: Screens, restartable_gateway: RestartableGateway, development_gateway: GatewayProcess
) -> None:
    await screens.open_all()
    app = screens.pages["app"]
    await app.get_by_role("button", name="Activity").click()

    async def record() -> None:
        for _ in range(WATCHED):
            await screens.api_member.buy("1.00", gateway=development_gateway)
            await asyncio.sleep(0.02)

    recording = asyncio.create_task(record())
    await asyncio.gather(*(wait_for_version(page, 5) for page in (screens.pages["site"], screens.pages["kiosk"])))
    restartable_gateway.gateway.kill()
    await asyncio.sleep(0.5)
    await restartable_gateway.restart()
    await recording
    await wait_until(app, f"{ENTRIES} === {WATCHED}", within_seconds=60)
    await app.get_by_role("button", name="Card", exact=True).click()
    await asyncio.gather(*(wait_for_version(page, WATCHED + 1) for page in screens.pages.values()))
    assert set((await screens.versions()).values()) == {WATCHED + 1}


async def test_no_trace_of_a_shopper_remains_on_the_tablet(screens: Screens) -> None:
    await screens.open_all()
    kiosk = screens.pages["kiosk"]
    await kiosk.get_by_role("button", name="Leave").click()
    await wait_for_screen(kiosk, "attract")
    stored = await kiosk.evaluate(
        """async () => {
          const bases = await indexedDB.databases();
          return JSON.stringify([{...localStorage}, {...sessionStorage}, location.href, history.state, bases,
                                 document.documentElement.outerHTML]);
        }"""
    )
    assert "cst_" not in stored
    assert screens.api_member.number not in stored
    assert "L•••" not in stored


async def test_screens_of_a_session_end_with_the_tablet(screens: Screens) -> None:
    await screens.open_all()
    kiosk = screens.pages["kiosk"]
    devices = "{ devices(first: 1) { edges { node { id } } } }"
    manager = screens.gateway.token("manager")
    device = (await screens.gateway.ask(manager, devices))["data"]["devices"]["edges"][0]["node"]["id"]
    revoke = "mutation ($input: RevokeDeviceInput!) { revokeDevice(input: $input) { userErrors { code } } }"
    await screens.gateway.ask(manager, revoke, input={"key": "end", "device": device})
    await wait_for_screen(kiosk, "enrol-device")
    assert await kiosk.evaluate("JSON.stringify({...localStorage}).includes('cdt_')") is False
    assert all("401" in complaint for complaint in screens.console_errors)
    screens.console_errors.clear()


async def test_app_opens_offline_and_shows_the_age_of_its_data(screens: Screens) -> None:
    await screens.api_member.buy("10.00")
    app = await screens.app()
    await app.evaluate("navigator.serviceWorker.ready")
    await screens.contexts["app"].set_offline(True)
    await app.reload()
    await app.wait_for_selector(CARD)
    assert (await shown_version(app), await app.locator("[data-pass]").count()) == (2, 0)
    await app.wait_for_selector("[data-connection=offline], [data-connection=reconnecting]")
    await screens.contexts["app"].set_offline(False)
