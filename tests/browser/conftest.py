"""One browser for all tests; each test opens contexts of its own in it."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser
from support.servers.browser import opened_browser, require_browser


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Start a browser that reaches 127.0.0.1 and no other host."""
    require_browser()
    async with opened_browser("http://127.0.0.1") as browser:
        yield browser
