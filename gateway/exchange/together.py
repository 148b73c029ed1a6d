"""Releases asked for at the same moment share a transaction: while one is under way, those who arrive gather behind it.

Callers who ask the same of different children (an agency's system that reads plans, say) are answered by one `release_each`:
one look behind the locks, one commit, one turn at the sequencer. Each child keeps its own decision, bytes and entry. Who comes
alone is answered at once, alone; different agencies do not wait for each other.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from weakref import WeakKeyDictionary

from gateway.exchange.context import Hub
from gateway.exchange.disclosure import Refused, Released, ReleaseRequest
from gateway.exchange.release import release, release_each
from gateway.store.engine import Database

MOST = 32
"""Children of one group, so that nobody waits long for the others."""

_Key = tuple[str, str, str]


@dataclass(slots=True, eq=False)
class _Ticket:
    """One caller. Once `called`: it has its `answer`, or leads a group, or goes alone because its group failed."""

    request: ReleaseRequest
    called: threading.Event = field(default_factory=threading.Event)
    leads: bool = False
    answer: Released | Refused | None = None

    @property
    def key(self) -> _Key:
        """Whose line to stand in."""
        return self.request.recipient, self.request.requester, self.request.purpose


class _Desk:
    """Where the threads of one process meet: a line for each client that has a release under way. All under `mutex`."""

    def __init__(self) -> None:
        self.mutex = threading.Lock()
        self.lines: dict[_Key, list[_Ticket]] = {}

    def stand_in_line(self, ticket: _Ticket) -> None:
        """Lead at once where nobody is before, else wait to be called."""
        with self.mutex:
            line = self.lines.get(ticket.key)
            if line is None:
                self.lines[ticket.key] = []
                ticket.leads = True
                return
            line.append(ticket)
        ticket.called.wait()

    @contextmanager
    def group(self, leader: _Ticket) -> Iterator[list[_Ticket]]:
        """The leader and those who ask the same of other children. Afterwards they are called, and the next leader is."""
        same = replace(leader.request, children=())
        found = {leader.request.children: leader}
        with self.mutex:
            line = self.lines[leader.key]
            for one in line:
                if len(found) < MOST and replace(one.request, children=()) == same:
                    found.setdefault(one.request.children, one)
            line[:] = [one for one in line if found.get(one.request.children) is not one]
        members = list(found.values())
        try:
            yield members
        finally:
            for one in members[1:]:
                one.called.set()
            self._call_next(leader.key)

    def _call_next(self, key: _Key) -> None:
        with self.mutex:
            line = self.lines[key]
            if not line:
                del self.lines[key]
                return
            after = line.pop(0)
            after.leads = True
        after.called.set()


_desks: WeakKeyDictionary[Database, _Desk] = WeakKeyDictionary()
_making = threading.Lock()


def release_together(hub: Hub, request: ReleaseRequest) -> Released | Refused:
    """As `release`, in one transaction with those of this client who ask the same of other children meanwhile.

    Requests are the same where all but the child is equal, `render` included. Should a group fail, each of it is released
    alone: what one child's record does to it, no other caller meets.
    """
    with _making:
        desk = _desks.setdefault(hub.db, _Desk())
    ticket = _Ticket(request)
    desk.stand_in_line(ticket)
    if ticket.leads:
        with desk.group(ticket) as members:
            if len(members) == 1:
                return release(hub, request)
            _answer(hub, members)
    return ticket.answer or release(hub, request)


def _answer(hub: Hub, members: list[_Ticket]) -> None:
    children = tuple(one.request.children[0] for one in members)
    try:
        answers = release_each(hub, replace(members[0].request, children=children))
    except Exception:  # noqa: BLE001 - each then goes alone and meets its own
        return
    for one, answer in zip(members, answers, strict=True):
        one.answer = answer
