"""Settings: one file; what differs between installations comes from the environment."""

import os
import re
import secrets
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import environ
from celery.schedules import crontab
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

env = environ.Env()
BASE_DIR = Path(__file__).resolve().parent.parent
VERSION = tomllib.loads((BASE_DIR / "pyproject.toml").read_text())["project"]["version"]

# Everything that the embedded default writes is below this directory.
STATE = Path(env.str("PORTAL_STATE", default=str(BASE_DIR / ".state"))).resolve()
DEBUG = env.bool("PORTAL_DEBUG", default=False)
PORT = env.int("PORTAL_PORT", default=8000)
# Where people and forges reach this site.
PORTAL_URL = env.str("PORTAL_URL", default=f"http://localhost:{PORT}")
# Webservices answer at http://<tool>.<TOOLS_DOMAIN>:<TOOLS_PORT>/.
TOOLS_PORT = env.int("PORTAL_TOOLS_PORT", default=PORT + 1)
TOOLS_DOMAIN = env.str("PORTAL_TOOLS_DOMAIN", default="localhost")
TOOLS_LISTEN = env.str("PORTAL_TOOLS_LISTEN", default=f"127.0.0.1:{TOOLS_PORT}")
TOOLS_URL = env.str("PORTAL_TOOLS_URL", default=f"http://{{tool}}.{TOOLS_DOMAIN}:{TOOLS_PORT}/")


def _development_key() -> str:
    """A random key, made once for a state directory."""
    path = STATE / "secret-key"
    STATE.mkdir(mode=0o711, parents=True, exist_ok=True)
    try:
        with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(50))
    except FileExistsError:
        pass
    return path.read_text()


SECRET_KEY = env.str("PORTAL_SECRET_KEY", default="") or (
    _development_key() if DEBUG else env.str("PORTAL_SECRET_KEY")
)
# Values of secret variables are encrypted with the first of these; the others still decrypt.
ENCRYPTION_KEYS = env.list("PORTAL_ENCRYPTION_KEYS", default=[]) or [SECRET_KEY]
ALLOWED_HOSTS = env.list(
    "PORTAL_ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"] if DEBUG else []
)
CSRF_TRUSTED_ORIGINS = env.list("PORTAL_TRUSTED_ORIGINS", default=[])

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.admin",
    "allauth",
    "allauth.account",
    "allauth.socialaccount",
    "allauth.usersessions",
    "allauth.idp.oidc",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",
    "csp",
    "portal",
    "portal.accounts",
    "portal.accounts.wikimedia",
    "portal.accounts.mediawiki",
    "portal.tools",
    "portal.clusters",
    "builds",
    "portal.webservices",
    "portal.webhooks",
    "stories",
]
# The development identity signs anyone in as anyone: portal.accounts has a check that refuses it
# where DEBUG is off.
DEVELOPMENT_IDENTITY = env.bool("PORTAL_DEVELOPMENT_IDENTITY", default=DEBUG)
if DEVELOPMENT_IDENTITY:
    INSTALLED_APPS.append("allauth.socialaccount.providers.dummy")

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "portal.headers.SecurityHeaders",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "portal.accounts.rates.Limits",
]
ROOT_URLCONF = "portal.urls"
ASGI_APPLICATION = "portal.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.debug",
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.accounts.context.identity",
                "portal.context.trust",
            ]
        },
    }
]

# --- database -------------------------------------------------------------------------------
DATABASES = {"default": env.db("DATABASE_URL", default=f"sqlite:///{STATE / 'db.sqlite3'}")}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # IMMEDIATE takes the write lock at the start, so a transaction never fails half-way through
    # because another one wrote first; WAL lets readers go on meanwhile.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": (
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA mmap_size=134217728;"
            "PRAGMA cache_size=-16000; PRAGMA journal_size_limit=27103364;"
        ),
    }
    # A file as in production: a database in memory locks whole tables against other threads.
    DATABASES["default"]["TEST"] = {"NAME": STATE / "test.sqlite3"}
elif DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql":
    # A new connection takes longer than most queries: each process keeps some, and lends them.
    DATABASES["default"].setdefault("OPTIONS", {})["pool"] = {
        "min_size": 1,
        "max_size": env.int("PORTAL_DATABASE_CONNECTIONS", default=20),
    }
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {"default": env.cache("CACHE_URL", default=f"filecache://{STATE / 'cache-django'}")}

