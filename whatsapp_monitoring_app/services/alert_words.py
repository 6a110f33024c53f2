"""Each incident in one plain sentence, what to do about it, and where: for agents what it means to them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.models import AlertKind, ErrorClass, WhatsAppAlert
from whatsapp_monitoring_app.scopes import Scope
from whatsapp_monitoring_app.services.explanations import EXPLANATIONS, Explanation, Owner
from whatsapp_monitoring_app.services.pulses import Life, Pulse
from whatsapp_monitoring_app.services.search import Filters

# They ask for somebody soon; the others stop everything, or a whole office.
WARNINGS = (AlertKind.TOKEN_EXPIRY, AlertKind.TEMPLATE_HELD)


@dataclass(frozen=True)
class Words:
    """`link` is an address of this site without its host, or "" when there is nothing to open."""

    sentence: str
    advice: str
    link: str = ""
    link_label: str = ""


def of(alert: WhatsAppAlert, scope: Scope) -> Words:
    """What people of this office are told of the alert, in the language and the time zone that are active."""
    return _WORDS[AlertKind(alert.kind)](alert.facts, alert.source_app, scope)


def is_warning(alert: WhatsAppAlert) -> bool:
    """Whether it is only a warning yet: what needs care, but stops nothing by itself."""
    return alert.kind in WARNINGS


def of_silence(pulse: Pulse, scope: Scope) -> Words:
    """What people of this office are told of a part that gives no sign of life."""
    facts = {} if pulse.life is Life.NEVER_SEEN or pulse.at is None else {"since": pulse.at.isoformat()}
    return _WORDS[pulse.kind_of_alert](facts, "", scope)


def _workers_silent(facts: dict[str, Any], office: str, scope: Scope) -> Words:
    if "since" in facts:
        sentence = _("Nothing is being sent: the workers have been silent since %(moment)s.")
    else:
        sentence = _("Nothing is being sent: no worker was ever seen here.")
    return Words(
        sentence % {"moment": _moment(facts)},
        _("No message is lost. Start a worker: what waits then leaves by itself.")
        if scope.sees_every_office
        else _("The messages wait, and leave by themselves. Tell an administrator; call whoever must know at once."),
    )


def _beat_silent(facts: dict[str, Any], office: str, scope: Scope) -> Words:
    if "since" in facts:
        sentence = _("New attempts and reminders wait: the scheduler has been silent since %(moment)s.")
    else:
        sentence = _("New attempts and reminders wait: the scheduler was never seen here.")
    return Words(
        sentence % {"moment": _moment(facts)},
        _("New messages still leave. Start the scheduler (beat), exactly one.")
        if scope.sees_every_office
        else _("New messages still leave; the others wait, and leave by themselves. Tell an administrator."),
    )


def _circuit_open(facts: dict[str, Any], office: str, scope: Scope) -> Words:
    names = {"names": ", ".join(facts["senders"])}
    sentence = ngettext(
        "The sender %(names)s is stopped.", "The senders %(names)s are stopped.", len(facts["senders"])
    )
    explanation = EXPLANATIONS[ErrorClass(facts["error_class"])]
    advice = on_a_stop(explanation, scope)
    return Words(f"{sentence % names} {explanation.meaning}", advice, *_sender_page(facts, scope))


def on_a_stop(explanation: Explanation, scope: Scope) -> str:
    """What people of this office do about a sender that is stopped so."""
    if scope.sees_every_office and explanation.owner is Owner.ADMINISTRATOR:
        return _("It needs a new token, or what its provider asks for. What waits leaves by itself afterwards.")
    return str(explanation.advice)


def _token_expiry(facts: dict[str, Any], office: str, scope: Scope) -> Words:
    ends = datetime.fromisoformat(facts["ends"])
    values = {"names": ", ".join(facts["senders"]), "day": date_format(timezone.localtime(ends), "DATE_FORMAT")}
    if facts["is_past"]:
        sentence = ngettext(
            "The token of the sender %(names)s expired on %(day)s.",
            "The token of the senders %(names)s expired on %(day)s.",
            len(facts["senders"]),
        )
    else:
        sentence = ngettext(
            "The token of the sender %(names)s expires on %(day)s.",
            "The token of the senders %(names)s expires on %(day)s.",
            len(facts["senders"]),
        )
    advice = _("Without a new one its messages wait.")
    if not scope.sees_every_office:
        advice = f"{advice} {_('Tell an administrator.')}"
    return Words(sentence % values, advice, *_sender_page(facts, scope))


def _template_held(facts: dict[str, Any], office: str, scope: Scope) -> Words:
    values = {"total": facts["count"], "label": facts["template"]}
    if facts["template"]:
        sentence = ngettext(
            "%(total)s message waits for the template “%(label)s”, which cannot be used now.",
            "%(total)s messages wait for the template “%(label)s”, which cannot be used now.",
            facts["count"],
        )
    else:
        sentence = ngettext(
            "%(total)s message waits for a template that cannot be used now.",
            "%(total)s messages wait for a template that cannot be used now.",
            facts["count"],
        )
    if not scope.sees_every_office:
        return Words(
            sentence % values,
            _("Tell an administrator. The messages leave by themselves when the template works again."),
        )
    return Words(
        sentence % values,
        _("Mend the template at the provider, then synchronise: the messages leave by themselves."),
        reverse(f"{scope.office}:whatsapp_templates"),
        _("See the message templates"),
    )


def _failure_rate(facts: dict[str, Any], office: str, scope: Scope) -> Words:
    sentence = _("%(office)s: %(percent)s %% of the messages of the last hour failed (%(failed)s of %(total)s).")
    filters = Filters(status="to_handle", period="day", source_app=office if scope.sees_every_office else "")
    return Words(
        sentence % {"office": _label(office), **facts},
        _("Look at the causes first. Send again what a new attempt can help, and call the others."),
        _list(scope, filters),
        _("See the failed messages"),
    )


def _queue_age(facts: dict[str, Any], office: str, scope: Scope) -> Words:
    sentence = ngettext(
        "%(office)s: %(count)s message waits too long, since %(moment)s.",
        "%(office)s: %(count)s messages wait too long, the oldest since %(moment)s.",
        facts["count"],
    )
    filters = Filters(status="waiting", source_app=office if scope.sees_every_office else "")
    return Words(
        sentence % {"office": _label(office), "count": facts["count"], "moment": _moment(facts)},
        _("See whether its sender is paused or has no account, and whether the workers keep up.")
        if scope.sees_every_office
        else _("The messages wait, and leave by themselves. Tell an administrator; call whoever must know at once."),
        _list(scope, filters),
        _("See the waiting messages"),
    )


def _webhook_silent(facts: dict[str, Any], office: str, scope: Scope) -> Words:
    sentence = _("No receipts come from %(provider)s: nobody knows whether the messages arrive.")
    return Words(
        sentence % facts,
        _(
            "The messages leave. Check the address of the webhook and its subscriptions at the provider, "
            "and that this site can be reached from outside."
        )
        if scope.sees_every_office
        else _("The messages leave. Tell an administrator; call whoever must know at once."),
    )


def _sender_page(facts: dict[str, Any], scope: Scope) -> tuple[str, str]:
    if not scope.sees_every_office:
        return "", ""
    return reverse(f"{scope.office}:whatsapp_sender", args=[facts["sender"]]), _("See the sender")


def _list(scope: Scope, filters: Filters) -> str:
    return f"{reverse(f'{scope.office}:whatsapp_monitoring_list')}?{filters.write()}"


def _label(office: str) -> str:
    scope = scopes.all_scopes().get(office)
    return str(scope.label) if scope else office


def _moment(facts: dict[str, Any]) -> str:
    """The moment since when, by the active clock; only its time while it is today."""
    if "since" not in facts:
        return ""
    moment = timezone.localtime(datetime.fromisoformat(facts["since"]))
    clock = f"{moment:%H:%M}"
    return clock if moment.date() == timezone.localdate() else f"{date_format(moment, 'MONTH_DAY_FORMAT')} {clock}"


_WORDS: dict[AlertKind, Callable[[dict[str, Any], str, Scope], Words]] = {
    AlertKind.FAILURE_RATE: _failure_rate,
    AlertKind.QUEUE_AGE: _queue_age,
    AlertKind.CIRCUIT_OPEN: _circuit_open,
    AlertKind.TOKEN_EXPIRY: _token_expiry,
    AlertKind.TEMPLATE_HELD: _template_held,
    AlertKind.BEAT_SILENT: _beat_silent,
    AlertKind.WORKERS_SILENT: _workers_silent,
    AlertKind.WEBHOOK_SILENT: _webhook_silent,
}
