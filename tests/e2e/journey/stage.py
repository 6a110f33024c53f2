"""Who works on what: the pages of the two offices, the clients, and the system around them."""

from dataclasses import dataclass, replace

from playwright.sync_api import Locator, Page, expect

from accounts.models import User
from agent_chine_app.models import Lot
from tests.conftest import PASSWORD
from tests.e2e.journey.cast import Person, Wave
from tests.stack import Stack
from whatsapp_monitoring_app.models import WhatsAppAnnouncement


@dataclass(frozen=True)
class Stage:
    """One office at work in a browser of its own, on one lot."""

    page: Page
    office: str
    url: str
    stack: Stack
    people: list[Person]
    lot: int = 0

    def with_lot(self, lot: int) -> "Stage":
        return replace(self, lot=lot)

    def open(self, path: str) -> None:
        """A page of the office; it fits the screen."""
        answer = self.page.goto(f"{self.url}/{self.office}/{path}")
        assert answer is not None
        assert answer.ok, (path, answer.status)
        self.fits()

    def open_lot(self, path: str = "") -> None:
        self.open(f"lots/{self.lot}/{path}")

    def fits(self) -> None:
        # A click returns when the new document has begun to come in, which may be before its first element.
        self.page.wait_for_load_state("domcontentloaded")
        overflow = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0, f"{self.page.url} is {overflow} px too wide"

    def press(self, name: str, *, exact: bool = True) -> None:
        self.page.get_by_role("button", name=name, exact=exact).click()

    def is_told(self, sentence: str) -> None:
        """The page says this, and says it well or as a warning."""
        expect(self.page.locator(".alert").filter(has_text=sentence).first).to_be_visible()

    def main(self) -> Locator:
        return self.page.get_by_role("main")

    def says(self, *sentences: str) -> None:
        for sentence in sentences:
            expect(self.main()).to_contain_text(sentence)

    def having(self, *waves: Wave) -> list[Person]:
        """The clients who have parcels of these waves."""
        return [person for person in self.people if person.has(*waves)]

    def announcements(self, message_type: str) -> list[WhatsAppAnnouncement]:
        """What this office has announced of the lot, the oldest first."""
        subject = Lot.objects.get(pk=self.lot).subject
        found = WhatsAppAnnouncement.objects.filter(
            source_app=self.office.replace("-", "_"), subject=subject, message_type=message_type
        )
        return list(found.order_by("created_at"))


def log_in(page: Page, url: str, agent: User) -> None:
    page.goto(f"{url}/login/")
    page.get_by_label("Téléphone").fill(agent.telephone)
    page.get_by_label("Mot de passe").fill(PASSWORD)
    page.get_by_role("button", name="Se connecter").click()
    expect(page.get_by_role("navigation", name="Menu principal")).to_be_visible()
