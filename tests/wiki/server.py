"""The wiki over HTTP on loopback, with a page that a browser can click."""

import html
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from tests.wiki import oauth1, oauth2
from tests.wiki.people import Wiki

PAGE = """<!doctype html><html lang="en"><title>Allow the portal?</title>
<h1>Allow the portal to know who you are?</h1>
<form method="post"><input type="hidden" name="asked" value="{asked}">
<label>Who are you? <select name="person">{people}</select></label>
<button name="allow" value="1">Allow</button> <button name="cancel" value="1">Cancel</button></form>
"""
SIGNED = {"initiate": oauth1.initiate, "token": oauth1.token, "identify": oauth1.identify}


def first(pairs):
    return {name: values[0] for name, values in pairs.items()}


class Handler(BaseHTTPRequestHandler):
    @property
    def wiki(self):
        return self.server.wiki

    @property
    def full_url(self):
        return f"http://{self.headers['Host']}{self.path}"

    def do_GET(self):
        parts = urlsplit(self.path)
        query = first(parse_qs(parts.query, keep_blank_values=True))
        length = int(self.headers.get("Content-Length") or 0)
        body = first(parse_qs(self.rfile.read(length).decode()))
        page = query.get("title", "").removeprefix("Special:OAuth/")
        self.wiki.requests.append((page or parts.path.rpartition("/w/")[2], {**query, **body}))
        if self.wiki.trouble:
            return self.misbehave()
        if parts.path == "/w/index.php":
            return self.special_page(page, query, body)
        return self.rest(parts.path.removeprefix("/w/rest.php/oauth2/"), query, body)

    do_POST = do_GET

    def misbehave(self):
        if self.wiki.trouble == "hangs":
            self.wiki.waiting.wait(20)
            return None
        status = 503 if self.wiki.trouble == "down" else 200
        return self.answer(status, "text/html", "<html>Our servers are under maintenance</html>")

    def special_page(self, page, query, body):
        if page == "authenticate":
            return self.ask_person(query["oauth_token"], body, oauth1.approve, decline=None)
        try:
            text = SIGNED[page](self.wiki, self)
        except oauth1.Refused as refused:
            if page == "identify":
                error = {"error": refused.key, "message": str(refused)}
                return self.answer(200, "application/json", json.dumps(error))
            return self.answer(200, "text/plain", f"Error: {refused}")
        return self.answer(200, "text/plain", text)

    def rest(self, name, query, body):
        try:
            if name == "authorize":
                asked = body.get("asked") or oauth2.ask(self.wiki, query)
                return self.ask_person(asked, body, oauth2.approve, decline=oauth2.decline)
            if name == "access_token":
                answer = oauth2.access_token(self.wiki, body)
            else:
                header = self.headers.get("Authorization", "")
                answer = oauth2.profile(self.wiki, header, time.time())
        except oauth2.Refused as refused:
            return self.answer(refused.status, "application/json", json.dumps(refused.body))
        return self.answer(200, "application/json", json.dumps(answer))

    def ask_person(self, asked, body, approve, *, decline):
        if asked not in self.wiki.asked:
            return self.answer(200, "text/html", "<h1>Application Connection Error</h1>")
        if "allow" in body:
            return self.redirect(approve(self.wiki, asked, self.wiki.people[body["person"]]))
        if "cancel" in body and decline:
            return self.redirect(decline(self.wiki, asked))
        if "cancel" in body:
            return self.answer(200, "text/html", "<h1>You have chosen not to allow it</h1>")
        people = "".join(
            f'<option value="{each.sub}">{html.escape(each.username)}</option>'
            for each in self.wiki.people.values()
        )
        return self.answer(200, "text/html", PAGE.format(asked=asked, people=people))

    def redirect(self, place):
        self.send_response(302)
        self.send_header("Location", place)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def answer(self, status, kind, text):
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_args):
        pass


class WikiServer:
    """`with WikiServer() as wiki`: the wiki answers at `wiki.url` (its index.php)."""

    def __init__(self):
        self.wiki = Wiki()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.wiki = self.wiki
        self.wiki.url = f"http://127.0.0.1:{self._server.server_port}/w/index.php"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self.wiki

    def __exit__(self, *_exception):
        self.wiki.heal()
        self._server.shutdown()
        self._server.server_close()
