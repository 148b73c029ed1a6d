"""What the chapters of the demo share: the hub, the agencies' systems, the children's references, waiting for workers."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from adapters.sandbox.city import Child
from gateway.cli.demo.agency import AgencySystem
from gateway.cli.demo.stage import DISTRICT, NUMBER, Stage
from gateway.cli.demo.teller import Teller, wait_for
from gateway.exchange.context import Hub
from gateway.store import people, tables

STUDENT_NUMBER = (NUMBER, DISTRICT)
"""The system and assigner under which the district's feed names a child."""


@dataclass(slots=True)
class Play:
    """One run of the story."""

    stage: Stage
    hub: Hub
    tell: Teller
    systems: dict[str, AgencySystem]
    refs: dict[str, str] = field(default_factory=dict)
    children: dict[str, UUID] = field(default_factory=dict)
    guardians: dict[str, UUID] = field(default_factory=dict)
    permits: dict[str, UUID] = field(default_factory=dict)
    referrals: dict[str, UUID] = field(default_factory=dict)

    @property
    def school(self) -> AgencySystem:
        """The district's own system."""
        return self.systems[DISTRICT]

    def child(self, key: str) -> Child:
        """A child of the cast."""
        return self.stage.city.cast[key]

    def meet(self, key: str) -> None:
        """Learn the school's own reference for a child, by the number the school sent, and remember whose it is."""
        body = {"system": STUDENT_NUMBER[0], "assigner": STUDENT_NUMBER[1], "value": self.child(key).id}
        found = self.school.call("POST", "/v1/children/lookup", body)
        self.tell.must(found.status_code == 200, f"the school finds {key} by its own number")  # noqa: PLR2004
        self.refs[key] = found.json()["child"]
        with self.hub.db.transaction() as conn:
            self.children[key] = people.child_of(conn, DISTRICT, self.refs[key])

    def deliveries(self, key: str, recipient: str, topic: str) -> list[tuple[str, str | None]]:
        """State and reason of what was queued for an agency about a child, oldest first."""
        d = tables.delivery
        with self.hub.db.transaction() as conn:
            rows = conn.execute(
                select(d.c.state, d.c.reason)
                .where(d.c.child_id == self.children[key], d.c.recipient == recipient, d.c.topic == topic)
                .order_by(d.c.position)
            ).all()
        return [(row.state, row.reason) for row in rows]

    def settled(self, key: str, recipient: str, topic: str, *, count: int = 1) -> tuple[str, str | None]:
        """Wait until that many deliveries have ended; how the last one did."""

        def ended() -> bool:
            found = self.deliveries(key, recipient, topic)
            return len(found) >= count and all(state != "pending" for state, _ in found)

        wait_for(ended, f"{count} {topic} deliveries to {recipient} end")
        return self.deliveries(key, recipient, topic)[-1]

    def referral_state(self, name: str) -> str:
        """Where a referral stands inside the hub."""
        r = tables.referral
        with self.hub.db.transaction() as conn:
            return str(
                conn.execute(select(r.c.state).where(r.c.referral_id == self.referrals[name])).scalar_one()
            )


Chapter = Callable[[Play], None]


def day(when: datetime) -> str:
    """A day as people write it."""
    return f"{when:%B} {when.day}, {when.year}"
