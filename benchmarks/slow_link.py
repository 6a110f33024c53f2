"""What the monitoring costs on a slow telephone and a slow network: when it can be read, and how many bytes it takes.

    .venv/bin/python -m benchmarks.slow_link http://127.0.0.1:8000 +8613800138000 demo-ts-2026

It logs in to a running site without any brake, then opens the dashboard and the list twice each in a headless Chromium
of 360 pixels: 400 kbit/s, 400 ms there and back, a processor four times slower. “First” is a browser that was never
here, “later” one that has the static files. The brake knows nothing of connecting: to a very first visit with https
come three more ways there and back. The figures depend on the machine and on who compresses: no test looks at them.
"""

import argparse
import os
import shutil
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

PAGES = {"dashboard": "whatsapp/monitoring/", "list": "whatsapp/monitoring/list/"}
LINK = {
    "offline": False,
    "latency": 400,  # milliseconds
    "downloadThroughput": 400_000 / 8,  # bytes a second
    "uploadThroughput": 400_000 / 8,
}
SLOWER_PROCESSOR = 4
PATIENCE = 120_000  # milliseconds
# Milliseconds until the largest text or picture stood there and until everything was loaded; how far things jumped.
MEASURE = """async () => {
  const entries = (type) => new Promise((resolve) => {
    new PerformanceObserver((list) => resolve(list.getEntries())).observe({ type, buffered: true });
    setTimeout(() => resolve([]), 500);
  });
  const [paints, shifts] = [await entries("largest-contentful-paint"), await entries("layout-shift")];
  return {
    lcp: paints.at(-1)?.startTime ?? NaN,
    load: performance.getEntriesByType("navigation")[0].loadEventEnd,
    cls: shifts.filter((shift) => !shift.hadRecentInput).reduce((sum, shift) => sum + shift.value, 0),
  };
}"""


@dataclass(frozen=True)
class Site:
    address: str
    telephone: str
    password: str


def main() -> None:
    site = _site_of_arguments()
    path = os.environ.get("CHROMIUM_PATH") or shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        office, state = _log_in(browser, site)
        print("page        visit  LCP s  load s     KB    CLS  requests")
        for name, path in PAGES.items():
            _measure_page(browser, state, name, office + path)
        browser.close()


def _site_of_arguments() -> Site:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address")
    parser.add_argument("telephone")
    parser.add_argument("password")
    given = parser.parse_args()
    return Site(given.address.rstrip("/"), given.telephone, given.password)


def _log_in(browser: Browser, site: Site) -> tuple[str, Any]:
    """The address of the person's office, and the cookies that open it."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{site.address}/login/")
    page.locator("[name=username]").fill(site.telephone)
    page.locator("[name=password]").fill(site.password)
    page.locator("main form .btn-primary").click()
    page.wait_for_url(lambda url: "/login/" not in url)
    office = page.locator(".brand").evaluate("() => location.pathname.split('/')[1]")
    state = context.storage_state()
    context.close()
    return f"{site.address}/{office}/", state


def _measure_page(browser: Browser, state: Any, name: str, address: str) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 800}, storage_state=state)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.emulateNetworkConditions", LINK)
    session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER_PROCESSOR})
    for visit in ("first", "later"):
        _print_visit(page, session, name, visit, address)
    context.close()


def _print_visit(page: Page, session: CDPSession, name: str, visit: str, address: str) -> None:
    sizes: list[float] = []

    def note(finished: dict[str, Any]) -> None:
        sizes.append(finished["encodedDataLength"])

    session.on("Network.loadingFinished", note)
    page.goto(address)
    page.wait_for_load_state("networkidle")
    session.remove_listener("Network.loadingFinished", note)
    sent = [size for size in sizes if size > 0]
    figures = page.evaluate(MEASURE)
    print(
        f"{name:<10} {visit:>6} {figures['lcp'] / 1000:6.2f} {figures['load'] / 1000:7.2f} "
        f"{sum(sent) / 1000:6.1f} {figures['cls']:6.3f} {len(sent):9}"
    )


if __name__ == "__main__":
    main()
