"""Old images in Debian's docker-registry, with a password, as the portal deletes them."""

import hashlib
import json
import socket
import subprocess
from datetime import timedelta

import httpx
import pytest
import yaml

from portal.clusters.models import RegistryPlace
from portal.clusters.places import mark_places
from portal.clusters.registries import look
from portal.tools.models import Tool
from portal.webservices.operations import deploy
from portal.webservices.registries import keep_place
from portal.webservices.retention import remove_old_images
from tests.cluster import debian
from tests.cluster.processes import wait_until
from tests.conftest import NOW
from tests.registries import cluster_with
from tests.webservices.conftest import make_image

__all__ = ["make_image"]
pytestmark = [pytest.mark.cluster, pytest.mark.django_db]
REPOSITORY = "tool-hat/hat"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
ROBOT = ("robot", "secret")
# Of that password.
HASHED = "$2b$05$20GQpkOubFYZ6CrGyJnPlutpOE./TeVHGTVe.2XSVkZECO9Pk0NGa"


class Registry:
    """A docker-registry on a port of its own; what it holds outlives a restart."""

    def __init__(self, folder):
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.host = f"127.0.0.1:{free.getsockname()[1]}"
        (folder / "htpasswd").write_text(f"{ROBOT[0]}:{HASHED}\n")
        self.process = None

    def start(self, *, deletes=True):
        config = {
            "version": 0.1,
            "log": {"level": "warn"},
            "storage": {
                "filesystem": {"rootdirectory": str(self.folder / "images")},
                "delete": {"enabled": deletes},
            },
            "http": {"addr": self.host},
            "auth": {"htpasswd": {"realm": "r", "path": str(self.folder / "htpasswd")}},
        }
        path = self.folder / "registry.yaml"
        path.write_text(yaml.safe_dump(config))
        with (self.folder / "registry.log").open("ab") as log:
            argv = ["docker-registry", "serve", str(path)]
            self.process = subprocess.Popen(argv, stdout=log, stderr=log)
        wait_until(self.answers, what="the registry answers", seconds=20)

    def answers(self):
        try:
            return self.ask("GET", "").status_code == 200
        except httpx.ConnectError:
            return False

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def ask(self, method, path, **more):
        address = path if path.startswith("http") else f"http://{self.host}/v2/{path}"
        return httpx.request(method, address, auth=ROBOT, trust_env=False, **more)

    def push(self, tag):
        """An image that holds nothing but its own number; its digest."""
        config = json.dumps({"config": {"Labels": {"number": tag}}}).encode()
        blob = {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "size": len(config),
            "digest": f"sha256:{hashlib.sha256(config).hexdigest()}",
        }
        place = self.ask("POST", f"{REPOSITORY}/blobs/uploads/").headers["Location"]
        target = httpx.URL(place).copy_merge_params({"digest": blob["digest"]})
        assert self.ask("PUT", str(target), content=config).status_code == 201
        body = {"schemaVersion": 2, "mediaType": MANIFEST, "config": blob, "layers": []}
        headers = {"Content-Type": MANIFEST}
        put = self.ask("PUT", f"{REPOSITORY}/manifests/{tag}", json=body, headers=headers)
        assert put.status_code == 201, put.text
        return put.headers["Docker-Content-Digest"]

    def tags(self):
        """Those that can be pulled."""
        headers = {"Accept": MANIFEST}
        asked = {
            tag: self.ask("HEAD", f"{REPOSITORY}/manifests/{tag}", headers=headers).status_code
            for tag in range(1, 6)
        }
        assert set(asked.values()) <= {200, 404}
        return [tag for tag, status in asked.items() if status == 200]


@pytest.fixture
def registry(tmp_path):
    debian.install(debian.NODE)
    registry = Registry(tmp_path)
    try:
        registry.start()
        yield registry
    finally:
        registry.stop()


@pytest.fixture
def place(registry, ada, hat, tmp_path):
    entry = dict(zip(("username", "password"), ROBOT, strict=True))
    file = tmp_path / "push.json"
    file.write_text(json.dumps({"auths": {registry.host: entry}}))
    cluster = cluster_with(registry.host, by=ada, push_credentials_file=str(file))
    return RegistryPlace.objects.get(cluster=cluster)


@pytest.fixture
def images(registry, place, make_image, settings):
    settings.IMAGES_KEPT = 2
    made = [make_image() for _number in range(5)]
    for image in made:
        image.digest = registry.push(image.build.number)
        image.reference = f"{registry.host}/{REPOSITORY}@{image.digest}"
        image.save(update_fields=["digest", "reference"])
    return made


def keep(place, now=NOW):
    RegistryPlace.objects.filter(pk=place.pk).update(next_look_at=now)
    keep_place(RegistryPlace.objects.select_related("cluster", "tool").get(), now=now)
    return RegistryPlace.objects.filter(pk=place.pk).first()


def drop_old():
    remove_old_images(store=None, now=NOW)


def test_what_the_verdict_drops_is_deleted_and_what_runs_stays(registry, place, images, alice):
    deploy(images[0], by=alice, at=NOW)
    drop_old()
    seen = keep(place)
    assert (seen.trouble, seen.next_look_at) == ("", None)
    assert registry.tags() == [1, 4, 5]


def test_one_that_is_away_is_said_and_made_up_for(registry, place, images):
    state = place.cluster.registry_state
    look(state, now=NOW)
    assert (state.is_reachable, state.version) == (True, "registry/2.0")
    registry.stop()
    look(state, now=NOW)
    drop_old()
    assert (state.is_reachable, "cannot be reached" in keep(place).trouble) == (False, True)
    registry.start()
    assert keep(place).trouble == ""
    assert registry.tags() == [4, 5]


def test_one_that_may_not_delete_says_so_and_does_once_it_may(registry, place, images):
    registry.stop()
    registry.start(deletes=False)
    drop_old()
    assert "DELETE_ENABLED" in keep(place).trouble
    assert registry.tags() == [1, 2, 3, 4, 5]
    registry.stop()
    registry.start()
    keep(place)
    assert registry.tags() == [4, 5]


def test_an_archived_tools_images_go_after_its_grace(registry, place, images):
    Tool.objects.update(status="archived")
    mark_places(now=NOW)
    keep(place)
    assert registry.tags() == [1, 2, 3, 4, 5]
    assert keep(place, NOW + timedelta(days=30)) is None
    assert registry.tags() == []


def test_a_wrong_password_is_said(registry, place, images, tmp_path):
    (tmp_path / "push.json").write_text("{}")
    look(place.cluster.registry_state, now=NOW)
    assert "does not accept" in place.cluster.registry_state.trouble
