"""Tekton Pipelines in the cluster, from its module's own manifests."""

import re

from tests.cluster.components import TEKTON
from tests.cluster.images import add_image, layer_of

NAMESPACE = "tekton-pipelines"
PROGRAMS = ("controller", "webhook", "entrypoint", "nop", "workingdirinit")
# Remote resolvers and cloud events are not used, and one webhook is enough for one node.
FOLDERS = ("100-namespace", "300-crds", ".")
LEFT_OUT = ("events.yaml", "webhook-hpa.yaml")
NOBODY = "65532:65532"


def make_images() -> tuple[str, ...]:
    """As Tekton's releases are made: a program at /ko-app, and nothing else."""
    return tuple(_make_image(name) for name in PROGRAMS)


def _make_image(program: str) -> str:
    path = f"/ko-app/{program}"
    layer = layer_of({path: TEKTON.program(program)})
    return add_image(f"tekton-{program}", [layer], Entrypoint=[path], User=NOBODY)


def definitions() -> str:
    """The kinds alone, for a cluster in which nothing is built."""
    files = sorted((TEKTON.source() / "config" / "300-crds").glob("*.yaml"))
    return "\n---\n".join(path.read_text() for path in files)


def manifests(*, registry: str, shell: str) -> str:
    """What a release has, with images of the lab in place of the released ones."""
    folder = TEKTON.source() / "config"
    files = [path for name in FOLDERS for path in sorted((folder / name).glob("*.yaml"))]
    text = "\n---\n".join(path.read_text() for path in files if path.name not in LEFT_OUT)
    text = text.replace('"devel"', f'"{TEKTON.version}"')
    text = re.sub(r"ko://\S+/cmd/(\w+)", rf"{registry}/tekton-\1:latest", text)
    return re.sub(r'(?:cgr\.dev|mcr\.microsoft\.com)/[^"\s]+', shell, text)
