"""Rows made by PostgreSQL itself: a hundred thousand a second."""

import psycopg
from psycopg import sql

SLICE = 200_000  # rows of one statement
FIRST_NUMBER = 70_000_000
NOTIFICATIONS = "whatsapp_monitoring_app_whatsappnotification"
ATTEMPTS = "whatsapp_monitoring_app_whatsappattempt"
# A pace that is asked for with every message, and stops none of these.
RATE = 1_000_000
ACCOUNT = "100000000000001"
CODE = "md5('benchmark' || n)::uuid"
TELEPHONE = f"'+223' || ({FIRST_NUMBER} + n)"

SENDERS = f"UPDATE whatsapp_monitoring_app_whatsappsender SET rate_per_second = {RATE}"  # noqa: S608 - a number of ours
PEOPLE = f"""
INSERT INTO accounts_user (telephone, password, is_superuser, is_staff, is_active, first_name, last_name, email,
                           date_joined, role, language, time_zone)
SELECT {TELEPHONE}, '!', false, false, true, 'Awa', 'Traoré ' || n, '', now(), 'client', 'fr', 'Africa/Bamako'
FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n
"""  # noqa: S608 - constants of ours
# What a client wrote opens the 24-hour window: free text may be sent to them.
LETTERS = f"""
INSERT INTO whatsapp_monitoring_app_whatsappinbound (provider, provider_message_id, account_id, phone_number,
                                                     profile_name, text, occurred_at, received_at)
SELECT 'cloud_api', 'wamid.inbound.' || n, '{ACCOUNT}', {TELEPHONE}, 'Awa', 'Bonjour', now() - interval '1 hour', now()
FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n
"""  # noqa: S608 - constants of ours


def open_senders(database_url: str) -> None:
    """Let the senders be as fast as they can: the limit of the provider is not what is measured."""
    with psycopg.connect(database_url) as connection:
        connection.execute(SENDERS)


def add_people(database_url: str, first: int, count: int) -> None:
    """Clients of these numbers who have written lately."""
    which = {"first": first, "last": first + count - 1}
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(PEOPLE, which)
        connection.execute(LETTERS, which)
        connection.execute("ANALYZE accounts_user, whatsapp_monitoring_app_whatsappinbound")  # as autovacuum does


def multiply(
    connection: psycopg.Connection[tuple[object, ...]], table: str, numbers: range, changes: dict[str, str]
) -> None:
    """Add a copy of one of the table's own rows for each number.

    They are taken in turn from the table `samples`, which `take_samples` has filled. `changes` are SQL expressions by
    column; they may use the number `n` and the `sample`.
    """
    columns = [column for column in _columns(connection, table) if column != "id"]
    values = [
        sql.SQL(changes[name].replace("%", "%%")) if name in changes else sql.Identifier("sample", name)
        for name in columns
    ]
    statement = sql.SQL(
        "INSERT INTO {table} ({columns}) SELECT {values} FROM generate_series(%s::bigint, %s::bigint) AS n "
        "JOIN samples sample ON sample.slot = n %% (SELECT count(*) FROM samples) ORDER BY n"
    ).format(
        table=sql.Identifier(table),
        columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
        values=sql.SQL(", ").join(values),
    )
    connection.execute(statement, [numbers.start, numbers.stop - 1])


def multiply_in_slices(
    connection: psycopg.Connection[tuple[object, ...]], table: str, numbers: range, changes: dict[str, str]
) -> None:
    """The same for millions of numbers, in several statements, so that PostgreSQL need not sort them on disk."""
    for start in range(0, len(numbers), SLICE):
        multiply(connection, table, numbers[start : start + SLICE], changes)


def take_samples(connection: psycopg.Connection[tuple[object, ...]], table: str, count: int) -> None:
    """Remember so many rows of the table as samples."""
    connection.execute("DROP TABLE IF EXISTS samples")
    statement = "CREATE TABLE samples AS SELECT row_number() OVER () - 1 AS slot, * FROM {} LIMIT {}"
    connection.execute(sql.SQL(statement).format(sql.Identifier(table), sql.Literal(count)))


def _columns(connection: psycopg.Connection[tuple[object, ...]], table: str) -> list[str]:
    rows = connection.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_name = %s AND is_generated = 'NEVER' "
        "ORDER BY ordinal_position",
        [table],
    )
    return [str(row[0]) for row in rows]
