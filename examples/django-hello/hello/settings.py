"""What a project without a database needs."""

import os
import secrets
from pathlib import Path

BASE = Path(__file__).resolve().parent.parent

# A build needs none; what runs should have one that stays the same.
SECRET_KEY = os.environ.get("SECRET_KEY") or secrets.token_hex()
# Whoever asks by another name is led elsewhere by the platform's proxy.
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "hello.urls"
INSTALLED_APPS = ["django.contrib.staticfiles", "hello"]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]

STATIC_URL = "static/"
STATIC_ROOT = BASE / "collected"
STORAGES = {
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
