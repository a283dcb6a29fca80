"""The example applications as Git repositories that the portal itself serves, with DEBUG only.

So that a first build works without an account anywhere. `git http-backend` does the work: real
smart HTTP, read-only.
"""

import os
import subprocess
import zlib

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from portal.accounts.permissions import requires

SOURCE = settings.BASE_DIR / "examples"
REPOSITORIES = settings.STATE / "examples"
# Seconds.
TIMEOUT = 30
# Bytes of a request: clients send only what they want to have.
REQUEST_LIMIT = 1024 * 1024
_COMMITTER = {
    "GIT_AUTHOR_NAME": "Examples",
    "GIT_AUTHOR_EMAIL": "examples@localhost",
    "GIT_COMMITTER_NAME": "Examples",
    "GIT_COMMITTER_EMAIL": "examples@localhost",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
}


def names() -> list[str]:
    """The examples that there are."""
    return sorted(path.name for path in SOURCE.iterdir() if path.is_dir())


def make_repositories() -> None:
    """Commit each example to its repository; one that did not change gets no new commit."""
    for name in names():
        repository = REPOSITORIES / f"{name}.git"
        if not (repository / "HEAD").exists():
            _git("init", "--quiet", "--bare", "--initial-branch=main", str(repository))
        work = ["--git-dir", str(repository), "--work-tree", str(SOURCE / name)]
        _git(*work, "config", "uploadpack.allowAnySHA1InWant", "true")
        _git(*work, "add", "--all", "--force", ".")
        if _git(*work, "status", "--porcelain"):
            _git(*work, "commit", "--quiet", "--message", "Example application")


def _git(*arguments: str) -> bytes:
    environment = {**os.environ, **_COMMITTER}
    done = subprocess.run(
        ["git", *arguments], env=environment, timeout=TIMEOUT, check=True, capture_output=True
    )
    return done.stdout


@csrf_exempt
@requires("public")
def serve(request: HttpRequest, name: str, path: str) -> HttpResponse:
    """Answer `git clone` and `git fetch` of an example."""
    if name not in names() or ".." in path:
        raise Http404
    body = request.read(REQUEST_LIMIT)
    if request.headers.get("Content-Encoding") == "gzip":
        body = zlib.decompressobj(wbits=31).decompress(body, REQUEST_LIMIT)
    environment = {
        **os.environ,
        **_COMMITTER,
        "GIT_PROJECT_ROOT": str(REPOSITORIES),
        "GIT_HTTP_EXPORT_ALL": "1",
        "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
        "PATH_INFO": f"/{name}.git/{path}",
        "QUERY_STRING": request.META.get("QUERY_STRING", ""),
        "REQUEST_METHOD": request.method or "GET",
        "CONTENT_TYPE": request.headers.get("Content-Type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "REMOTE_ADDR": "127.0.0.1",
    }
    done = subprocess.run(
        ["git", "http-backend"], input=body, env=environment, timeout=TIMEOUT, capture_output=True
    )
    return _response(done.stdout)


def _response(answer: bytes) -> HttpResponse:
    head, _blank, body = answer.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode("latin-1").splitlines())
    status = int(headers.pop("Status", "200 OK").split()[0])
    return HttpResponse(body, status=status, headers=headers)