# --- identity -------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
LOGIN_REDIRECT_URL = "/"
LOGIN_URL = "/accounts/login/"
SOCIALACCOUNT_ONLY = True
SOCIALACCOUNT_LOGIN_ON_GET = False
SOCIALACCOUNT_STORE_TOKENS = True
SOCIALACCOUNT_ADAPTER = "portal.accounts.adapter.SocialAccountAdapter"
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SIGNUP_FIELDS: list[str] = []
ACCOUNT_PRESERVE_USERNAME_CASING = True

# --- the wiki that people sign in with ------------------------------------------------------
WIKI_URL = env.str("PORTAL_WIKI_URL", default="https://meta.wikimedia.org/w/index.php")
WIKI_REST_URL = env.str(
    "PORTAL_WIKI_REST_URL", default=WIKI_URL.removesuffix("index.php") + "rest.php"
)
# A consumer registered on that wiki; without one nobody can sign in with it.
OAUTH_KEY = env.str("PORTAL_OAUTH_KEY", default="")
OAUTH_SECRET = env.str("PORTAL_OAUTH_SECRET", default="")
# "1.0a" or "2": what the consumer was registered for.
OAUTH_VERSION = env.str("PORTAL_OAUTH_VERSION", default="1.0a")
if OAUTH_VERSION not in ("1.0a", "2"):
    raise ImproperlyConfigured(f"PORTAL_OAUTH_VERSION is 1.0a or 2, not {OAUTH_VERSION}.")
WIKI_TIMEOUT = env.float("PORTAL_WIKI_TIMEOUT", default=10)
SOCIALACCOUNT_REQUESTS_TIMEOUT = WIKI_TIMEOUT
# Wikimedia wants to know who calls, and where to complain.
USER_AGENT = env.str("PORTAL_USER_AGENT", default="community-hosting-portal")
# Groups of that wiki whose members have the role; where none is named, administrators appoint.
ADMIN_GROUPS = env.list("PORTAL_ADMIN_GROUPS", default=[])
WORKGROUP_GROUPS = env.list("PORTAL_WORKGROUP_GROUPS", default=[])
# Seconds after which the wiki is asked again about somebody with a session or a token.
RECHECK_AFTER = env.int("PORTAL_RECHECK_AFTER", default=300)

# --- signing in: how often, from one address ------------------------------------------------
RATE_SIGN_IN = env.str("PORTAL_RATE_SIGN_IN", default="30/min")
# A command line that waits asks every five seconds.
RATE_DEVICE = env.str("PORTAL_RATE_DEVICE", default="120/min")
ROUTE_RATES = {
    "wikimedia_login": RATE_SIGN_IN,
    "wikimedia_callback": RATE_SIGN_IN,
    "mediawiki_login": RATE_SIGN_IN,
    "mediawiki_callback": RATE_SIGN_IN,
    "development_sign_in": RATE_SIGN_IN,
    # Where codes could be guessed.
    "device": RATE_SIGN_IN,
    "idp:oidc:device_code": RATE_SIGN_IN,
    "idp:oidc:token": RATE_DEVICE,
    "idp:oidc:revoke": RATE_DEVICE,
}
# Seconds that somebody has to type the code of a command line.
IDP_OIDC_DEVICE_CODE_EXPIRES_IN = 600

# --- pages ----------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch"), ("fr", "Français"), ("ar", "العربية")]
LANGUAGES += [("he", "עברית"), ("es", "Español")]
LOCALE_PATHS = [BASE_DIR / "portal" / "locale"]
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = Path(env.str("PORTAL_STATIC_ROOT", default=str(STATE / "static")))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "logs": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": STATE / "logs"},
    },
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = DEBUG

# --- security -------------------------------------------------------------------------------
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        # Browsers hold the rule against where a form's answer leads, too: to the wiki.
        "form-action": [SELF, "{0.scheme}://{0.netloc}".format(urlsplit(WIKI_URL))],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "object-src": [NONE],
    },
}
# Bytes that one request may bring, and of these what forms may hold beside files.
BODY_BYTES = env.int("PORTAL_BODY_BYTES", default=10 * 1024**2)
DATA_UPLOAD_MAX_MEMORY_SIZE = BODY_BYTES
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000
DATA_UPLOAD_MAX_NUMBER_FILES = 20
# Devices that no page of the portal uses, so that nothing that gets into one can either.
PERMISSIONS_POLICY = ", ".join(
    f"{feature}=()"
    for feature in (
        "accelerometer", "camera", "display-capture", "geolocation", "gyroscope", "magnetometer",
        "microphone", "midi", "payment", "usb",
    )
)  # fmt: skip
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_SAMESITE = "Lax"
# Several portals may run on one machine, and cookies know no ports.
SESSION_COOKIE_NAME = f"portal-session-{PORT}"
CSRF_COOKIE_NAME = f"portal-csrf-{PORT}"
if not DEBUG:
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SECURE_SSL_REDIRECT = env.bool("PORTAL_SSL_REDIRECT", default=True)
    SECURE_HSTS_SECONDS = env.int("PORTAL_HSTS_SECONDS", default=31_536_000)
    SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = True
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# --- work in the background -----------------------------------------------------------------
BROKER = STATE / "broker"
CELERY_BROKER_URL = env.str("PORTAL_BROKER_URL", default="filesystem://")
if CELERY_BROKER_URL == "filesystem://":
    CELERY_BROKER_TRANSPORT = "portal.broker:Transport"
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": BROKER / "messages",
        "data_folder_out": BROKER / "messages",
        "control_folder": BROKER / "control",
        "polling_interval": 0.05,
    }
