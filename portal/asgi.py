"""The ASGI entry point."""

import os
from typing import cast

from django.conf import settings
from django.core.asgi import get_asgi_application

from portal.limits import Application, LimitedBody

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
application = LimitedBody(cast(Application, get_asgi_application()), limit=settings.BODY_BYTES)
