"""Every setting, read from the environment (and from `.env` beside manage.py, where there is one).

With nothing set, this is a development machine: debug on, PostgreSQL and Valkey from wheels, messages to the sandbox.
With DJANGO_DEBUG=0 it is production, and every secret and address must be given: what is missing stops the start.
`.env.example` lists and explains the variables.
"""

from urllib.parse import urlsplit

import django_stubs_ext
from celery.schedules import crontab
from django.core.exceptions import ImproperlyConfigured
from kombu import Queue

from ts_air_cargo import embedded, environment, logs
from ts_air_cargo.environment import BASE_DIR, DEBUG, env, in_development

django_stubs_ext.monkeypatch()

# --- Security and addresses

SECRET_KEY = environment.secret("DJANGO_SECRET_KEY", "development-only-" + "0" * 40, at_least=50)
PUBLIC_BASE_URL = environment.public_address("PUBLIC_BASE_URL", "http://127.0.0.1:8000")
ALLOWED_HOSTS = environment.hosts("ALLOWED_HOSTS", PUBLIC_BASE_URL)
CSRF_TRUSTED_ORIGINS = [PUBLIC_BASE_URL]
CSRF_FAILURE_VIEW = "ts_air_cargo.views.refused_form"

# Whose word is taken for a visitor's address and for https; everybody else's is thrown away.
TRUSTED_PROXIES = environment.networks("TRUSTED_PROXIES", "" if DEBUG else "127.0.0.1,::1")
# Always in production; a rehearsal may do without.
_BY_HTTPS = not DEBUG and PUBLIC_BASE_URL.startswith("https://")
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _BY_HTTPS else None
SECURE_SSL_REDIRECT = _BY_HTTPS
# Asked from inside, without the proxy that ends TLS.
SECURE_REDIRECT_EXEMPT = ["^healthz$", "^readyz$", "^metrics$"]
SECURE_HSTS_SECONDS = 31_536_000 if _BY_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = _BY_HTTPS
# A promise for the whole domain that browsers keep for years: only its owner can give it.
SECURE_HSTS_PRELOAD = env.bool("SECURE_HSTS_PRELOAD", default=False)
SILENCED_SYSTEM_CHECKS = [] if SECURE_HSTS_PRELOAD else ["security.W021"]
SESSION_COOKIE_SECURE = _BY_HTTPS
CSRF_COOKIE_SECURE = _BY_HTTPS
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
# Bytes of a webhook's body: Meta puts up to 1000 updates into one, and stays below 3 MB.
WEBHOOK_LIMIT = env.int("WEBHOOK_LIMIT", default=3 * 1024 * 1024)
DATA_UPLOAD_MAX_MEMORY_SIZE = WEBHOOK_LIMIT  # without files
# Bytes of any request, files included: the largest photo, and what stands around it.
REQUEST_LIMIT = 10 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FILES = 5
# Nothing from elsewhere, and no script or style in a page's text. Of the Django admin this switches off one script:
# the form of periodic tasks no longer says in words what the chosen crontab means.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        # Icons of Bootstrap are data:, a photo that was just chosen is blob:.
        "img-src": ["'self'", "data:", "blob:"],
        "object-src": ["'none'"],
        "base-uri": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    },
}

# --- Applications

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "django.contrib.staticfiles",
    "csp",
    "django_celery_beat",
    "django_htmx",
    "accounts",
    "whatsapp_monitoring_app",
    "agent_chine_app",
    "agent_mali_app",
    "admin_chine_app",
    "admin_mali_app",
    "client_app",
    "ts_air_cargo",
]

