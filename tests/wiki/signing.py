"""Signatures of OAuth 1.0a (RFC 5849, section 3.4) and JSON web tokens (RFC 7515)."""

import base64
import hashlib
import hmac
import json
import re
from urllib.parse import parse_qsl, quote, unquote, urlsplit

HEADER = re.compile(r'(\w+)="([^"]*)"')


def escape(text):
    return quote(text, safe="-._~")


def authorization(header):
    """The parameters of an `Authorization: OAuth ...` header."""
    scheme, _space, rest = header.partition(" ")
    if scheme.lower() != "oauth":
        return {}
    return {name: unquote(value) for name, value in HEADER.findall(rest)}


def base_string(method, url, parameters):
    parts = urlsplit(url)
    pairs = parse_qsl(parts.query, keep_blank_values=True) + [
        (name, value)
        for name, value in parameters.items()
        if name not in ("realm", "oauth_signature")
    ]
    normal = "&".join(
        f"{name}={value}"
        for name, value in sorted((escape(name), escape(value)) for name, value in pairs)
    )
    place = f"{parts.scheme.lower()}://{parts.netloc.lower()}{parts.path}"
    return "&".join(escape(each) for each in (method.upper(), place, normal))


def signature(method, url, parameters, *, consumer_secret, token_secret=""):
    key = f"{escape(consumer_secret)}&{escape(token_secret)}".encode()
    text = base_string(method, url, parameters).encode()
    return base64.b64encode(hmac.new(key, text, hashlib.sha1).digest()).decode()


def _base64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def web_token(claims, *, secret, algorithm="HS256"):
    head = _base64(json.dumps({"typ": "JWT", "alg": algorithm}).encode())
    body = _base64(json.dumps(claims).encode())
    if algorithm == "none":
        return f"{head}.{body}."
    mark = hmac.new(secret.encode(), f"{head}.{body}".encode(), hashlib.sha256).digest()
    return f"{head}.{body}.{_base64(mark)}"
