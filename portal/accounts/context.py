"""What every page knows about who looks at it."""

from django.conf import settings
from django.http import HttpRequest


def identity(request: HttpRequest) -> dict[str, object]:
    return {
        "development_identity": settings.DEVELOPMENT_IDENTITY,
        "languages": settings.LANGUAGES,
    }