MIDDLEWARE = [
    # Before everything that asks who is there, and whether the request came by https.
    "ts_air_cargo.middleware.TrustedProxiesMiddleware",
    "ts_air_cargo.log_context.LogContextMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "ts_air_cargo.middleware.PermissionsPolicyMiddleware",
    "ts_air_cargo.probes.ProbesMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.middleware.PreferencesMiddleware",
    "ts_air_cargo.middleware.RequestLimitMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

if not DEBUG:
    # Right behind the security headers; in development runserver serves the files itself.
    MIDDLEWARE.insert(MIDDLEWARE.index("csp.middleware.CSPMiddleware"), "whitenoise.middleware.WhiteNoiseMiddleware")

# Opens /metrics to Prometheus, which sends it as a bearer token. "": there is no such page, and nothing is measured.
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")
if METRICS_TOKEN and len(METRICS_TOKEN) < 20:
    raise ImproperlyConfigured("METRICS_TOKEN must have at least 20 characters, or be empty.")
if METRICS_TOKEN:
    MIDDLEWARE = [
        "django_prometheus.middleware.PrometheusBeforeMiddleware",
        *MIDDLEWARE,
        "django_prometheus.middleware.PrometheusAfterMiddleware",
    ]

ROOT_URLCONF = "ts_air_cargo.urls"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- Data

DATABASE_URL = in_development("DATABASE_URL", None) or embedded.database_url()
REDIS_URL = in_development("REDIS_URL", None) or embedded.redis_url()

_DATABASE = env.db_url_config(DATABASE_URL)
_OPTIONS = _DATABASE.get("OPTIONS", {})
DATABASES = {
    "default": {
        **_DATABASE,
        "ENGINE": "django.db.backends.postgresql",
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            **_OPTIONS,
            # What models/prepared.py asks is prepared when it is first asked, and planned once, whatever the values.
            "prepare_threshold": 0,
            "options": f"{_OPTIONS.get('options', '')} -c plan_cache_mode=force_generic_plan".lstrip(),
        },
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- People

AUTH_USER_MODEL = "accounts.User"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"
PASSWORD_RESET_TIMEOUT = 72 * 3600  # seconds: how long a first-password link lives
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

# --- Languages and time

LANGUAGE_CODE = "fr"
LANGUAGES = [("fr", "Français"), ("en", "English"), ("zh-hans", "简体中文")]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"  # which is Bamako's time
USE_TZ = True

# --- Static files

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage",
    },
}

# --- Celery: a doorbell for work that the database holds

CELERY_BROKER_URL = REDIS_URL
CELERY_RESULT_BACKEND = REDIS_URL
CELERY_RESULT_EXPIRES = 3600
CELERY_TIMEZONE = TIME_ZONE
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# For ever: a worker that gives up takes its standby with it.
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # Queues are emptied in the order in which they are declared: urgent messages first.
    "queue_order_strategy": "priority",
    # Longer than any task or countdown, shorter than people's patience: a task of a dead worker comes back after it.
    "visibility_timeout": 900,
    "socket_connect_timeout": 2,
    "socket_timeout": 30,
}
# The caller of send_whatsapp_async does not wait for a broker that is away: the row waits, recovery rings later.
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.2}
CELERY_RESULT_BACKEND_TRANSPORT_OPTIONS = {"retry_policy": CELERY_TASK_PUBLISH_RETRY_POLICY}
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_QUEUES = [
    Queue(name) for name in ("whatsapp_high", "whatsapp", "default", "whatsapp_retry", "whatsapp_bulk")
]
CELERY_TASK_ROUTES = {
    "whatsapp_monitoring_app.tasks.send_bulk_whatsapp_notifications": {"queue": "whatsapp_bulk"},
}
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_SEND_SENT_EVENT = True
CELERY_WORKER_SEND_TASK_EVENTS = True
CELERY_WORKER_POOL = "threads"  # the work is waiting for HTTP answers
CELERY_WORKER_CONCURRENCY = env.int("CELERY_WORKER_CONCURRENCY", default=32)
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 30  # seconds: longer than one send
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# Celery closes the database connection after each task unless told how many tasks may share one.
CELERY_DB_REUSE_MAX = 1000
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
# The first two are the guide's, word for word. What is asked for every minute expires before its next turn: after a
# stop of the workers one sweep finds everything. "expire_seconds" is django-celery-beat's own word for it.
CELERY_BEAT_SCHEDULE = {
    "process-whatsapp-retries-every-5-minutes": {
        "task": "whatsapp_monitoring_app.tasks.process_whatsapp_retries_task",
        "schedule": 300.0,
    },
    "cleanup-old-whatsapp-attempts-daily": {
        "task": "whatsapp_monitoring_app.tasks.cleanup_old_whatsapp_attempts",
        "schedule": crontab(hour=2, minute=0),
    },
    "recover-whatsapp-notifications-every-minute": {
        "task": "whatsapp_monitoring_app.tasks.recover_whatsapp_notifications",
        "schedule": 60.0,
        "options": {"expire_seconds": 55},
    },
    "sync-whatsapp-templates-hourly": {
        "task": "whatsapp_monitoring_app.tasks.sync_whatsapp_templates",
        "schedule": 3600.0,
        "options": {"expire_seconds": 3000},
    },
    "check-whatsapp-senders-every-10-minutes": {
        "task": "whatsapp_monitoring_app.tasks.check_whatsapp_senders",
        "schedule": 600.0,
        "options": {"expire_seconds": 550},
    },
    "announce-forgotten-arrivals-every-10-minutes": {
        "task": "agent_mali_app.tasks.announce_forgotten_arrivals",
        "schedule": 600.0,
        "options": {"expire_seconds": 550},
    },
    # Every hour of Bamako's day, so that a beat that was silent in the morning is made up for; each client hears once
    # a day at most.
    "remind-of-stored-parcels-hourly": {
        "task": "agent_mali_app.tasks.remind_of_stored_parcels",
        "schedule": crontab(minute=15, hour="8-18"),
        "options": {"expire_seconds": 3000},
    },
    "recover-client-creations-every-minute": {
        "task": "agent_chine_app.tasks.recover_client_creations",
        "schedule": 60.0,
        "options": {"expire_seconds": 55},
    },
    "forget-old-imports-daily": {
        "task": "agent_chine_app.tasks.forget_old_imports",
        "schedule": crontab(hour=3, minute=0),
    },
}

