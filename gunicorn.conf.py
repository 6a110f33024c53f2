"""What gunicorn reads when it starts here: how it serves, where its processes count requests together, how it logs."""

import os
import shutil
import tempfile
from typing import Any

import environ

from ts_air_cargo import logs

bind = os.environ.get("GUNICORN_BIND", "0.0.0.0:8000")
worker_class = "gthread"
workers = int(os.environ.get("GUNICORN_WORKERS", "2"))
threads = int(os.environ.get("GUNICORN_THREADS", "8"))
# Seconds. A request that began before a stop is answered; the proxy keeps connections for two minutes, and must never
# meet one that is just being closed here.
timeout = 60
graceful_timeout = 30
keepalive = 150
# A leak never gets far.
max_requests = 20_000
max_requests_jitter = 2_000
# In memory, where there is such a folder: the disk may be read-only, and slow.
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108 - gunicorn's own advice for containers
control_socket_disable = True
# No access log: the addresses of some webhooks carry a secret, those of the tracking page a number.
accesslog = None

# Each web process counts into files of its own there, and whichever is asked for /metrics adds all of them up. It has
# to be known before prometheus_client is imported, and empty when counting begins.
_SHARED = os.environ.get("PROMETHEUS_MULTIPROC_DIR") or tempfile.mkdtemp(prefix="ts-air-cargo-metrics-")
os.environ["PROMETHEUS_MULTIPROC_DIR"] = _SHARED
_MASTER = os.getpid()

# From the environment alone: a file .env is read by the settings, later.
_ENV = environ.Env()
_LOGS = logs.config(is_json=_ENV.bool("LOG_JSON", default=True), level=_ENV.str("LOG_LEVEL", default="INFO"))
_OF_GUNICORN = {"gunicorn.error": {"handlers": [], "propagate": True}, "gunicorn.access": {"handlers": []}}
logconfig_dict: dict[str, Any] = {**_LOGS, "loggers": {**_LOGS["loggers"], **_OF_GUNICORN}}


def child_exit(_server: Any, worker: Any) -> None:
    """What the process counted stays counted; what it was about to do ends with it."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(_server: Any) -> None:
    if os.getpid() == _MASTER:
        shutil.rmtree(_SHARED, ignore_errors=True)
