"""The process tree of `manage.py up`."""

import asyncio
import sys
import time

import pytest

from portal import processes
from portal.processes import Part, Tree


def python(code):
    return [sys.executable, "-u", "-c", code]


def run(parts, *, until, seconds=20):
    said = []

    async def main():
        tree = Tree(parts, write=said.append)
        running = asyncio.create_task(tree.run())
        end = time.monotonic() + seconds
        while not until(said) and time.monotonic() < end:
            await asyncio.sleep(0.02)
        tree.stop()
        await running

    asyncio.run(main())
    return said


def test_output_is_prefixed_with_the_parts_name():
    parts = [
        Part("web", python("print('hello'); import time; time.sleep(60)")),
        Part("worker", python("import time; time.sleep(60)")),
    ]
    assert "web    | hello" in run(parts, until=lambda said: any("hello" in x for x in said))


def test_a_part_that_dies_is_started_again():
    said = run(
        [Part("web", python("print('up')"))], until=lambda said: sum("up" in x for x in said) >= 2
    )
    assert any("ended with 0; starting it again in 0.5 s" in line for line in said)


def test_a_part_waits_until_it_is_needed(monkeypatch):
    monkeypatch.setattr(processes, "ASKING", 0.05)
    answers = [True, False, False]

    async def is_needed():
        return answers.pop() if len(answers) > 1 else answers[0]

    part = Part("watch", python("print('up'); import time; time.sleep(60)"), is_needed=is_needed)
    assert any("up" in line for line in run([part], until=lambda said: said))
    assert answers == [True]


def test_a_part_that_is_never_needed_ends_with_the_tree(monkeypatch):
    monkeypatch.setattr(processes, "ASKING", 0.05)

    async def is_needed():
        return False

    part = Part("watch", python("print('up')"), is_needed=is_needed)
    began = time.monotonic()
    assert run([part], until=lambda _said: time.monotonic() - began > 0.3) == []


def test_a_part_that_cannot_be_started_is_said():
    said = run([Part("web", ["/no/such/program"])], until=lambda said: len(said) >= 2)
    assert "No such file" in said[0]


def test_a_part_that_will_not_end_is_ended(monkeypatch):
    monkeypatch.setattr(processes, "GRACE", 0.3)
    code = "import signal, time\nsignal.signal(15, lambda *_: print('no'))\nprint('up')\n"
    code += "while True: time.sleep(1)"
    began = time.monotonic()
    run([Part("web", python(code))], until=lambda said: any("up" in x for x in said))
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("name", ["V"])
def test_a_part_gets_its_variables(name):
    code = f"import os; print('is', os.environ['{name}']); import time; time.sleep(60)"
    said = run([Part("web", python(code), {name: "x"})], until=lambda said: bool(said))
    assert said[0] == "web | is x"


def test_a_part_whose_child_holds_its_output_is_started_again_all_the_same():
    code = "import subprocess; subprocess.Popen(['sleep', '60']); print('up')"
    said = run(
        [Part("web", python(code))],
        until=lambda said: sum("up" in x for x in said) >= 2,
        seconds=10,
    )
    assert sum("up" in line for line in said) >= 2
