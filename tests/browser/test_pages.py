"""The content security policies of the pages in a real browser."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.async_api import Browser, Page
from starlette.applications import Starlette
from support.servers.browser import require_browser

from gateway.site.static_pages import routes

SCREENS = ("site", "app", "kiosk")
DOCUMENT = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>A page</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{base}assets/index-AbCd1_-9.css">
<script>document.documentElement.dataset.inline = "ran"</script>
<script type="module" src="{base}assets/index-AbCd1_-9.js"></script>
<p>A page</p>
</html>
"""
SCREEN = """
document.documentElement.dataset.module = "ran";
await navigator.serviceWorker.register("sw.js");
await navigator.serviceWorker.ready;
document.documentElement.dataset.worker = "ran";
"""
DEMO = """
for (const screen of ["site", "app", "kiosk"]) {
  const frame = document.createElement("iframe");
  frame.src = `/${screen}/`;
  document.body.append(frame);
}
"""


def build(dist: Path) -> None:
    """Write minimal pages that use the same features as ours."""
    for name in ("demo", *SCREENS):
        assets = dist / name / "assets"
        assets.mkdir(parents=True)
        (dist / name / "index.html").write_text(DOCUMENT.format(base=f"/{name}/"))
        (dist / name / "sw.js").write_text("self.addEventListener('fetch', () => undefined)")
        (assets / "index-AbCd1_-9.css").write_text("p { color: rgb(1, 2, 3) }")
        (assets / "index-AbCd1_-9.js").write_text(DEMO if name == "demo" else SCREEN)


@pytest.fixture(scope="module")
async def address(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    require_browser()
    dist = tmp_path_factory.mktemp("dist")
    build(dist)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(Starlette(routes=routes(dist)), lifespan="off", log_config=None)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        await serving


async def opened(browser: Browser, url: str) -> tuple[Page, list[str]]:
    """Open a page in a context of its own; return it with the list of its console errors."""
    page, console_errors = await browser.new_page(), []
    page.on("console", lambda message: console_errors.append(message.text))
    await page.goto(url, wait_until="networkidle")
    return page, console_errors


async def state_of(frame: Any) -> dict[str, Any]:
    """Return the state of a page."""
    await frame.wait_for_function("document.documentElement.dataset.worker")
    found: dict[str, Any] = await frame.evaluate(
        """() => ({...document.documentElement.dataset, colour: getComputedStyle(document.querySelector("p")).color,
                   camera: document.featurePolicy.allowsFeature("camera")})"""
    )
    return found


@pytest.mark.parametrize("name", SCREENS)
async def test_screen_runs_its_own_files_and_no_script_in_the_page(address: str, browser: Browser, name: str) -> None:
    page, console_errors = await opened(browser, f"{address}/{name}/")
    assert await state_of(page) == {
        "module": "ran",
        "worker": "ran",
        "colour": "rgb(1, 2, 3)",
        "camera": name == "kiosk",
    }
    [complaint] = console_errors
    assert complaint.startswith("Executing inline script violates the following Content Security Policy directive")


async def test_demonstration_shows_the_screens_in_frames(address: str, browser: Browser) -> None:
    page, _ = await opened(browser, address)
    frames = {frame.url.removeprefix(address): frame for frame in page.frames}
    assert set(frames) == {"/", "/site/", "/app/", "/kiosk/"}
    for screen in SCREENS:
        assert (await state_of(frames[f"/{screen}/"]))["module"] == "ran"


async def test_page_calls_no_other_host(address: str, browser: Browser) -> None:
    page, console_errors = await opened(browser, f"{address}/site/")
    console_errors.clear()
    # Another port is another origin, and could be reached.
    refused = await page.evaluate("fetch('http://127.0.0.1:1/').then(() => 'sent', error => error.message)")
    assert refused == "Failed to fetch"
    assert any("Content Security Policy" in complaint for complaint in console_errors)
