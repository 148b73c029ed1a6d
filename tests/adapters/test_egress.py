import ipaddress
import socket
import time

import pytest

from adapters.egress import LOOPBACK, Egress, lookup
from adapters.http import HttpClient, Reply
from adapters.port import Cause, Refused, Transient
from tests.adapters.partners import QUICK, always

PUBLIC = ["93.184.216.34", "2606:4700::1111", "64:ff9b::5db8:d822"]
INSIDE = [
    "127.0.0.1",
    "127.8.9.10",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "fe80::1%eth0",
    "fd00::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:0001::",
    "2002:c0a8:0101::1",
    "not an address",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_called_over_tls_only(address):
    assert Egress().permits(address, plain=False)
    assert not Egress().permits(address, plain=True)


@pytest.mark.parametrize("address", INSIDE)
def test_addresses_inside_are_refused_however_they_are_written(address):
    assert not Egress().permits(address, plain=False)
    assert not Egress().permits(address, plain=True)


def test_a_listed_network_is_allowed_also_in_clear_and_nothing_beside_it():
    egress = Egress((ipaddress.ip_network("10.20.0.0/16"),))
    assert egress.permits("10.20.3.4", plain=True)
    assert egress.permits("::ffff:10.20.3.4", plain=False)
    assert not egress.permits("10.21.3.4", plain=False)


def test_the_connection_goes_to_the_address_that_was_checked_even_if_the_name_changes_its_mind():
    answers = iter([["127.0.0.1"], ["169.254.169.254"]])
    asked = []

    def rebinding(host, port, seconds):
        asked.append(host)
        return next(answers)

    with always(200) as partner, HttpClient(limits=QUICK, egress=Egress(LOOPBACK), resolve=rebinding) as http:
        url = f"http://clinic.invalid:{partner.port}/"
        assert isinstance(http.send("GET", url), Reply)
        assert isinstance(http.send("GET", url), Reply)  # the same connection: the name is not asked again
        assert asked == ["clinic.invalid"]
        assert partner.received[0].header("host") == f"clinic.invalid:{partner.port}"
    with HttpClient(limits=QUICK, egress=Egress(LOOPBACK), resolve=rebinding) as http:
        assert http.send("GET", url) == Refused(Cause.EGRESS)


def test_a_name_with_one_bad_address_is_refused_whole():
    with HttpClient(limits=QUICK, resolve=lambda *_: ["93.184.216.34", "10.0.0.1"]) as http:
        assert http.send("GET", "https://clinic.invalid/") == Refused(Cause.EGRESS)


def test_an_address_written_as_a_number_is_not_a_way_in():
    for host in ("2130706433", "0x7f000001", "127.1"):
        with HttpClient(limits=QUICK) as http:
            assert isinstance(http.send("GET", f"https://{host}/"), Refused | Transient)
            assert http.send("GET", f"https://{host}/") == Refused(Cause.EGRESS)


def test_the_next_address_is_tried_when_the_first_does_not_accept():
    with always(200) as partner:
        free = socket.create_server(("127.0.0.2", 0))
        free.close()  # nobody listens on 127.0.0.2
        with HttpClient(
            limits=QUICK, egress=Egress(LOOPBACK), resolve=lambda *_: ["127.0.0.2", "127.0.0.1"]
        ) as http:
            assert isinstance(http.send("GET", f"http://clinic.invalid:{partner.port}/"), Reply)


def test_a_resolver_that_hangs_is_left_behind(monkeypatch):
    def hanging(*_args, **_named):
        time.sleep(1)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hanging)
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        lookup("clinic.invalid", 443, 0.1)
    assert time.monotonic() - started < 0.9


def test_a_name_no_resolver_accepts_is_an_ordinary_failure():
    with HttpClient(limits=QUICK) as http:
        result = http.send("GET", "https://" + "a" * 70 + ".invalid/")
    assert result in (Transient(Cause.DNS), Refused(Cause.BAD_ADDRESS))
