"""Somebody at the keyboard."""

from dataclasses import dataclass

from playwright.sync_api import Page, expect


@dataclass(frozen=True)
class Person:
    """Who signs in with a name and a password."""

    name: str
    password: str

    def sign_in(self, page: Page, address: str) -> None:
        """Go through the sign-in page by keyboard, as far as the admin's first page."""
        page.goto(f"{address}/admin/")
        page.get_by_label("Username").fill(self.name)
        page.keyboard.press("Tab")
        page.keyboard.type(self.password)
        page.keyboard.press("Enter")
        expect(page).to_have_url(f"{address}/admin/")


def overflows(page: Page) -> int:
    """Give by how many pixels a page is wider than its window: 0 on one that fits a phone."""
    page.wait_for_load_state()  # one that is on its way has no element yet
    return int(
        page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    )
