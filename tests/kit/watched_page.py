"""A page of Chromium that keeps what its console, its scripts and its policy complained about."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from playwright.async_api import BrowserContext, ConsoleMessage, Error, Page, Response

POLICY_BREACHES = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error("policy: " + event.violatedDirective + " " + event.blockedURI));
"""


@dataclass
class WatchedPage:
    page: Page
    complaints: list[str] = field(default_factory=list)

    @classmethod
    async def open(cls, context: BrowserContext) -> Self:
        await context.add_init_script(POLICY_BREACHES)
        watched = cls(await context.new_page())
        watched.page.on("console", watched._console)
        watched.page.on("pageerror", watched._error)
        watched.page.on("response", watched._response)
        return watched

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"console: {message.text}")

    def _error(self, error: Error) -> None:
        self.complaints.append(f"script: {error}")

    def _response(self, response: Response) -> None:
        if response.status >= 400:
            self.complaints.append(f"{response.status} for {response.url}")

    async def goes_sideways(self) -> bool:
        """Whether something is wider than the window, so that the page scrolls sideways."""
        return bool(
            await self.page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
        )

    async def picture(self, path: Path) -> None:
        await self.page.evaluate("document.fonts.ready")
        await self.page.screenshot(path=path)
