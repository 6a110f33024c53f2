"""What a production web server loads."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ts_air_cargo.settings")

application = get_wsgi_application()