# --- WhatsApp

# Production against the sandbox on the same machine: nothing leaves it, and `check --deploy` finds that an error.
WHATSAPP_REHEARSAL = environment.REHEARSAL
WHATSAPP_CLOUD_API_URL = environment.provider_address("WHATSAPP_CLOUD_API_URL", "http://127.0.0.1:8900")
WHATSAPP_CLOUD_API_VERSION = env.str("WHATSAPP_CLOUD_API_VERSION", default="v26.0")
WHATSAPP_CLOUD_APP_SECRET = environment.secret("WHATSAPP_CLOUD_APP_SECRET", "sandbox-app-secret", at_least=16)
WHATSAPP_CLOUD_VERIFY_TOKEN = environment.secret("WHATSAPP_CLOUD_VERIFY_TOKEN", "sandbox-verify-token", at_least=16)
WHATSAPP_SANDBOX_TOKEN = "sandbox-token"  # noqa: S105 - opens nothing but the sandbox
# The account of every sender that has none of its own yet.
WHATSAPP_CLOUD_PHONE_NUMBER_ID = env.str("WHATSAPP_CLOUD_PHONE_NUMBER_ID", default="100000000000001" if DEBUG else "")
# Owns the templates of every sender that names no business account of its own.
WHATSAPP_CLOUD_BUSINESS_ACCOUNT_ID = env.str(
    "WHATSAPP_CLOUD_BUSINESS_ACCOUNT_ID", default="102290129340398" if DEBUG else ""
)
WHATSAPP_CLOUD_TOKEN = environment.not_of_the_sandbox(
    "WHATSAPP_CLOUD_TOKEN",
    env.str("WHATSAPP_CLOUD_TOKEN", default=WHATSAPP_SANDBOX_TOKEN if DEBUG else ""),
    WHATSAPP_SANDBOX_TOKEN,
)
WACHAP_API_URL = env.str("WACHAP_API_URL", default="https://api.wachap.com/v1").rstrip("/")
# Part of the address that WaChap's webhook is given; without it nothing that comes there is believed.
WACHAP_WEBHOOK_SECRET = environment.optional_secret("WACHAP_WEBHOOK_SECRET", at_least=16)
TWILIO_API_URL = env.str("TWILIO_API_URL", default="https://api.twilio.com").rstrip("/")
# Where administrators look at the workers; "" where there is no such page.
_FLOWER = f"http://127.0.0.1:{env.int('FLOWER_PORT', default=5555)}" if DEBUG else ""
FLOWER_URL = env.str("FLOWER_URL", default=_FLOWER).rstrip("/")
# Everything goes to this number when it is set, whoever the client is.
WHATSAPP_TEST_PHONE = env.str("WHATSAPP_TEST_PHONE", default="")
# From when to when people are not woken up by what is not urgent, by the clock where they are; the end is not quiet.
WHATSAPP_QUIET_HOURS = environment.hours("WHATSAPP_QUIET_HOURS", default="" if DEBUG else "21:00-08:00")
# Encrypts the senders' tokens; several keys, newest first, separated by commas, while keys are being changed.
WHATSAPP_TOKEN_KEYS = environment.secrets("WHATSAPP_TOKEN_KEYS", "development-only-token-key", at_least=32)
# Seconds. No call starts when less than one and a half reading times of its lease are left.
WHATSAPP_READ_SECONDS = env.float("WHATSAPP_READ_SECONDS", default=15)
WHATSAPP_LEASE_SECONDS = env.float("WHATSAPP_LEASE_SECONDS", default=90)
if WHATSAPP_LEASE_SECONDS < 2 * WHATSAPP_READ_SECONDS:
    raise ImproperlyConfigured("WHATSAPP_LEASE_SECONDS must be at least twice WHATSAPP_READ_SECONDS.")
