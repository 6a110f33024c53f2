"""Production's settings without the collected static files, which would be written into the checkout."""

from ts_air_cargo.settings import *  # noqa: F403
from ts_air_cargo.settings import MIDDLEWARE as PRODUCTION_MIDDLEWARE
from ts_air_cargo.settings import STORAGES as PRODUCTION_STORAGES

STORAGES = {
    **PRODUCTION_STORAGES,
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
MIDDLEWARE = [name for name in PRODUCTION_MIDDLEWARE if not name.startswith("whitenoise.")]
