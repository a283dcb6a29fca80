"""Loaded before Django reads its settings: tests touch nothing of a portal that runs."""

import atexit
import os
import shutil
import tempfile

STATE = tempfile.mkdtemp(prefix="portal-tests-")
os.chmod(STATE, 0o711)
os.mkdir(f"{STATE}/static")
atexit.register(shutil.rmtree, STATE, ignore_errors=True)
os.environ |= {
    "PORTAL_STATE": STATE,
    "PORTAL_DEBUG": "true",
    "PORTAL_RATE_USER": "100000/min",
    "PORTAL_RATE_ANONYMOUS": "100000/min",
    "PORTAL_RATE_SIGN_IN": "100000/min",
    "PORTAL_RATE_DEVICE": "100000/min",
    "PORTAL_RATE_BUILD_STARTS": "100000/min",
    "PORTAL_RATE_TOKENS": "100000/min",
    "DATABASE_URL": os.environ.get("PORTAL_TEST_DATABASE_URL", f"sqlite:///{STATE}/db.sqlite3"),
    "CACHE_URL": "locmemcache://",
    # pytest-playwright keeps an event loop running in the thread of the tests.
    "DJANGO_ALLOW_ASYNC_UNSAFE": "true",
}
