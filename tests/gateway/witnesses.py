"""Witnesses that listen on loopback, and policies that name them."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from consent.note import VerifierKey
from consent.trust_policy import TrustPolicy, parse_policy
from gateway.witness.home import WitnessHome, create_home
from gateway.witness.serving import Witnessing
from tests.gateway.family import SIGNER, now

Value = TypeVar("Value")


@dataclass
class Listening:
    """A witness at an address, and what it told its operator."""

    home: WitnessHome
    url: str
    told: list[str] = field(default_factory=list)


@contextmanager
def a_witness(
    folder: Path,
    name: str = "library",
    *,
    log: VerifierKey = SIGNER.verifier,
    clock: Callable[[], datetime] = now,
) -> Iterator[Listening]:
    """A witness of this log, as an agency runs it."""
    home = create_home(folder / name, f"{name}.example/witness")
    home.trust(log)
    told: list[str] = []
    with Witnessing(("127.0.0.1", 0), home, clock, told.append) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield Listening(home, f"http://127.0.0.1:{server.server_address[1]}", told)
        finally:
            server.shutdown()
            thread.join()


def policy_of(text: str) -> TrustPolicy:
    """The policy in a text that is one."""
    found = parse_policy(text)
    assert isinstance(found, TrustPolicy), found
    return found


def policy_with(*witnesses: Listening, quorum: int | None = None) -> TrustPolicy:
    """Of these witnesses so many; all, where nothing is said."""
    names = [f"w{n}" for n in range(len(witnesses))]
    lines = [f"log {SIGNER.verifier}"]
    lines += [
        f"witness {name} {one.home.key.verifier} {one.url}"
        for name, one in zip(names, witnesses, strict=True)
    ]
    lines += [f"group G {quorum or len(names)} {' '.join(names)}", "quorum G"]
    return policy_of("\n".join(lines) + "\n")


def there(value: Value | None) -> Value:
    """What is there, said to the type checker."""
    assert value is not None
    return value
