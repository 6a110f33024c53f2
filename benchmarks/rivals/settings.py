"""Settings of the ways of sending that ours is compared with."""

import os

import environ

SECRET_KEY = "benchmark"  # noqa: S105 - signs nothing
DEBUG = False
USE_TZ = True
INSTALLED_APPS = ["django.contrib.contenttypes", "post_office", "benchmarks.rivals"]
DATABASES = {
    "default": {
        **environ.Env().db_url_config(os.environ.get("DATABASE_URL", "postgresql://nowhere/nothing")),
        "ENGINE": "django.db.backends.postgresql",
    }
}
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates"}]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
}

# Tuned; the rest is as it comes, so that successes are logged too.
POST_OFFICE = {
    "BACKENDS": {"default": "benchmarks.rivals.calls.WhatsAppBackend"},
    "THREADS_PER_PROCESS": 32,
    "BATCH_SIZE": 2_000,
}

CELERY_BROKER_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
