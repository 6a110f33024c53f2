"""How long things took, from the histograms of the ledger."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from django.utils import timezone

from whatsapp_monitoring_app.scopes import Scope
from whatsapp_monitoring_app.services import ledger

# As whatsapp_place and whatsapp_time_class have it: the digits of a histogram that hold one class, and how much wider
# each class is than the one before.
DIGITS, WIDTH = 12, 1.1
NONE = DIGITS * "0"


@dataclass(frozen=True)
class Spread:
    """How long something took for half of the messages at most, and for 95 of 100; None where there was none."""

    half: timedelta | None
    most: timedelta | None


@dataclass
class Times:
    """How many took how long: a histogram of the ledger, and how many more or fewer in single classes of times."""

    histogram: str = ""
    classes: Counter[int] = field(default_factory=Counter)

    @cached_property
    def spread(self) -> Spread:
        """To within 5 %: so far the middle of a class is from its ends."""
        counts = _read(self.histogram)
        for number, count in self.classes.items():
            counts[number] = counts.get(number, 0) + count
        ordered, total = sorted(counts.items()), sum(counts.values())
        return Spread(_within(-(-50 * total // 100), ordered), _within(-(-95 * total // 100), ordered))


def _within(missing: int, counts: list[tuple[int, int]]) -> timedelta | None:
    """The time of the class in which the last of so many messages is."""
    for number, count in counts:
        missing -= count
        if missing <= 0 < count:
            return timedelta(milliseconds=WIDTH**number - 1)
    return None


_TIMES = f"""
SELECT measure, date_trunc(%(unit)s, hour AT TIME ZONE %(zone)s) AS point, source_app, class, sum(count)::integer,
  sum(histogram)::text
FROM whatsapp_times WHERE hour >= %(begin)s AND {ledger.IN_SCOPE}
GROUP BY measure, class, GROUPING SETS ((2), (source_app), ())
"""  # noqa: S608 - our own words


def since(scope: Scope, begin: datetime, unit: str) -> Mapping[ledger.Name, Mapping[str, Times]]:
    """How long it took until the messages that were created since then were tried, accepted and delivered.

    By point, by office, and of all; then by what was measured.
    """
    found: defaultdict[ledger.Name, defaultdict[str, Times]] = defaultdict(lambda: defaultdict(Times))
    values = {"begin": begin, "unit": unit, "zone": timezone.get_current_timezone_name()}
    for measure, point, office, number, count, histogram in ledger.ask(_TIMES, scope, **values):
        times = found[ledger.name_of(point, office)][measure]
        if number is None:
            times.histogram = histogram
        else:
            times.classes[number] += count
    return found


def _read(histogram: str) -> dict[int, int]:
    """How many are in each class; the last digits are those of the shortest times."""
    length = -(-len(histogram) // DIGITS)
    digits = histogram.zfill(length * DIGITS)
    counts = (digits[start : start + DIGITS] for start in range(0, length * DIGITS, DIGITS))
    return {length - number: int(count) for number, count in enumerate(counts, 1) if count != NONE}
