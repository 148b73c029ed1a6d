"""A bounded load generator on loopback: callers that each keep one connection and ask again when they are answered.

`python -m benchmarks._load` reads what to do as JSON from standard input and prints what came of it. One thread, no HTTP
library: what it costs itself is small beside what it measures, and is in the answer as `cpu`.
"""

import json
import random
import resource
import selectors
import socket
import sys
import time
from dataclasses import dataclass, field
from typing import Any

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length:"
_TIMEOUT = 30.0


@dataclass(slots=True)
class Caller:
    """One caller: its connection, the requests it may make, and the answer it is receiving."""

    socket: socket.socket
    requests: list[bytes]
    sent_at: float = 0.0
    received: bytearray = field(default_factory=bytearray)
    wanted: int = 0

    def ask(self, now: float) -> None:
        self.sent_at, self.wanted = now, 0
        self.received.clear()
        self.socket.sendall(self.requests.pop())

    def is_answered(self) -> bool:
        """Take what has arrived; whether the answer is whole. Raises ConnectionError where the server hung up."""
        part = self.socket.recv(1 << 18)
        if not part:
            raise ConnectionError("the server closed the connection")
        self.received += part
        if not self.wanted:
            end = self.received.find(_HEAD_END)
            if end < 0:
                return False
            self.wanted = end + len(_HEAD_END) + _length(bytes(self.received[:end]).lower())
        return len(self.received) >= self.wanted

    def is_good(self) -> bool:
        return self.received.startswith(b"HTTP/1.1 200 ")


def _length(head: bytes) -> int:
    start = head.index(_LENGTH) + len(_LENGTH)
    return int(head[start:].split(b"\r\n", 1)[0])


def load(task: dict[str, Any]) -> dict[str, Any]:
    """Ask for `seconds`, `callers` at once spread evenly over `ports`, each the `paths` in an order of its own."""
    callers = [_caller(task, number) for number in range(task["callers"])]
    selector = selectors.DefaultSelector()
    for caller in callers:
        selector.register(caller.socket, selectors.EVENT_READ, caller)
    took: list[float] = []
    errors = 0
    used = _cpu()
    began = time.perf_counter()
    until = began + task["seconds"]
    for caller in callers:
        caller.ask(time.perf_counter())
    open_questions = len(callers)
    while open_questions:
        events = selector.select(_TIMEOUT)
        if not events:
            errors += open_questions  # nobody answered for as long as a caller would wait
            break
        for key, _ in events:
            caller = key.data
            if not caller.is_answered():
                continue
            now = time.perf_counter()
            took.append((now - caller.sent_at) * 1000)
            errors += not caller.is_good()
            if now < until and caller.requests:
                caller.ask(now)
            else:
                open_questions -= 1
    wall = time.perf_counter() - began
    cpu = _cpu() - used
    for caller in callers:
        caller.socket.close()
    return {"count": len(took), "errors": errors, "wall": wall, "cpu": cpu, "milliseconds": took}


def _caller(task: dict[str, Any], number: int) -> Caller:
    ports = task["ports"]
    connection = socket.create_connection(("127.0.0.1", ports[number % len(ports)]), timeout=_TIMEOUT)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    order = random.Random(number)
    paths = order.choices(task["paths"], k=task["most"])
    heads = "".join(f"{name}: {value}\r\n" for name, value in task["headers"].items())
    return Caller(
        connection, [f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{heads}\r\n".encode() for path in paths]
    )


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    print(json.dumps(load(json.load(sys.stdin))))
