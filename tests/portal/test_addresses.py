"""Which addresses are of the open internet."""

import pytest

from portal.addresses import NotPublic, is_public, public_addresses
from tests.internet import PUBLIC, Internet


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "100.100.100.200",
        "169.254.169.254",
        "168.63.129.16",
        "192.0.0.192",
        "192.88.99.1",
        "198.18.0.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:10.0.0.1",
        "::ffff:0:7f00:1",
        "64:ff9b::7f00:1",
        "64:ff9b::a00:1",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "2001:0:7f00:1::",
        "2001:db8::1",
        "fe80::1%eth0",
        "fec0::1",
        "fd00:ec2::254",
        "ff02::1",
        "100::1",
        "5f00::1",
    ],
)
def test_an_address_that_is_not_of_the_open_internet(address):
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        PUBLIC,
        "8.8.8.8",
        "2606:2800:220:1:248:1893:25c8:1946",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
        "2002:808:808::1",
    ],
)
def test_an_address_of_the_open_internet(address):
    assert is_public(address)


def test_one_private_address_among_public_ones_is_enough_to_refuse(monkeypatch):
    internet = Internet(monkeypatch)
    internet.name("both.example.org", [PUBLIC, "10.0.0.1"])
    with pytest.raises(NotPublic):
        public_addresses("both.example.org", 443)
    internet.name("both.example.org", [PUBLIC, PUBLIC])
    assert public_addresses("both.example.org", 443) == [PUBLIC]
