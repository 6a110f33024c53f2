"""How many attempts were made since counting began, by how they ended: counters for Prometheus, kept in Redis.

Nobody who sends counts anything. Whoever is asked for the figures reads the attempts that have been written since they
were asked for last, by their ids, and adds them. Should Redis forget, it begins anew from none; Prometheus copes.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import redis
from django.db import connection

from whatsapp_monitoring_app.services import shared_memory

KEY = "metrics:attempts"
_MARK = "counted until"  # among the counters: the id of the last attempt that is in them
# An id is taken before its transaction ends: when an attempt is older than this, those with lower ids are visible.
SETTLED_AFTER = timedelta(seconds=30)
# At most so many are counted when somebody asks, so that it stays short; the next one goes on.
AT_ONCE = 20_000


@dataclass(frozen=True)
class Kind:
    """Attempts that are counted together. `sender` is the key of the sender, as text."""

    office: str
    sender: str
    outcome: str
    error_class: str


def count(at: datetime) -> Mapping[Kind, int]:
    """How many attempts of each kind there were. Two at once count nothing twice. Raises redis.RedisError."""
    client = shared_memory.client()
    with client.pipeline() as pipeline:
        pipeline.watch(KEY)  # type: ignore[no-untyped-call]
        # The client's types do not know that a watching pipeline answers at once.
        _add(pipeline, pipeline.hget(KEY, _MARK), at)  # type: ignore[arg-type]
        with suppress(redis.WatchError):  # somebody else has counted them meanwhile
            pipeline.execute()
    stored: Mapping[bytes, bytes] = client.hgetall(KEY)  # type: ignore[assignment]
    return {_kind(name): int(number) for name, number in stored.items() if name != _MARK.encode()}


def _add(pipeline: "redis.client.Pipeline", mark: bytes | None, at: datetime) -> None:
    """Put what is to be added into the pipeline."""
    newest = _ask(_NEWEST, {"until": at - SETTLED_AFTER})
    last = newest[0][0] if newest else 0
    pipeline.multi()
    if mark is None or int(mark) > last:  # the first time; or the table is a restored one
        pipeline.hset(KEY, _MARK, last)
        return
    found = _ask(_ENDED, {"mark": int(mark), "last": last, "at_once": AT_ONCE})
    for office, sender, outcome, error_class, number, _end in found:
        pipeline.hincrby(KEY, "|".join([office, str(sender or ""), outcome, error_class]), number)
    if found:
        pipeline.hset(KEY, _MARK, max(row[-1] for row in found))


def _kind(name: bytes) -> Kind:
    return Kind(*name.decode().split("|"))


_NEWEST = (
    "SELECT id FROM whatsapp_monitoring_app_whatsappattempt WHERE finished_at <= %(until)s ORDER BY id DESC LIMIT 1"
)
_ENDED = """
WITH ended AS (
  SELECT id, notification_id, sender_id, outcome, error_class FROM whatsapp_monitoring_app_whatsappattempt
  WHERE id > %(mark)s AND id <= %(last)s ORDER BY id LIMIT %(at_once)s
)
SELECT n.source_app, e.sender_id, e.outcome, e.error_class, count(*), max(e.id)
FROM ended e JOIN whatsapp_monitoring_app_whatsappnotification n ON n.code = e.notification_id
GROUP BY 1, 2, 3, 4
"""


def _ask(statement: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())
