"""Who sees what, as data.

Each office app carries one Scope on its AppConfig; that is the whole registration. Nothing here is a model, so that
apps.py of an office can import it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from django.apps import apps
from django.utils.functional import Promise
from django.utils.translation import gettext as _

# Speaks for the company, not for an office: accounts and codes.
SYSTEM_SENDER = "systeme"


class UnknownOffice(ValueError):
    """No installed app is this office. Its message is a sentence for people."""

    def __init__(self, office: str) -> None:
        known = ", ".join(sorted(all_scopes()))
        super().__init__(
            _("“%(office)s” is not an office. The offices are: %(known)s.") % {"office": office, "known": known}
        )


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What one office is, sees and may do.

    `office` is the value of `source_app`, the URL namespace and the name of the group. `country` (ISO 3166) is the
    number plan for telephones typed there. `sender` is the code of the WhatsApp sender that speaks for the office, and
    `sender_label` its name until the administrators give it another one.
    """

    office: str
    label: str | Promise
    country: str
    sender: str
    sender_label: str = ""
    sees_every_office: bool = False

    @property
    def codename(self) -> str:
        return f"work_in_{self.office}"

    @property
    def permission(self) -> str:
        return f"accounts.{self.codename}"

    @property
    def voices(self) -> frozenset[str]:
        """The codes of the senders through which this office's clients are written to."""
        return frozenset({self.sender, SYSTEM_SENDER})

    @property
    def masks_numbers(self) -> bool:
        """Whether people's numbers are hidden in this office until somebody asks for one.

        Agents call their clients; who oversees every office seldom has to.
        """
        return self.sees_every_office

    @property
    def app(self) -> str:
        return f"{self.office}_app"

    @property
    def slug(self) -> str:
        """The office as it stands in addresses: "agent-mali"."""
        return self.office.replace("_", "-")

    @property
    def base_template(self) -> str:
        return f"{self.app}/base.html"


@cache
def all_scopes() -> Mapping[str, Scope]:
    """Every installed office, by its code."""
    scopes = (getattr(config, "scope", None) for config in apps.get_app_configs())
    return {scope.office: scope for scope in scopes if scope}


def get(office: str) -> Scope:
    """The office's scope. Raises UnknownOffice."""
    try:
        return all_scopes()[office]
    except KeyError:
        raise UnknownOffice(office) from None


def countries() -> frozenset[str]:
    """The number plans (ISO 3166) of the offices."""
    return frozenset(scope.country for scope in all_scopes().values())
