"""A portal of its own to measure, and a Git server beside it."""

import subprocess
import time
from pathlib import Path
from typing import Self

import httpx

from tests.browser.conftest import Portal
from tests.git_server import GitServer


class Site:
    """Starts a portal; every tool is alice's."""

    def __init__(self, folder: Path) -> None:
        folder.chmod(0o711)
        self._git = GitServer(folder / "git")
        self._git.root.mkdir()
        self._portal = Portal(folder / "state", git_url=self._git.url)

    def __enter__(self) -> Self:
        self._git.__enter__()
        self._portal.start()
        self.token = self._portal.manage("create_token", "alice").split()[-1]
        self._client = httpx.Client(base_url=f"{self._portal.url}/api/v1", headers=self._headers)
        self._session = self._sign_in()
        return self

    def __exit__(self, *exception: object) -> None:
        for tool in ("flask",):
            self._client.post(f"/tools/{tool}/webservice/stop/")
        time.sleep(8)
        self._portal.stop()
        self._git.__exit__()

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def _sign_in(self) -> httpx.Cookies:
        with httpx.Client(base_url=self._portal.url, trust_env=False) as client:
            client.get("/accounts/login/")
            csrf = next(value for name, value in client.cookies.items() if "csrf" in name)
            data = {"username": "alice", "csrfmiddlewaretoken": csrf}
            client.post("/accounts/development/", data=data)
            return client.cookies

    def async_client(self) -> httpx.AsyncClient:
        limits = httpx.Limits(max_connections=None)
        return httpx.AsyncClient(
            base_url=self._portal.url,
            cookies=self._session,
            timeout=120,
            limits=limits,
            trust_env=False,
        )

    @property
    def tools_url(self) -> str:
        return f"http://127.0.0.1:{self._portal.tools_port}/"

    def repository(self, name: str, files: dict[str, str]) -> str:
        url, _commit = self._git.repository(name, files)
        return url

    def start(self, tool: str, url: str) -> int:
        self._client.post("/tools/", json={"name": tool, "title": tool})
        answer = self._client.post(f"/tools/{tool}/builds/", json={"source_url": url})
        return int(answer.raise_for_status().json()["number"])

    def log(self, tool: str, number: int) -> str:
        return self._client.get(f"/tools/{tool}/builds/{number}/logs/").text

    def wait(self, tool: str, number: int) -> dict[str, float]:
        """Seconds from order to end, and of the work."""
        while True:
            build = self._client.get(f"/tools/{tool}/builds/{number}/").json()
            if build["finished_at"]:
                assert build["status"] == "succeeded", self.log(tool, number)
                times = [
                    time.strptime(build[name][:19], "%Y-%m-%dT%H:%M:%S")
                    for name in ("created_at", "finished_at")
                ]
                fractions = [float(f"0.{build[n][20:26]}") for n in ("created_at", "finished_at")]
                began, ended = (
                    time.mktime(each) + part for each, part in zip(times, fractions, strict=True)
                )
                return {"order to end": round(ended - began, 2)}
            time.sleep(0.05)

    def deploy(self, tool: str, build: int) -> None:
        made = self._client.post(f"/tools/{tool}/webservice/deploy/", json={"build": build})
        number = made.raise_for_status().json()["number"]
        while True:
            releases = self._client.get(f"/tools/{tool}/webservice/releases/").json()["results"]
            status = next(each["status"] for each in releases if each["number"] == number)
            if status != "starting":
                assert status == "live", status
                return
            time.sleep(0.1)

    def memory(self) -> int:
        """Megabytes that the web process holds."""
        (pid,) = self._portal.parts()["web"]
        done = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True)
        return int(done.stdout) // 1024
