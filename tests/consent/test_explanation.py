import json

from consent.explanation import full_trace, outward
from mappings.record.category import Category
from mappings.record.kind import Part
from tests.consent.family import LAW, decided, directive, link, request, stop


def test_the_outside_learns_one_opaque_id_whatever_the_reason():
    denied = decided(directive(), stop())
    unknown = decided()
    permitted = decided(directive())
    assert outward(denied) == outward(unknown) == outward(permitted) == str(request().decision_id)


def test_the_full_trace_names_every_directive_considered_and_why():
    trace = full_trace(
        decided(
            directive(1, notice=None),
            directive(2),
            ask=request(Category.SCHOOL),
            links=(link(verified_at=None),),
        )
    )
    assert json.loads(json.dumps(trace)) == trace
    assert trace["categories"]["school"] == {
        "outcome": "deny",
        "reason": "signatures-missing",
        "element": None,
        "standing": "unverified",
        "directive_ids": [],
        "duties": {},
        "considered": [
            {
                "directive_id": str(directive(1).directive_id),
                "reason": "defective",
                "element": "notice",
                "standing": None,
            },
            {
                "directive_id": str(directive(2).directive_id),
                "reason": "signatures-missing",
                "element": None,
                "standing": "unverified",
            },
        ],
    }


def test_the_full_trace_says_what_was_asked_for_how_long_it_holds_and_what_it_rests_on():
    trace = full_trace(decided(directive()))
    assert trace["recipient"] == "harbor-clinic"
    assert trace["parts"] == [Part.PLAN]
    assert trace["expires"] == "2026-11-22T17:01:00+00:00"
    assert (trace["child_epoch"], trace["agreement_epoch"]) == (7, 3)
    assert trace["rules_version"] == LAW.version.hex()
    school = trace["categories"]["school"]
    assert school["directive_ids"] == [str(directive(1).directive_id)]
    assert school["duties"]["EDU"] == ["NOTICE ferpa-99.33", "NORDSCLCD"]
