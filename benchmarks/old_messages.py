"""Messages that are older than the retention, with all that hangs on them, and some that are not."""

import psycopg

from benchmarks import rows

KEPT_SHARE = 10  # one message that stays for so many old ones
# How many days ago the first and the last of them were created; what is older than 90 goes.
OLD, KEPT = (180, 120), (80, 20)
RECEIPTS = "whatsapp_monitoring_app_whatsappreceipt"
SUBJECTS = "whatsapp_monitoring_app_whatsappsubject"
# How many rows of each table hang on a message.
CHILDREN = {rows.ATTEMPTS: 1, RECEIPTS: 2, SUBJECTS: 1}
ROWS_EACH = 1 + sum(CHILDREN.values())
LEFT = f"""
SELECT (SELECT count(*) FROM {rows.NOTIFICATIONS} WHERE created_at < now() - interval '90 days'),
       (SELECT count(*) FROM {RECEIPTS}), (SELECT count(*) FROM {SUBJECTS})
"""  # noqa: S608 - constants of ours


def fill(database_url: str, old: int) -> None:
    """Copy the one message that is there, so many times as an old one, and a tenth of it as one that stays."""
    everything = range(old + old // KEPT_SHARE)
    with psycopg.connect(database_url, autocommit=True) as connection:
        # The copies refer to what is there.
        connection.execute("SET session_replication_role = replica")
        rows.take_samples(connection, rows.NOTIFICATIONS, 1)
        for numbers, days in ((everything[:old], OLD), (everything[old:], KEPT)):
            rows.multiply_in_slices(connection, rows.NOTIFICATIONS, numbers, _message(numbers, days))
        for table, each in CHILDREN.items():
            rows.take_samples(connection, table, each)
            rows.multiply_in_slices(connection, table, range(len(everything) * each), _child(table, each))
        connection.execute("VACUUM (ANALYZE)")  # as autovacuum does
        connection.execute("CHECKPOINT")


def check_that_they_are_gone(database_url: str, old: int) -> None:
    """Raises AssertionError unless the old ones are gone with all of theirs, and the others are whole.

    Who sends meanwhile leaves attempts, but neither receipts nor subjects.
    """
    with psycopg.connect(database_url) as connection:
        left = connection.execute(LEFT.encode()).fetchone()
    kept = old // KEPT_SHARE + 1  # the pattern stays too
    expected = (0, kept * CHILDREN[RECEIPTS], kept * CHILDREN[SUBJECTS])
    if left != expected:
        raise AssertionError(f"old messages, receipts, subjects: {left} are left instead of {expected}")


def _message(numbers: range, days: tuple[int, int]) -> dict[str, str]:
    first, last = days
    age = f"interval '{first} days' - interval '{first - last} days' * (n - {numbers.start}) / {len(numbers)}"
    return {
        "code": rows.CODE,
        "phone_number": f"'+223' || ({rows.FIRST_NUMBER} + n % 5000)",
        "provider_message_id": "'wamid.benchmark.' || n",
        "created_at": f"now() - ({age})",
    }


def _child(table: str, each: int) -> dict[str, str]:
    code = f"md5('benchmark' || n / {each})::uuid"
    if table != RECEIPTS:
        return {"notification_id": code}
    return {
        "notification_id": code,
        "provider_message_id": f"'wamid.benchmark.' || n / {each}",
        "tracking": f"({code})::text",
    }
