"""What people with disabilities could not use, found by Deque's axe-core."""

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# What is folded away is looked at too, but menus: an open one covers the page.
UNFOLD = "for (const fold of document.querySelectorAll('details:not(.menu)')) fold.open = true;"
ASK = """async (tags) => {
  const rules = { type: "tag", values: tags };
  const found = await axe.run({ runOnly: rules, resultTypes: ["violations"], preload: false });
  return found.violations.flatMap((rule) => rule.nodes.map((node) =>
    `${rule.id}: ${node.target.join(" ")}: ${node.failureSummary.replace(/\\s+/g, " ")}`));
}"""


def violations(page: Page, name: str) -> list[str]:
    """The violations of WCAG 2.2 AA on this page, by day and by night; each with the page's name, and where it is."""
    page.evaluate(UNFOLD)
    page.evaluate(Axe().axe_script)
    found = [f"{name}, light: {violation}" for violation in _ask(page)]
    page.emulate_media(color_scheme="dark")
    found += [f"{name}, dark: {violation}" for violation in _ask(page)]
    page.emulate_media(color_scheme="light")
    return found


def _ask(page: Page) -> list[Any]:
    return page.evaluate(ASK, TAGS)
