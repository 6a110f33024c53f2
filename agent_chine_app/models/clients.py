from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import phones


class ClientQuerySet(models.QuerySet["Client"]):
    def matching(self, text: str) -> Self:
        """Clients whose name, telephone, e-mail or parcel contain `text`."""
        words = text.split()
        if len(words) > 1 and not any(character.isdigit() for character in text):
            return self._named(words)
        return self.filter(
            Q(user__first_name__icontains=text)
            | Q(user__last_name__icontains=text)
            | Q(user__telephone__contains=text.replace(" ", ""))
            | Q(user__email__icontains=text)
            | Q(pk__in=Client.objects.filter(colis__numero_suivi__icontains=text).values("pk"))
        )

    def _named(self, words: list[str]) -> Self:
        """Each word in the first name or in the last one, in whatever order they are said."""
        found = self
        for word in words:
            found = found.filter(Q(user__first_name__icontains=word) | Q(user__last_name__icontains=word))
        return found


class Client(models.Model):
    """Somebody whom the company ships for. Who they are is on their account; this says that they are a client."""

    class Country(models.TextChoices):
        MALI = "ML", _("Mali")
        IVORY_COAST = "CI", _("Côte d’Ivoire")
        SENEGAL = "SN", _("Senegal")
        BURKINA_FASO = "BF", _("Burkina Faso")
        GUINEA = "GN", _("Guinea")
        NIGER = "NE", _("Niger")
        MAURITANIA = "MR", _("Mauritania")
        CHINA = "CN", _("China")
        FRANCE = "FR", _("France")
        ELSEWHERE = "", _("Another country")

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="client", verbose_name=_("account")
    )
    country = models.CharField(_("country"), max_length=2, choices=Country, blank=True, default=Country.MALI)
    shares_phone = models.BooleanField(
        _("shared telephone"), default=False, help_text=_("Others use this telephone too: say who the parcel is for.")
    )
    note = models.CharField(
        _("note"), max_length=300, blank=True, help_text=_("For the agents; clients never see it.")
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("created by")
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now)

    objects = ClientQuerySet.as_manager()

    class Meta:
        verbose_name = _("client")
        verbose_name_plural = _("clients")
        ordering = ("-created_at", "-pk")

    def __str__(self) -> str:
        return str(self.user)

    @property
    def choice_label(self) -> str:
        """The client where one is chosen among many: two people may have one name."""
        return f"{self} · {phones.for_people(self.user.telephone)}"
