"""A browser with a session on the portal that goes to the wiki and comes back."""

from urllib.parse import urlsplit

import httpx
from django.conf import settings
from django.test import Client


class Visitor:
    def __init__(self, wiki):
        self.wiki, self.client = wiki, Client()

    def begin(self, **data):
        """Press the button; the wiki's address that the portal leads to, or its answer."""
        name = "mediawiki" if settings.OAUTH_VERSION == "2" else "wikimedia"
        answer = self.client.post(f"/accounts/{name}/login/", data)
        return answer.url if answer.status_code == 302 else answer

    def allow(self, address, person):
        """Say yes on the wiki's page; the address on the portal that the wiki leads back to."""
        page = httpx.get(address, trust_env=False)
        asked = page.text.partition('name="asked" value="')[2].partition('"')[0]
        form = {"asked": asked, "person": person.sub, "allow": "1"}
        answer = httpx.post(address, data=form, trust_env=False)
        return answer.headers["location"]

    def come_back(self, place):
        parts = urlsplit(place)
        return self.client.get(f"{parts.path}?{parts.query}")

    def sign_in(self, person, **data):
        return self.come_back(self.allow(self.begin(**data), person))

    @property
    def name(self):
        """Who the portal thinks this is; empty for nobody."""
        page = self.client.get("/accounts/tokens/")
        return page.wsgi_request.user.username if page.status_code == 200 else ""
