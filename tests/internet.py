"""A small internet for tests: real servers on loopback that answer at public addresses.

Only the look-up of names and the opening of connections are replaced, so everything above the
socket is real, TLS too.
"""

import re
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PUBLIC = "93.184.216.34"
_NOW = datetime.now(UTC)


def make_certificate(folder, host):
    """A self-signed certificate for a host and its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(_NOW - timedelta(days=1))
    builder = builder.not_valid_after(_NOW + timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
    certificate = builder.sign(key, hashes.SHA256())
    path = folder / f"{host}.pem"
    encoding = serialization.Encoding.PEM
    path.write_bytes(
        key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(encoding)
    )
    return path


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.requests.append((self.command, self.path, dict(self.headers), body))
        self.server.answer(self)

    do_GET = do_POST

    def log_message(self, *_args):
        pass


class Server(ThreadingHTTPServer):
    """Keeps the requests that it got; `answer` is a function of the handler."""

    daemon_threads = True

    def __init__(self, certificate=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests = []
        self.say(200, b"thanks")
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False
            )
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def say(self, status, body=b"", **headers):
        def answer(handler):
            handler.send_response(status)
            for name, value in headers.items():
                handler.send_header(name, value)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)

        self.answer = answer

    def handle_error(self, *_args):
        pass


class Internet:
    """Names with the addresses that each look-up gives in turn, and servers at addresses."""

    def __init__(self, monkeypatch):
        self.names = {}
        self.servers = {}
        self.connections = []
        self._connect, self._look_up_really = socket.create_connection, socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self._look_up)
        monkeypatch.setattr(socket, "create_connection", self._open)

    def name(self, host, *answers):
        """Each answer is a list of addresses; the last one is given from then on."""
        self.names[host] = list(answers)

    def _look_up(self, host, port, *args, **kwargs):
        if re.fullmatch(r"[0-9.]+", host):
            return self._look_up_really(host, port, *args, **kwargs)
        answers = self.names.get(host)
        if not answers:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in addresses]

    def _open(self, address, timeout=None, *_args, **_kwargs):
        host, port = address
        self.connections.append((host, port))
        server = self.servers.get(host)
        if server is None:
            raise ConnectionRefusedError(111, f"Connection refused by {host}")
        return self._connect(("127.0.0.1", server.server_port), timeout)

    def close(self):
        for server in {id(each): each for each in self.servers.values()}.values():
            server.shutdown()
            server.server_close()
