"""Serves the files of a directory: `serve.py DIRECTORY`, on $PORT."""

import os
import sys
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()


class Handler(SimpleHTTPRequestHandler):
    """No directory listings, no hidden files, nothing outside of the directory, own 404 page."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "static", ""

    def translate_path(self, path: str) -> str:
        parts = [part for part in unquote(urlsplit(path).path).split("/") if part]
        if any(part.startswith(".") or "\0" in part for part in parts):
            return str(ROOT / ".hidden" / "nothing")
        wanted = ROOT.joinpath(*parts)
        if not wanted.exists() and wanted.with_name(f"{wanted.name}.html").is_file():
            wanted = wanted.with_name(f"{wanted.name}.html")
        if not wanted.resolve().is_relative_to(ROOT):
            return str(ROOT / ".hidden" / "nothing")
        return str(wanted) + ("/" if path.endswith("/") and wanted.is_dir() else "")

    def list_directory(self, path: str) -> None:
        self.send_error(HTTPStatus.NOT_FOUND)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        page = ROOT / "404.html"
        if code != HTTPStatus.NOT_FOUND or not page.is_file():
            return super().send_error(code, message, explain)
        body = page.read_bytes()
        self.send_response(code)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        return None


# Where the platform's proxy is on the same machine, nobody else is to reach this.
ADDRESS = os.environ.get("HOST", "127.0.0.1"), int(os.environ["PORT"])
ThreadingHTTPServer(ADDRESS, Handler).serve_forever()
