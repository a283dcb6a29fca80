"""Files that tell a client of Kubernetes where the server is and who it is itself."""

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


def server_of(path: Path) -> Server:
    """Of the current context, whose authority must be a file."""
    config = yaml.safe_load(path.read_text())
    contexts = {entry["name"]: entry["context"] for entry in config["contexts"]}
    clusters = {entry["name"]: entry["cluster"] for entry in config["clusters"]}
    cluster = clusters[contexts[config["current-context"]]["cluster"]]
    return Server(cluster["server"], Path(cluster["certificate-authority"]))


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
