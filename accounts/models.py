from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.base_user import BaseUserManager
from django.contrib.auth.models import AbstractUser, Group
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts import phones

CLIENT = "client"


class UserManager(BaseUserManager["User"]):
    use_in_migrations = True

    def create_user(self, telephone: str, password: str | None = None, **fields: Any) -> "User":
        """A person who logs in by telephone; without a password, only a first-password link lets them in.

        An office as `role` also gives that office's permission. The number names the time zone, unless one is given.
        Raises accounts.phones.InvalidTelephone.
        """
        number = phones.to_e164(telephone)
        user = self.model(telephone=number, **{"time_zone": phones.time_zone_of(number), **fields})
        user.set_password(password)
        user.save(using=self._db)
        user.join_office_of_role()
        return user

    def create_superuser(self, telephone: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(telephone, password, **{"is_staff": True, "is_superuser": True, **fields})

    def get_by_natural_key(self, username: str | None) -> "User":
        # People type their number as they say it; the login form gives the text as it was typed.
        try:
            return self.get(telephone=phones.to_e164(username or ""))
        except phones.InvalidTelephone:
            return self.get(telephone=username)


class User(AbstractUser):
    """A person: agent, administrator or client. The telephone number (E.164) is the login."""

    username = None  # type: ignore[assignment]
    telephone = models.CharField(
        _("telephone"), max_length=16, unique=True, error_messages={"unique": _("This number already has an account.")}
    )
    role = models.CharField(
        _("role"), max_length=40, default=CLIENT, help_text=_("“client”, or the office where the person works.")
    )
    language = models.CharField(_("language"), max_length=10, default="fr", choices=settings.LANGUAGES)
    time_zone = models.CharField(_("time zone"), max_length=40, default=phones.COMPANY_TIME_ZONE)

    USERNAME_FIELD = "telephone"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects: ClassVar[UserManager] = UserManager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")

    def __str__(self) -> str:
        return self.get_full_name() or self.telephone

    @property
    def is_client(self) -> bool:
        return self.role == CLIENT

    def join_office_of_role(self) -> None:
        """Put the person into the group of the office that their role names, and out of the other offices' groups."""
        offices = Group.objects.filter(permissions__codename__startswith="work_in_").distinct()
        self.groups.remove(*offices.exclude(name=self.role))
        self.groups.add(*offices.filter(name=self.role))
