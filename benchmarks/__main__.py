"""Measure a portal as a user meets it: `make bench`. The figures go into README.md by hand."""

import asyncio
import json
import os
import platform
import tempfile
import time
from collections import Counter
from pathlib import Path
from statistics import median, quantiles

import httpx

from benchmarks.site import Site

RATE, LINES = 50, 500
FLOOD_RATE, FLOOD_SECONDS = 10_000, 10
IDLE, ACTIVE = 300, 50


def printer(rate: int, lines: int) -> dict[str, str]:
    """A repository whose build prints numbered lines with the time, at a rate."""
    script = f"""
const rate = {rate}, lines = {lines}, start = Date.now();
let n = 0;
const tick = setInterval(() => {{
  const due = Math.min(lines, Math.floor(((Date.now() - start) * rate) / 1000));
  let text = "";
  while (n < due) text += `line ${{n++}} ${{Date.now()}}\\n`;
  if (text) process.stdout.write(text);
  if (n >= lines) clearInterval(tick);
}}, Math.max(1, 1000 / rate));
"""
    package = {"name": "x", "version": "1.0.0", "scripts": {"build": "node print.js"}}
    return {
        "package.json": json.dumps(package),
        "print.js": script,
        "server.js": "",
    }


async def follow(site: Site, tool: str, number: int, *, until_end: bool = True) -> list[float]:
    """Follow a build's log; milliseconds from printing to arrival of each numbered line."""
    latencies: list[float] = []
    path = f"/tools/{tool}/builds/{number}/events/"
    async with site.async_client() as client, client.stream("GET", path) as answer:
        async for line in answer.aiter_lines():
            if line == "event: end":
                break
            if line.startswith("data: ["):
                now = time.time() * 1000
                for text in json.loads(line[6:]):
                    if text.startswith("line "):
                        latencies.append(now - float(text.split()[2]))
    return latencies


def describe(values: list[float]) -> str:
    cuts = quantiles(values, n=100)
    return f"median {median(values):.0f}, p99 {cuts[98]:.0f}, most {max(values):.0f}"


def first_line(site: Site) -> None:
    seconds = []
    for _number in range(5):
        url = site.repository("first", {"Procfile": "web: x\n", "n": str(time.time())})
        began = time.monotonic()
        number = site.start("first", url)
        while not site.log("first", number):
            time.sleep(0.01)
        seconds.append(time.monotonic() - began)
        site.wait("first", number)
    print(f"request to first log line, s: median {median(seconds):.2f}, most {max(seconds):.2f}")


def latency(site: Site) -> None:
    number = site.start("steady", site.repository("steady", printer(RATE, LINES)))
    got = asyncio.run(follow(site, "steady", number))
    print(f"line to viewer at {RATE} lines/s, ms ({len(got)} of {LINES}): {describe(got)}")


def flood(site: Site) -> None:
    wanted = FLOOD_RATE * FLOOD_SECONDS
    before = site.memory()
    number = site.start("flood", site.repository("flood", printer(FLOOD_RATE, wanted)))
    got = asyncio.run(follow(site, "flood", number))
    text = site.log("flood", number)
    stored = sum(line.startswith("line ") for line in text.splitlines())
    print(
        f"{FLOOD_RATE} lines/s for {FLOOD_SECONDS} s: {stored} stored, {len(got)} seen of {wanted}"
    )
    print(f"  line to viewer, ms: {describe(got)}; memory of web, MB: {before} -> {site.memory()}")


def viewers(site: Site) -> None:
    async def all_of_them() -> list[list[float]]:
        quiet = site.start("quiet", site.repository("quiet", printer(1, 40)))
        idle = [asyncio.create_task(follow(site, "quiet", quiet)) for _n in range(IDLE)]
        await asyncio.sleep(10)
        print(f"  memory of web with {IDLE} viewers, MB: {site.memory()}")
        busy = site.start("busy", site.repository("busy", printer(RATE, LINES)))
        got = await asyncio.gather(*(follow(site, "busy", busy) for _n in range(ACTIVE)))
        await asyncio.gather(*idle)
        return list(got)

    print(f"{IDLE} idle and {ACTIVE} active viewers on one web process:")
    print(f"  memory of web before, MB: {site.memory()}")
    got = asyncio.run(all_of_them())
    complete = sum(len(each) == LINES for each in got)
    print(f"  {complete} of {ACTIVE} saw every line; ms: {describe([x for g in got for x in g])}")


def builds(site: Site) -> None:
    example = Path(__file__).parent.parent / "examples" / "flask-hello"
    files = {path.name: path.read_text() for path in example.iterdir() if path.is_file()}
    for what, change in (("cold", "1\n"), ("unchanged", "1\n"), ("source changed", "2\n")):
        number = site.start("flask", site.repository("flask", {**files, "VERSION": change}))
        steps = site.wait("flask", number)
        print(f"Flask example, {what}, s: {steps}")


def switch(site: Site) -> None:
    """Deploy again and again while asking; every answer has to be a 200."""
    site.deploy("flask", 2)
    headers = {"Host": "flask.localhost"}
    statuses: Counter[int | str] = Counter()

    async def ask(stopping: asyncio.Event) -> None:
        async with httpx.AsyncClient(headers=headers, trust_env=False, timeout=30) as client:
            while not stopping.is_set():
                try:
                    statuses[(await client.get(site.tools_url)).status_code] += 1
                except httpx.RemoteProtocolError:
                    # The proxy closed a connection that was idle just as it was used again.
                    statuses["idle connection closed"] += 1

    async def main() -> None:
        stopping = asyncio.Event()
        asking = [asyncio.create_task(ask(stopping)) for _n in range(8)]
        for build in (3, 2, 3):
            await asyncio.to_thread(site.deploy, "flask", build)
            await asyncio.sleep(7)
        stopping.set()
        await asyncio.gather(*asking)

    asyncio.run(main())
    print(f"three releases under load, answers by status: {dict(statuses)}")


def main() -> None:
    cores, memory = os.cpu_count(), os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    print(f"{cores} cores, {memory / 1024**3:.0f} GiB, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as folder, Site(Path(folder)) as site:
        for part in (first_line, latency, flood, viewers, builds, switch):
            part(site)


if __name__ == "__main__":
    main()
