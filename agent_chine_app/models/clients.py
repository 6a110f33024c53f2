import re
from functools import reduce
from operator import and_, or_
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import phones

# What an agent leaves out, or types on a keyboard without accents.
ACCENTS = {"a": "àâäá", "c": "ç", "e": "éèêë", "i": "îïí", "n": "ñ", "o": "ôöó", "u": "ùûüú", "y": "ÿý"}
PLAIN = {accented: plain for plain, many in ACCENTS.items() for accented in many}
# Shorter pieces of a parcel's number would be found in any.
TELLING_PIECE = 4
# As people read Crockford's letters aloud, and as they take them for digits.
READ_ALOUD = str.maketrans("OIL", "011")


class ClientQuerySet(models.QuerySet["Client"]):
    def matching(self, text: str) -> Self:
        """Clients whom `text` finds.

        By their telephone in any spelling; by a piece of a parcel's number; or by words, in whatever order, each of
        which is in the name, with or without its accents, or in the e-mail, or a piece of the telephone.
        """
        said = phones.without_marks(text).strip()
        digits = phones.pieces(said)
        found = self._has_telephone(digits) if digits else self._has_words(said.split())
        return self.filter(found | self._has_parcel(said))

    def _has_words(self, words: list[str]) -> Q:
        return reduce(and_, (self._has_word(word) for word in words), Q())

    def _has_word(self, word: str) -> Q:
        pattern = _pattern(word)
        named = Q(user__first_name__iregex=pattern) | Q(user__last_name__iregex=pattern)
        return named | Q(user__email__icontains=word) | self._has_telephone(phones.pieces(word))

    def _has_telephone(self, pieces: list[str]) -> Q:
        return reduce(or_, (Q(user__telephone__contains=piece) for piece in pieces), Q(pk__in=[]))

    def _has_parcel(self, text: str) -> Q:
        number = re.sub(r"[\s.\-/]", "", text).upper()
        if len(number) < TELLING_PIECE or not number.isalnum():
            return Q(pk__in=[])
        pieces = {number, number.translate(READ_ALOUD)}
        of_parcels = reduce(or_, (Q(colis__numero_suivi__icontains=piece) for piece in sorted(pieces)))
        return Q(pk__in=Client.objects.filter(of_parcels).values("pk"))


def _pattern(word: str) -> str:
    """A regular expression that finds the word with or without its accents."""
    return "".join(_any_accent(character) for character in word.lower())


def _any_accent(character: str) -> str:
    plain = PLAIN.get(character, character)
    accented = ACCENTS.get(plain, "")
    return f"[{plain}{accented}{accented.upper()}]" if accented else re.escape(character)


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


class NumberChange(models.Model):
    """That a client's number was changed, by whom and when. Changes are only ever added."""

    client = models.ForeignKey(
        Client, on_delete=models.CASCADE, related_name="number_changes", verbose_name=_("client")
    )
    old = models.CharField(_("before"), max_length=16, help_text=_("E.164"))
    new = models.CharField(_("after"), max_length=16, help_text=_("E.164"))
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("changed by")
    )
    at = models.DateTimeField(_("when"))

    class Meta:
        verbose_name = _("change of number")
        verbose_name_plural = _("changes of number")
        ordering = ("-at", "-pk")

    def __str__(self) -> str:
        return f"{self.old} → {self.new}"
