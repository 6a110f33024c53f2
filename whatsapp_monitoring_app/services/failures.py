"""What waits for a person now, and what went wrong in a period: by cause and by person, in one query."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from whatsapp_monitoring_app import scopes
from whatsapp_monitoring_app.models.notification_queries import SILENCE
from whatsapp_monitoring_app.models.senders import WITHOUT_RECEIPTS
from whatsapp_monitoring_app.scopes import Scope
from whatsapp_monitoring_app.services import ledger, statistics
from whatsapp_monitoring_app.services.statistics import Cause

# What the dashboard names; the list has the others.
CAUSES_AT_MOST = 50
PEOPLE_AT_MOST = 5
# The latest failures of each office, among which people are looked for who were missed several times.
LATELY = 200
# The latest accepted messages of each sender, among which those without a receipt are counted.
SILENT_AT_MOST = 500
# Once may be bad luck.
OFTEN = 2


@dataclass(frozen=True)
class CodedCause(Cause):
    """The same, with how many of them for each code that the provider gave."""

    codes: Sequence[tuple[str, int]]


@dataclass(frozen=True)
class Unlucky:
    """Somebody to whom several messages have failed."""

    pk: int
    telephone: str
    name: str
    count: int


@dataclass(frozen=True)
class FailingTemplate:
    """A template of ours whose messages have failed, by its code."""

    code: str
    label: str
    count: int


@dataclass(frozen=True)
class Failures:
    """Now: `waiting`, `unconfirmed`, `to_handle` (and why). Of the last week: `silent`. In the period: the others.

    There may be more silent ones than so many (`is_silent_bounded`).
    """

    waiting: int
    unconfirmed: int
    to_handle: int
    open_causes: Sequence[Cause]
    silent: int
    is_silent_bounded: bool
    causes: Sequence[CodedCause]
    people: Sequence[Unlucky]
    templates: Sequence[FailingTemplate]


class Share(NamedTuple):
    """So many are waiting, unconfirmed, or failed and to be handled for this cause (`first`), now; failed since a
    moment for this "cause", with this code (`second`), or as messages of this "template" (its code and its name), or
    to this "person" (key, telephone and name); or are "silent", and there may be more ("true").
    """

    sort: str
    first: str
    second: str
    third: str
    number: int


def of(scope: Scope, since: datetime, at: datetime) -> Failures:
    """What waits now of what this office sees, and what went wrong with what was created since a full hour."""
    shares: defaultdict[str, list[Share]] = defaultdict(list)
    for share in _shares(scope, since, at):
        shares[share.sort].append(share)
    (silent,) = shares["silent"]
    return Failures(
        waiting=sum(share.number for share in shares["waiting"]),
        unconfirmed=sum(share.number for share in shares["unconfirmed"]),
        to_handle=sum(share.number for share in shares["failed"]),
        open_causes=[Cause(share.first, share.number) for share in shares["failed"]],
        silent=silent.number,
        is_silent_bounded=silent.first == "true",
        causes=_causes(shares["cause"][:CAUSES_AT_MOST]),
        people=[Unlucky(int(share.first), *share[2:]) for share in shares["person"]],
        templates=[
            FailingTemplate(share.first, share.second, share.number) for share in shares["template"][:PEOPLE_AT_MOST]
        ],
    )


def _causes(shares: Iterable[Share]) -> list[CodedCause]:
    """The most frequent cause first, and so are its codes."""
    codes: dict[str, list[tuple[str, int]]] = {}
    for share in shares:
        codes.setdefault(share.first, []).append((share.second, share.number))
    causes = [CodedCause(cause, sum(count for _, count in counts), counts) for cause, counts in codes.items()]
    return sorted(causes, key=lambda cause: -cause.count)


def _accepted(sender: str) -> str:
    return f"""
    SELECT code FROM whatsapp_monitoring_app_whatsappnotification
    WHERE status = 'sent' AND sender_id {sender} AND created_at >= %(since)s AND created_at < %(until)s
      AND sent_at < %(until)s AND {ledger.IN_SCOPE}
    ORDER BY created_at DESC LIMIT %(at_most)s
    """  # noqa: S608 - our own words


# Who was missed how often, and which messages were not heard of, is asked row by row: of the latest only.
_SHARES = f"""
WITH failure AS MATERIALIZED (
  SELECT error_class, error_code, template, sum(count)::integer AS count FROM whatsapp_failure_counts
  WHERE hour >= %(begin)s AND {ledger.IN_SCOPE} GROUP BY 1, 2, 3
), lately AS (
  SELECT latest.user_id FROM unnest(%(offices)s::text[]) AS offices (office), LATERAL (
    SELECT user_id FROM whatsapp_monitoring_app_whatsappnotification
    WHERE status = 'failed' AND source_app = office AND created_at >= %(begin)s
    ORDER BY created_at DESC LIMIT %(lately)s
  ) latest
  WHERE user_id IS NOT NULL
), often AS (
  SELECT user_id FROM lately GROUP BY 1 HAVING count(*) >= %(often)s ORDER BY count(*) DESC, 1 LIMIT %(people)s
), accepted AS (
  SELECT latest.code FROM whatsapp_monitoring_app_whatsappsender sender, LATERAL ({_accepted("= sender.id")}) latest
  WHERE sender.provider <> ALL (%(without_receipts)s)
  UNION ALL
  SELECT code FROM ({_accepted("IS NULL")}) latest
)
SELECT state AS sort, error_class AS first, '' AS second, '' AS third, sum(count)::integer AS number
FROM whatsapp_backlog WHERE {ledger.IN_SCOPE} GROUP BY 1, 2 HAVING sum(count) <> 0
UNION ALL
SELECT 'cause', error_class, error_code, '', sum(count)::integer FROM failure GROUP BY 2, 3 HAVING sum(count) <> 0
UNION ALL
SELECT 'template', code, label, '', sum(count)::integer
FROM failure JOIN whatsapp_monitoring_app_whatsapptemplate template ON template.id = failure.template
GROUP BY 2, 3 HAVING sum(count) <> 0
UNION ALL
SELECT 'person', id::text, telephone, trim(first_name || ' ' || last_name), (
    SELECT count(*) FROM whatsapp_monitoring_app_whatsappnotification
    WHERE user_id = person.id AND status = 'failed' AND created_at >= %(begin)s AND {ledger.IN_SCOPE})
FROM accounts_user person WHERE id IN (SELECT user_id FROM often)
UNION ALL
SELECT 'silent', (count(*) >= %(at_most)s)::text, '', '', count(*) FILTER (WHERE NOT EXISTS (
    SELECT FROM whatsapp_monitoring_app_whatsappreceipt WHERE notification_id = accepted.code))
FROM accepted
ORDER BY number DESC, first, second
"""  # noqa: S608 - our own words


def _shares(scope: Scope, begin: datetime, at: datetime) -> list[Share]:
    """The greatest first."""
    rows = ledger.ask(
        _SHARES,
        scope,
        offices=list(scopes.all_scopes()) if scope.sees_every_office else [scope.office],
        begin=begin,
        lately=LATELY,
        often=OFTEN,
        people=PEOPLE_AT_MOST,
        since=at - statistics.WEEK,
        until=at - SILENCE,
        at_most=SILENT_AT_MOST,
        without_receipts=sorted(WITHOUT_RECEIPTS),
    )
    return [Share(*row) for row in rows]
