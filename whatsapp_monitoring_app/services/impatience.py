"""Asking a database that may be away, or hang, without waiting for it."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DEFAULT_DB_ALIAS, connection, connections, transaction

# Seconds. The driver takes no less than two for a connection.
PATIENCE = 2


@contextmanager
def impatient_database(patience: float = PATIENCE) -> Iterator[None]:
    """What this thread asks in the block goes over a connection of its own, which reads only and gives up soon.

    The usual one may be kept from earlier, and hang for as long as the system believes in it. Raises what the database
    raises: django.db.Error.
    """
    usual = connections[DEFAULT_DB_ALIAS]
    hurried = usual.copy()
    options = {"connect_timeout": PATIENCE, "tcp_user_timeout": PATIENCE * 1000}
    hurried.settings_dict["OPTIONS"] = {**hurried.settings_dict["OPTIONS"], **options}
    connections[DEFAULT_DB_ALIAS] = hurried
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION READ ONLY")
                cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(int(patience * 1000))])
            yield
    finally:
        hurried.close()
        connections[DEFAULT_DB_ALIAS] = usual
