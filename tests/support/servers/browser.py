"""A real browser that reaches one host only."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, async_playwright, expect

from gateway.config import CLIENTS_DIST
from support.requirement import browser_is_required

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# `expect` waits this long, because the machine may be busy.
expect.set_options(timeout=15_000)


def require_browser(*pages: str) -> None:
    """Skip a test if Chromium or one of the built `pages` is missing; fail it if it has to run."""
    missing = [f"the page {page} is not built (make clients)" for page in pages if not _is_built(page)]
    if CHROMIUM is None:
        missing.append("there is no Chromium (apt-get install chromium)")
    if not missing:
        return
    reason = f"THIS WAS NOT TESTED IN A BROWSER: {'; '.join(missing)}"
    if browser_is_required():
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def _is_built(page: str) -> bool:
    return (CLIENTS_DIST / page / "index.html").is_file()


@asynccontextmanager
async def opened_browser(url: str) -> AsyncIterator[Browser]:
    """Start a browser that resolves only the host of `url`."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                f"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE {urlsplit(url).hostname}",
            ],
        )
        try:
            yield browser
        finally:
            await browser.close()
