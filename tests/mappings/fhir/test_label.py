from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.fhir.codetable import (
    labels_of_codes,
    labels_of_words,
    parse_code_table,
    parse_word_table,
    sdoh_category,
)
from mappings.fhir.label import ACT_CODE, CONFIDENTIALITY, high_water, labels_read, security
from mappings.record.category import EXTRA_PRIVATE, Category
from mappings.record.regime import Regime
from mappings.record.sensitivity import FORCED_CATEGORY, Label

ICD = "http://hl7.org/fhir/sid/icd-10-cm"


def labelled(*codings: tuple[str, str]) -> dict[str, Any]:
    return {
        "resourceType": "Condition",
        "meta": {"security": [dict(zip(("system", "code"), c, strict=True)) for c in codings]},
    }


@given(st.frozensets(st.sampled_from(Label)), st.frozensets(st.sampled_from(Category)))
def test_what_we_label_we_read_back_and_never_weaker(labels, categories):
    written = security(labels, categories, frozenset())
    read, _, unknown, issues = labels_read({"resourceType": "Goal", "meta": {"security": written}})
    assert not unknown
    assert issues == ()
    assert labels - {Label.NORMAL, Label.RESTRICTED, Label.VERY_RESTRICTED} <= read
    assert len([code for code in written if code["system"] == CONFIDENTIALITY]) == 1
    if categories & EXTRA_PRIVATE:
        assert {Label.RESTRICTED, Label.VERY_RESTRICTED} & read


def test_part_2_is_said_and_read_as_a_regime():
    written = security(frozenset({Label.SUBSTANCE_USE}), frozenset(), frozenset({Regime.P2}))
    assert {"system": ACT_CODE, "code": "42CFRPart2"} in written
    labels, regimes, _, _ = labels_read(labelled((ACT_CODE, "42CFRPart2")))
    assert labels == {Label.SUBSTANCE_USE}
    assert regimes == {Regime.P2}


def test_a_bundle_carries_only_the_highest_confidentiality():
    low = security(frozenset({Label.NORMAL}), frozenset(), frozenset())
    high = security(frozenset({Label.VERY_RESTRICTED, Label.HIV}), frozenset(), frozenset())
    assert high_water([low, high]) == [{"system": CONFIDENTIALITY, "code": "V"}]
    assert high_water([]) == [{"system": CONFIDENTIALITY, "code": "R"}]


@pytest.mark.parametrize(
    "coding",
    [
        ("urn:clinic:labels", "SECRET"),
        (ACT_CODE, "NOT-A-CODE"),
        ("http://terminology.hl7.org/ValueSet/somebody-elses", "ETH"),
        (CONFIDENTIALITY, "X"),
    ],
)
def test_an_unknown_label_is_never_read_as_no_restriction(coding):
    labels, _, unknown, issues = labels_read(labelled(coding))
    assert unknown
    assert labels == {Label.VERY_RESTRICTED}
    assert [issue.path for issue in issues] == ["Condition.meta.security.0"]
    assert coding[1] not in issues[0].text


def test_the_value_sets_url_that_real_senders_write_as_a_system_is_understood():
    labels, _, unknown, _ = labels_read(
        labelled(("http://terminology.hl7.org/ValueSet/v3-InformationSensitivityPolicy", "ETH"))
    )
    assert labels == {Label.SUBSTANCE_USE}
    assert not unknown


def test_how_to_handle_and_what_for_are_not_what_it_is_about():
    labels, _, unknown, _ = labels_read(
        labelled(
            (ACT_CODE, "NORDSCLCD"),
            (ACT_CODE, "REDACT"),
            ("http://terminology.hl7.org/CodeSystem/v3-ActReason", "TREAT"),
        )
    )
    assert labels == frozenset()
    assert not unknown


@pytest.mark.parametrize(
    "meta", [None, {}, {"security": None}, {"security": "R"}, {"security": [None, "R", {}]}]
)
def test_labels_of_any_shape_are_read_without_raising(meta):
    labels_read({"resourceType": "Goal", "meta": meta})


@pytest.mark.parametrize(
    ("code", "label"),
    [
        ("F10.20", Label.SUBSTANCE_USE_ALCOHOL_DRUG),
        ("F11.10", Label.OPIOID_USE),
        ("F32.1", Label.MENTAL_HEALTH),
        ("Z59.01", Label.LIVING_ARRANGEMENT),
        ("T74.22XA", Label.SEXUAL_DOMESTIC_VIOLENCE),
        ("T74.12XA", Label.VIOLENCE),
        ("Z33.1", Label.SEXUALITY),
        ("A56.01", Label.STD),
        ("B20", Label.HIV),
    ],
)
def test_a_branch_of_icd_10_cm_is_as_sensitive_as_its_longest_prefix_says(code, label):
    assert labels_of_codes([(ICD, code)]) == {label}
    assert FORCED_CATEGORY[label] in EXTRA_PRIVATE


@pytest.mark.parametrize("code", ["J45.909", "F84.0", "F81.0", "Z55.3", "R51.9", ""])
def test_an_ordinary_code_forces_nothing(code):
    assert labels_of_codes([(ICD, code), (None, code)]) == frozenset()


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("History of ALCOHOL use", Label.SUBSTANCE_USE_ALCOHOL_DRUG),
        ("Major depressive disorder", Label.MENTAL_HEALTH),
        ("seen by the school counselor", Label.MENTAL_HEALTH),
        ("Victim of child abuse", Label.VIOLENCE),
        ("Sleeps in a shelter", Label.LIVING_ARRANGEMENT),
        ("(pregnancy test)", Label.SEXUALITY),
    ],
)
def test_a_word_beside_a_local_code_is_as_sensitive_as_the_word_table_says(text, label):
    assert label in labels_of_words([text])


@pytest.mark.parametrize(
    "text", ["Asthma", "Reads below grade level", "Interdependence", "hives", "aided by a walker", ""]
)
def test_ordinary_words_force_nothing(text):
    assert labels_of_words([text]) == frozenset()


def test_a_social_need_is_known_by_its_category_or_its_code():
    gravity = "http://hl7.org/fhir/us/sdoh-clinicalcare/CodeSystem/SDOHCC-CodeSystemTemporaryCodes"
    assert sdoh_category([(ICD, "Z59.41")]) == "food-insecurity"
    assert sdoh_category([(ICD, "Z59.12")]) == "utility-insecurity"
    assert sdoh_category([(ICD, "Z59.41"), (gravity, "stress")]) == "stress"
    assert sdoh_category([(ICD, "J45.909")]) is None


def test_code_and_word_tables_that_are_wrong_are_refused():
    head = "system,code,match,label,source\n"
    for row in ("a,b,fuzzy,MH,s", "a,b,exact,MH,", "a,b,exact,MH,s\na,b,exact,MH,s"):
        with pytest.raises(ValueError, match="line"):
            parse_code_table(head + row + "\n", "label")
    with pytest.raises(ValueError, match="header"):
        parse_code_table("x\n", "label")
    for rows in (" ,whole,MH,", "a,whole,MH,\na,begins,BH,", "a,whole,NONE,", "a,ends,MH,"):
        with pytest.raises(ValueError, match=r"line|NONE"):
            parse_word_table(f"words,match,label,note\n{rows}\n")
