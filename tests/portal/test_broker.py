"""The queue in files loses no message, however busy it is."""

import multiprocessing
import time

import pytest
from kombu import Connection
from kombu.transport import filesystem

from portal import broker
from portal.celery import app

WRITERS, EACH = 3, 400


def open_queue(folder, transport):
    options = {"data_folder_in": folder, "data_folder_out": folder, "control_folder": folder}
    options = {name: str(path) for name, path in options.items()}
    return Connection("filesystem://", transport=transport, transport_options=options)


def write(folder, transport, number):
    with open_queue(folder, transport) as connection:
        queue = connection.SimpleQueue("work")
        for place in range(EACH):
            queue.put({"number": number * EACH + place, "filling": "x" * 2000})


def read(folder, transport):
    """What a reader gets that never waits, and how often it failed, until nothing more comes."""
    context = multiprocessing.get_context("spawn")
    writers = [
        context.Process(target=write, args=(folder, transport, number)) for number in range(WRITERS)
    ]
    got, failures = set(), 0
    with open_queue(folder, transport) as connection:
        queue = connection.SimpleQueue("work")
        for each in writers:
            each.start()
        quiet_since = time.monotonic()
        while len(got) < WRITERS * EACH:
            try:
                message = queue.get(block=False)
                message.ack()
                got.add(message.payload["number"])
                quiet_since = time.monotonic()
            except queue.Empty:
                is_over = not any(each.is_alive() for each in writers)
                if is_over and time.monotonic() - quiet_since > 1:
                    break
            except Exception:  # noqa: BLE001 - an empty message cannot be read
                failures += 1
    for each in writers:
        each.join(30)
    return got, failures


@pytest.mark.slow
def test_no_message_is_lost_or_read_before_it_is_whole(tmp_path):
    got, failures = read(tmp_path, broker.Transport)
    assert failures == 0
    assert got == set(range(WRITERS * EACH))


def test_the_embedded_portal_uses_it():
    assert isinstance(app.connection().transport, broker.Transport)
    assert issubclass(broker.Transport, filesystem.Transport)