elif CELERY_BROKER_URL.startswith("redis"):
    CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_connect_timeout": 2}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# Somebody waits for the answer to a request, and a sweep finds what is due.
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1}
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULE_FILENAME = str(STATE / "beat-schedule")
CELERY_BEAT_SCHEDULE = {
    "sweep-builds": {"task": "builds.tasks.sweep", "schedule": 2.0},
    "prune-clusters": {"task": "builds.tasks.prune_clusters", "schedule": 1800.0},
    "sweep-webservices": {"task": "portal.webservices.tasks.sweep", "schedule": 2.0},
    "check-clusters": {"task": "portal.clusters.tasks.check_clusters", "schedule": 5.0},
    "look-at-registries": {"task": "portal.clusters.tasks.look_at_registries", "schedule": 5.0},
    "keep-places": {"task": "portal.webservices.tasks.keep_places", "schedule": 10.0},
    "keep-homes": {"task": "portal.webservices.tasks.keep_cluster_homes", "schedule": 60.0},
    "sample-use": {"task": "stories.tasks.sample", "schedule": 3600.0},
    "compare-records": {"task": "stories.tasks.compare", "schedule": crontab(hour=3, minute=20)},
    "sweep-deliveries": {"task": "portal.webhooks.tasks.sweep", "schedule": 2.0},
    "clean-up-webhooks": {"task": "portal.webhooks.tasks.clean_up", "schedule": 3600.0},
    "forget-tokens": {"task": "portal.accounts.tasks.forget_ended_tokens", "schedule": 3600.0},
    "recheck-people": {"task": "portal.accounts.tasks.recheck_people", "schedule": 10.0},
    "clean-up": {"task": "portal.webservices.tasks.clean_up", "schedule": 600.0},
}
for _round in CELERY_BEAT_SCHEDULE.values():
    # One that no worker took until five more are due is left out: they would pile up.
    if isinstance(_round["schedule"], float):
        _round["options"] = {"expires": 5 * _round["schedule"]}

# --- calls that the portal makes to addresses that people give it ----------------------------
# Below these the operator vouches for what is called: it need be neither public nor https.
OUTGOING_TRUSTED_PREFIXES = env.list("PORTAL_OUTGOING_TRUSTED_PREFIXES", default=[])
OUTGOING_PORTS = env.list("PORTAL_OUTGOING_PORTS", cast=int, default=[80, 443])

# --- webhooks -------------------------------------------------------------------------------
HOOK_BODY_BYTES = env.int("PORTAL_HOOK_BODY_BYTES", default=5 * 1024**2)
HOOK_POSTS_PER_MINUTE = env.int("PORTAL_HOOK_POSTS_PER_MINUTE", default=60)
HOOKS_PER_TOOL = env.int("PORTAL_HOOKS_PER_TOOL", default=20)
# How long the secret before the last change still fits.
HOOK_OVERLAP_HOURS = env.int("PORTAL_HOOK_OVERLAP_HOURS", default=24)
SUBSCRIPTIONS_PER_TOOL = env.int("PORTAL_SUBSCRIPTIONS_PER_TOOL", default=20)
# Calls to subscribers that are under way at once.
DELIVERIES_AT_ONCE = env.int("PORTAL_DELIVERIES_AT_ONCE", default=2)
# To one person about one tool.
MAILS_PER_HOUR = env.int("PORTAL_MAILS_PER_HOUR", default=20)
DELIVERY_DEADLINE_HOURS = env.int("PORTAL_DELIVERY_DEADLINE_HOURS", default=24)
SUBSCRIPTION_PAUSED_AFTER_DAYS = env.int("PORTAL_SUBSCRIPTION_PAUSED_AFTER_DAYS", default=3)
DELIVERIES_KEPT_DAYS = env.int("PORTAL_DELIVERIES_KEPT_DAYS", default=30)

