"""The build cache: seen, and cleared."""

import pytest
from django.conf import settings

from builds.caches import cache_of, clear_cache
from builds.models import BuildCache
from builds.operations import BuildRefused, Source, start_build
from builds.states import Status
from tests.conftest import NOW


@pytest.fixture
def folders(hat):
    """Caches on the disk: of hat, of hat on another system, and of a tool with a like name."""
    made = []
    for name in ("hat", "hat@debian", "hat-two"):
        folder = settings.STATE / "cache" / name / "committed"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "layer").write_text("x")
        made.append(folder.parent)
    BuildCache.objects.create(tool=hat, size=5 * 1024**2, measured_at=NOW)
    return made


def test_clearing_takes_the_tools_own_caches_and_no_other(hat, alice, folders):
    clear_cache(hat, by=alice, at=NOW)
    assert [folder.exists() for folder in folders] == [False, False, True]
    assert cache_of(hat) is None
    assert hat.events.first().action == "cache.cleared"
    clear_cache(hat, by=alice, at=NOW)


def test_a_cache_in_use_is_not_cleared(hat, alice, folders):
    build = start_build(hat, by=alice, source=Source("https://git.example.org/a"), at=NOW)[0]
    build.move_to(Status.RUNNING, at=NOW)
    with pytest.raises(BuildRefused, match="uses the cache"):
        clear_cache(hat, by=alice, at=NOW)
    assert folders[0].exists()


def test_in_the_browser(hat, alice, bob, client_of, folders):
    client = client_of(alice)
    page = client.get("/tools/hat/images/").content.decode().replace("\xa0", " ")
    assert "5.0 MB that the next build finds again" in page
    assert client_of(bob).post("/tools/hat/cache/clear/").status_code == 404
    page = client.post("/tools/hat/cache/clear/", follow=True).content.decode()
    assert "The next build begins from nothing." in page
    assert "Nothing is kept from earlier builds." in page


def test_over_rest(hat, alice, bob, api_of, folders):
    rest = api_of(alice)
    assert rest.get("/api/v1/tools/hat/cache/").json()["size"] == 5 * 1024**2
    assert api_of(bob).delete("/api/v1/tools/hat/cache/").status_code == 404
    assert rest.delete("/api/v1/tools/hat/cache/").status_code == 204
    assert rest.get("/api/v1/tools/hat/cache/").json() == {"size": 0, "measured_at": None}
