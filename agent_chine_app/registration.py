"""What is written down about a parcel when it is received, and corrected later. Where it is, its steps say."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from django.core.files.base import ContentFile
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from agent_chine_app.models import Colis, ColisStep, Lot
from agent_chine_app.notifications import notify_colis_created, tell

FACTS = ("description", "weight_kg", "pieces", "length_cm", "width_cm", "height_cm", "transport", "fee_fcfa")


class RegistrationRefusal(Exception):
    """This cannot be written down about the parcel as it is; nothing changed. The message says why, for people."""


@contextmanager
def _whole_or_nothing() -> Iterator[ExitStack]:
    """A transaction that also undoes what the stack is told, when it is rolled back."""
    with ExitStack() as undo:
        with transaction.atomic():
            yield undo
        undo.pop_all()


def register(draft: Colis, photo: ContentFile[bytes] | None, by: User) -> tuple[Colis, str]:
    """The parcel that `draft` describes, received in China, and its client told; with it, why they cannot be, or "".

    The same request twice is one parcel, as it was described first.
    """
    facts = {name: getattr(draft, name) for name in ("client", *FACTS)}
    with _whole_or_nothing() as undo:
        colis, is_new = Colis.objects.get_or_create(request_id=draft.request_id, defaults={**facts, "created_by": by})
        if is_new:
            ColisStep.objects.create(colis=colis, kind=ColisStep.Kind.RECEIVED, at=colis.created_at, by=by)
        if is_new and photo:
            _keep_photo(colis, photo, undo)
        return colis, tell(colis, notify_colis_created)


def correct(
    colis: Colis, facts: Mapping[str, Any], photo: ContentFile[bytes] | None = None, *, without_photo: bool = False
) -> None:
    """Write these facts about the parcel, keep this photo instead of the old one, or none with `without_photo`.

    Raises RegistrationRefusal when the transport changes although the parcel is in a lot.
    """
    with _whole_or_nothing() as undo:
        now = Colis.objects.select_for_update(of=("self",)).select_related("lot").get(pk=colis.pk)
        if now.lot and facts.get("transport", now.transport) != now.transport:
            raise RegistrationRefusal(why_transport_stays(now.lot))
        Colis.objects.filter(pk=now.pk).update(**facts)
        if photo or (without_photo and now.photo):
            _keep_photo(now, photo, undo)


def why_transport_stays(lot: Lot) -> str:
    """What to say of the transport of a parcel that is in this lot."""
    names = {"lot": lot, "transport": lot.get_transport_display()}
    if lot.status == Lot.Status.OPEN:
        return _("The parcel is in lot %(lot)s (%(transport)s): take it out before you change its transport.") % names
    return _("The parcel travels with lot %(lot)s (%(transport)s): its transport can no longer change.") % names


def _keep_photo(colis: Colis, photo: ContentFile[bytes] | None, undo: ExitStack) -> None:
    """This photo, or none, is the parcel's from now on; the file of the one before goes with the commit."""
    old = colis.photo.name
    if photo:
        colis.photo.save("photo.jpg", photo, save=False)
        undo.callback(colis.photo.storage.delete, str(colis.photo.name))
    else:
        colis.photo = ""
    colis.save(update_fields=["photo"])
    if old:
        transaction.on_commit(partial(colis.photo.storage.delete, old))