# --- mail -----------------------------------------------------------------------------------
# Such as smtp+tls://user:password@mail.example.org:587
_MAIL = env.email_url(
    "PORTAL_EMAIL_URL", default="consolemail://" if DEBUG else "smtp://localhost:25"
)
EMAIL_BACKEND, EMAIL_TIMEOUT = _MAIL["EMAIL_BACKEND"], 10
EMAIL_HOST, EMAIL_PORT = _MAIL["EMAIL_HOST"], _MAIL["EMAIL_PORT"] or 25
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _MAIL["EMAIL_HOST_USER"], _MAIL["EMAIL_HOST_PASSWORD"]
EMAIL_USE_TLS, EMAIL_USE_SSL = _MAIL.get("EMAIL_USE_TLS", False), _MAIL.get("EMAIL_USE_SSL", False)
DEFAULT_FROM_EMAIL = env.str("PORTAL_EMAIL_FROM", default="tools@localhost")
# --- tools ----------------------------------------------------------------------------------
# How long somebody has to answer an invitation.
INVITATION_DAYS = env.int("PORTAL_INVITATION_DAYS", default=30)
# How long those who keep a tool have to answer before an administrator may hand it over.
ADOPTION_DAYS = env.int("PORTAL_ADOPTION_DAYS", default=14)
# Put before names in /toolinfo.json, so that no other platform has the same, such as "hosting-".
TOOLINFO_PREFIX = env.str("PORTAL_TOOLINFO_PREFIX", default="")

# --- builds ---------------------------------------------------------------------------------
BUILDS_AT_ONCE = env.int("PORTAL_BUILDS_AT_ONCE", default=os.cpu_count() or 1)
# What one tool may use unless administrators decide otherwise; see portal.tools.quotas.
QUOTA_BUILD_MINUTES = env.int("PORTAL_QUOTA_BUILD_MINUTES", default=600)
QUOTA_IMAGES = env.int("PORTAL_QUOTA_IMAGES", default=20)
QUOTA_STORAGE_BYTES = env.int("PORTAL_QUOTA_STORAGE_BYTES", default=10 * 1024**3)
QUOTA_MEMORY_BYTES = env.int("PORTAL_QUOTA_MEMORY_BYTES", default=2 * 1024**3)
QUOTA_CPU_MILLIS = env.int("PORTAL_QUOTA_CPU_MILLIS", default=4000)
BUILDS_AT_ONCE_PER_TOOL = env.int("PORTAL_BUILDS_AT_ONCE_PER_TOOL", default=1)
# Seconds.
BUILD_QUEUED_LIMIT = env.int("PORTAL_BUILD_QUEUED_LIMIT", default=3600)
BUILD_RUNNING_LIMIT = env.int("PORTAL_BUILD_RUNNING_LIMIT", default=1800)
BUILD_SILENT_LIMIT = env.int("PORTAL_BUILD_SILENT_LIMIT", default=600)
# In a cluster: how long a build may wait for a place or an image.
BUILD_PENDING_LIMIT = env.int("PORTAL_BUILD_PENDING_LIMIT", default=300)
BUILD_MEMORY_BYTES = env.int("PORTAL_BUILD_MEMORY_BYTES", default=2 * 1024**3)
BUILD_DISK_BYTES = env.int("PORTAL_BUILD_DISK_BYTES", default=4 * 1024**3)
BUILD_LOG_BYTES = env.int("PORTAL_BUILD_LOG_BYTES", default=100 * 1024**2)
BUILD_PROCESSES = env.int("PORTAL_BUILD_PROCESSES", default=512)
# Succeeded builds whose images are kept besides those that a release needs, per tool.
IMAGES_KEPT = env.int("PORTAL_IMAGES_KEPT", default=5)
# Hosts that repositories may come from; empty means any public host.
GIT_HOSTS = env.list("PORTAL_GIT_HOSTS", default=[])
# Repositories below these URLs need not be public: the operator vouches for them.
EXAMPLES_URL = f"http://127.0.0.1:{PORT}/examples/"
GIT_TRUSTED_PREFIXES = env.list(
    "PORTAL_GIT_TRUSTED_PREFIXES", default=[EXAMPLES_URL] if DEBUG else []
)
# What shuts builds and webservices in: the strongest that works, or the one that is named here
# ("namespaces", "landlock").
SANDBOX = env.str("PORTAL_SANDBOX", default="auto")
# Build and run even where nothing shuts programs in: everybody who may sign in is trusted with all
# that the portal's user id can reach.
TRUST_ALL_USERS = env.bool("PORTAL_TRUST_ALL_USERS", default=False)
# An unpacked system to build and run on, by the name that `manage.py import_base` gave it.
BUILD_BASE = env.str("PORTAL_BUILD_BASE", default="")
# TCP ports that builds and webservices may connect to.
CONNECT_PORTS = env.list("PORTAL_CONNECT_PORTS", cast=int, default=[80, 443])
# What builds get of the operator's environment: how to reach the outside, and package indexes.
BUILD_ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if re.fullmatch(
        r"(?i)(https?|no|all)_proxy|(PIP|UV|NPM_CONFIG)_(?!.*(?:AUTH|TOKEN|PASSWORD)).*"
        r"|(SSL|CURL|REQUESTS|GIT_SSL|NODE_EXTRA)_\w*(CERT|CA)\w*",
        name,
    )
}

