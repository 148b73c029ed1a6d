"""`planhub emergency`: the review that must be closed."""

from uuid import uuid4

from gateway.cli.exits import Exit
from gateway.exchange import emergency
from gateway.exchange.emergency import NewEmergency
from mappings.record.category import Category


def test_a_review_is_listed_read_and_closed(hub, planhub, family, clinic):
    row = emergency.state(
        hub,
        NewEmergency(
            uuid4(), family.child, clinic, "system", frozenset({Category.HEALTH}), False, "Shock", "the child",
            "Nurse Vale", "Harbor Clinic",
        ),
    )  # fmt: skip
    listed = planhub("emergency", "list", "--json").json["emergencies"]
    assert str(row.emergency_id) in {one["emergency"] for one in listed}
    assert str(row.emergency_id) in planhub("emergency", "list").out
    assert "Nurse Vale" in planhub("emergency", "show", row.emergency_id).out
    close = (
        "emergency",
        "close",
        row.emergency_id,
        "--finding",
        "justified",
        "--note",
        "seen",
        "--by",
        "Ines",
    )
    assert planhub(*close).code == Exit.OK
    assert planhub(*close).code == Exit.CONFLICT
    rest = planhub("emergency", "list", "--json").json["emergencies"]
    assert str(row.emergency_id) not in {one["emergency"] for one in rest}


def test_what_nobody_stated_is_not_shown(planhub):
    assert planhub("emergency", "show", uuid4()).code == Exit.USAGE
