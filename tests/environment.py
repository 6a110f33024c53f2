"""The tests' own surroundings, set before Django reads its settings: an early pytest plugin.

PostgreSQL and Valkey are the embedded ones, with a database each per pytest-xdist worker, so that tests neither see
each other's rows nor a running development system's.
"""

import os

from ts_air_cargo import embedded

_worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
REDIS_DATABASE = 1 + int(_worker.removeprefix("gw"))

os.environ.setdefault("DATABASE_URL", embedded.database_url())
# Each worker of pytest-xdist inherits the address of the first process, hence the cut.
os.environ["REDIS_URL"] = (
    f"{os.environ.get('REDIS_URL', '').rpartition('/')[0] or embedded.redis_url().rpartition('/')[0]}/{REDIS_DATABASE}"
)
os.environ["DJANGO_DEBUG"] = "1"
os.environ["WHATSAPP_TEST_PHONE"] = ""
os.environ["WHATSAPP_QUIET_HOURS"] = ""
# Playwright keeps an event loop in the test's own thread, which Django would take for asynchronous code.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
