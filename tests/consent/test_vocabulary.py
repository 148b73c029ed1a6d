from consent.vocabulary import COVERS, PARTS, Purpose
from mappings.record.kind import Part


def test_the_purpose_table_is_exactly_this_matrix():
    answered = {named: set(covered) for named, covered in COVERS.items()}
    assert answered == {
        Purpose.CARE_COORDINATION: {Purpose.CARE_COORDINATION},
        Purpose.TREATMENT: {Purpose.TREATMENT, Purpose.CARE_COORDINATION},
        Purpose.CARE_MANAGEMENT: {Purpose.CARE_MANAGEMENT},
        Purpose.EMERGENCY_TREATMENT: set(),
        Purpose.BREAK_GLASS: set(),
        Purpose.STUDENT_SUPPORT: {Purpose.STUDENT_SUPPORT},
        Purpose.REFERRAL_OUTCOME: {Purpose.REFERRAL_OUTCOME},
        Purpose.FAMILY_REQUEST: set(),
        Purpose.RECORD_MANAGEMENT: set(),
    }


def test_break_glass_and_emergency_are_implied_by_no_purpose_at_all():
    for covered in COVERS.values():
        assert not covered & {Purpose.BREAK_GLASS, Purpose.EMERGENCY_TREATMENT}


def test_only_the_referral_outcome_purpose_may_ask_how_a_referral_ended():
    for purpose in Purpose:
        assert (Part.OUTCOME in PARTS[purpose]) == (purpose is Purpose.REFERRAL_OUTCOME)
    assert PARTS[Purpose.REFERRAL_OUTCOME] == {Part.OUTCOME}
