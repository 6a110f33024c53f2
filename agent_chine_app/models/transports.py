from django.db import models
from django.utils.translation import gettext_lazy as _


class Transport(models.TextChoices):
    """How a parcel travels from China to Mali."""

    CARGO = "cargo", _("Air cargo")
    EXPRESS = "express", _("Express")
    BATEAU = "bateau", _("Ship")