WHATSAPP_CONFIRMATION_SECONDS = env.float("WHATSAPP_CONFIRMATION_SECONDS", default=300)
WHATSAPP_PATIENCE_SECONDS = env.float("WHATSAPP_PATIENCE_SECONDS", default=120)
# How often a worker looks whether Redis is there; after two looks in vain it sends by itself.
WHATSAPP_STANDBY_SECONDS = env.float("WHATSAPP_STANDBY_SECONDS", default=5)
WHATSAPP_FIRST_RETRY_SECONDS = env.float("WHATSAPP_FIRST_RETRY_SECONDS", default=30)
WHATSAPP_RETENTION_DAYS = env.int("WHATSAPP_RETENTION_DAYS", default=90)
WHATSAPP_WEBHOOK_RETENTION_DAYS = env.int("WHATSAPP_WEBHOOK_RETENTION_DAYS", default=7)
# Files with messages that people have asked for.
WHATSAPP_EXPORT_DAYS = env.int("WHATSAPP_EXPORT_DAYS", default=7)

# --- E-mail, for alerts

# "" sends none; `check --deploy` and the page of the alerts say so.
vars().update(env.email_url_config(env.str("EMAIL_URL", default="consolemail://" if DEBUG else "") or "dummymail://"))
EMAIL_TIMEOUT = 10  # seconds: whoever sends has other work
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="") or f"alerts@{urlsplit(PUBLIC_BASE_URL).hostname}"
# They get every alert, beside the administrators who have an e-mail address.
ALERT_EMAILS = environment.texts("ALERT_EMAILS")

# --- Parcels

# Days: when the first reminder of a parcel that nobody fetches leaves, and how long after each the next one.
STORAGE_REMINDER_AFTER_DAYS = env.int("STORAGE_REMINDER_AFTER_DAYS", default=5)
STORAGE_REMINDER_EVERY_DAYS = env.int("STORAGE_REMINDER_EVERY_DAYS", default=3)
# For clients, below what they can fetch: where and when the office is open.
PICKUP_NOTE = env.str("PICKUP_NOTE", default="")
# Photos of parcels: shown to who may see the parcel, never by their address alone.
MEDIA_ROOT = env.path("MEDIA_ROOT", default=str(BASE_DIR / "var" / "media"))()
PHOTO_LIMIT = 8 * 1024 * 1024  # bytes

# --- Logs

LOG_LEVEL = env.str("LOG_LEVEL", default="INFO")
LOGGING = logs.config(is_json=env.bool("LOG_JSON", default=not DEBUG), level=LOG_LEVEL)
logs.speak_through_the_standard_library()

# Where errors are reported to; "" reports nothing, and the package is not even loaded.
SENTRY_DSN = env.str("SENTRY_DSN", default="")
if SENTRY_DSN:
    from ts_air_cargo import sentry

    sentry.start(
        SENTRY_DSN,
        environment=env.str("SENTRY_ENVIRONMENT", default="development" if DEBUG else "production"),
        release=env.str("SENTRY_RELEASE", default=""),
    )
