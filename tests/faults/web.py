"""The web application in development's mode, which `ts_air_cargo.wsgi` refuses: the sandbox speaks plain HTTP."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ts_air_cargo.settings")

application = get_wsgi_application()
