"""Files that tell a client of Kubernetes where the server is and who it is itself."""

import base64
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.cluster.certificates import KeyPair


@dataclass(frozen=True)
class Server:
    url: str
    authority: Path


def by_certificate(path: Path, server: Server, pair: KeyPair) -> Path:
    user = {"client-certificate": str(pair.certificate), "client-key": str(pair.key)}
    return _write(path, server, user)


def by_token(path: Path, server: Server, token: str) -> Path:
    return _write(path, server, {"token": token})


def server_of(path: Path, folder: Path) -> Server:
    """Of the current context; an authority that is written inside goes to a file in `folder`."""
    config = yaml.safe_load(path.read_text())
    contexts = {entry["name"]: entry["context"] for entry in config["contexts"]}
    clusters = {entry["name"]: entry["cluster"] for entry in config["clusters"]}
    cluster = clusters[contexts[config["current-context"]]["cluster"]]
    if "certificate-authority" in cluster:
        return Server(cluster["server"], path.parent / cluster["certificate-authority"])
    authority = folder / "authority.crt"
    authority.write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
    return Server(cluster["server"], authority)


def _write(path: Path, server: Server, user: dict) -> Path:
    cluster = {"server": server.url, "certificate-authority": str(server.authority)}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "lab", "cluster": cluster}],
        "users": [{"name": "lab", "user": user}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab"}}],
        "current-context": "lab",
    }
    path.write_text(yaml.safe_dump(config))
    path.chmod(0o600)
    return path
