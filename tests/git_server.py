"""Git over HTTP on loopback, by `git http-backend`: what a forge does, small."""

import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ENVIRONMENT = {
    **os.environ,
    "GIT_AUTHOR_NAME": "Test",
    "GIT_AUTHOR_EMAIL": "test@localhost",
    "GIT_COMMITTER_NAME": "Test",
    "GIT_COMMITTER_EMAIL": "test@localhost",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        path, _mark, query = self.path.partition("?")
        length = int(self.headers.get("Content-Length") or 0)
        environment = {
            **ENVIRONMENT,
            "GIT_PROJECT_ROOT": str(self.server.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "CONTENT_LENGTH": str(length),
        }
        done = subprocess.run(
            ["git", "http-backend"],
            input=self.rfile.read(length),
            env=environment,
            capture_output=True,
            timeout=30,
        )
        head, _blank, body = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_args):
        pass


class GitServer:
    """Serves the bare repositories in a directory."""

    def __init__(self, root, host="127.0.0.1"):
        self.root = root
        self._server = ThreadingHTTPServer((host, 0), Handler)
        self._server.root = root

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_exception):
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self):
        host, port = self._server.server_address
        return f"http://{host}:{port}/"

    def repository(self, name, files, *, links=(), message="A commit"):
        """Commit files (name -> text) to a repository, new or not; its URL and the commit."""
        bare = self.root / f"{name}.git"
        if not bare.exists():
            self.git("init", "--quiet", "--bare", "--initial-branch=main", str(bare))
            self.git("--git-dir", str(bare), "config", "uploadpack.allowAnySHA1InWant", "true")
        work = self.root / f"{name}.work"
        work.mkdir(exist_ok=True)
        for path, text in files.items():
            (work / path).parent.mkdir(parents=True, exist_ok=True)
            (work / path).write_text(text)
        for path, target in links:
            (work / path).symlink_to(target)
        place = ["--git-dir", str(bare), "--work-tree", str(work)]
        self.git(*place, "add", "--all", "--force", ".")
        self.git(*place, "commit", "--quiet", "--allow-empty", "--message", message)
        commit = self.git("--git-dir", str(bare), "rev-parse", "HEAD").strip()
        return f"{self.url}{name}.git", commit

    @staticmethod
    def git(*words):
        done = subprocess.run(
            ["git", *words], env=ENVIRONMENT, check=True, capture_output=True, text=True, timeout=30
        )
        return done.stdout
