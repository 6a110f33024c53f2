"""What a production web server loads."""

import os

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ts_air_cargo.settings")

application = get_wsgi_application()
if settings.DEBUG:
    raise ImproperlyConfigured("A production server must not run in debug mode: set DJANGO_DEBUG=0.")