# --- webservices ----------------------------------------------------------------------------
REPLICAS_AT_MOST = env.int("PORTAL_REPLICAS_AT_MOST", default=4)
# Ports on loopback that replicas get: first and one past the last.
REPLICA_PORTS = tuple(env.list("PORTAL_REPLICA_PORTS", cast=int, default=[20000, 24000]))
# Seconds.
WEBSERVICE_START_LIMIT = env.int("PORTAL_WEBSERVICE_START_LIMIT", default=60)
WEBSERVICE_DRAIN_SECONDS = env.int("PORTAL_WEBSERVICE_DRAIN_SECONDS", default=5)
# What a replica gets unless its webservice says otherwise; 1000 is one processor.
WEBSERVICE_MEMORY_BYTES = env.int("PORTAL_WEBSERVICE_MEMORY_BYTES", default=512 * 1024**2)
WEBSERVICE_CPU_MILLIS = env.int("PORTAL_WEBSERVICE_CPU_MILLIS", default=1000)

# --- clusters -------------------------------------------------------------------------------
# Where the portal keeps what is its own there: the watcher's lease.
CLUSTER_NAMESPACE = env.str("PORTAL_CLUSTER_NAMESPACE", default="portal")
# Who builds and runs there: the user of the builder and of the run image.
CLUSTER_USER_ID = env.int("PORTAL_CLUSTER_USER_ID", default=1000)
CLUSTER_GROUP_ID = env.int("PORTAL_CLUSTER_GROUP_ID", default=1000)
# Seconds that a move to another cluster may take before it is given up, and that the old home
# answers after it.
MOVE_LIMIT = env.int("PORTAL_MOVE_LIMIT", default=7200)
MOVE_GRACE_SECONDS = env.int("PORTAL_MOVE_GRACE_SECONDS", default=3600)
# How long what an archived or moved tool left behind is kept. Days.
HOME_GRACE_DAYS = env.int("PORTAL_HOME_GRACE_DAYS", default=7)

# --- REST -----------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "portal.accounts.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_PAGINATION_CLASS": "portal.pagination.Cursor",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_THROTTLE_CLASSES": [
        "rest_framework.throttling.AnonRateThrottle",
        "rest_framework.throttling.UserRateThrottle",
        "portal.throttling.ChangeThrottle",
    ],
    "DEFAULT_THROTTLE_RATES": {
        "anon": env.str("PORTAL_RATE_ANONYMOUS", default="600/min"),
        "user": env.str("PORTAL_RATE_USER", default="3000/min"),
        "tokens": env.str("PORTAL_RATE_TOKENS", default="30/min"),
        "build-start": env.str("PORTAL_RATE_BUILD_STARTS", default="30/min"),
    },
    "EXCEPTION_HANDLER": "portal.problems.handle",
    "PAGE_SIZE": 50,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Community hosting portal",
    "DESCRIPTION": "Register tools, build their repositories, run them as webservices.",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.1",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "RegistryKind": "portal.clusters.models.Cluster.Kind",
        "CommentKind": "stories.models.Comment.Kind",
        "RecordKind": "stories.serializers.KIND_CHOICES",
        "DeliveryStatus": "portal.webhooks.models.Delivery.Status",
    },
    "PREPROCESSING_HOOKS": ["portal.problems.leave_out_toolforge"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "portal.problems.document_problems",
    ],
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    # Every request that the portal itself makes would be a line.
    "loggers": {"httpx": {"level": "WARNING"}},
    "root": {"handlers": ["console"], "level": env.str("PORTAL_LOG_LEVEL", default="INFO")},
}
