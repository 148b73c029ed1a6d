"""A directive as a FHIR R4 Consent: IHE PCF's form, nothing wider than what was signed."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from consent.directive import State
from consent.fhir import ACT_CODE, Hub, Permission, bundle, consent
from consent.guardian import GuardianKind
from consent.vocabulary import Effect, Purpose
from mappings.fhir.structure import check_structure
from mappings.record.category import Category
from tests.paths import corpus

HUB = Hub("https://hub.example/id", "the hub")
SIGNED = Permission(
    number="PH-7KQ4-M2",
    effect=Effect.PERMIT,
    recipient="clinic",
    recipient_name="A clinic",
    categories=frozenset({Category.IDENTITY, Category.SCHOOL}),
    purposes=frozenset({Purpose.CARE_COORDINATION}),
    valid_from=datetime(2026, 9, 1, tzinfo=UTC),
    valid_until=datetime(2027, 7, 1, tzinfo=UTC),
    recorded_at=datetime(2026, 9, 1, tzinfo=UTC),
    state=State.GIVEN,
    ended=False,
    signer=GuardianKind.PARENT,
)
FORBIDDEN = {"verification", "action", "class", "code", "provision"}


def made(**changes):
    return consent(replace(SIGNED, **changes), child_ref="a" * 26, hub=HUB)


@pytest.mark.parametrize("effect", list(Effect))
@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("signer", list(GuardianKind))
def test_every_consent_has_r4s_shape_and_pcfs_elements(effect, state, signer):
    one = made(effect=effect, state=state, signer=signer)
    assert check_structure(one) == ()
    for name in ("scope", "category", "patient", "dateTime", "performer", "organization", "policy"):
        assert one[name]
    assert one["sourceAttachment"]
    assert one["provision"]["type"] == effect.value
    assert not FORBIDDEN & one["provision"].keys()
    assert "verification" not in one
    (actor,) = one["provision"]["actor"]
    assert actor["role"]["coding"][0]["code"] == "IRCP"


@pytest.mark.parametrize("topic", list(Category))
@pytest.mark.parametrize("purpose", list(Purpose))
def test_each_topic_and_purpose_has_exactly_one_code(topic, purpose):
    provision = made(categories=frozenset({topic}), purposes=frozenset({purpose}))["provision"]
    (label,), (why,) = provision["securityLabel"], provision["purpose"]
    assert label["code"]
    assert (label["system"] == ACT_CODE) is (label["code"] != topic.value)
    assert why["code"] == purpose.value


def test_the_codes_of_topics_are_all_different():
    labels = made(categories=frozenset(Category))["provision"]["securityLabel"]
    assert len({(one["system"], one["code"]) for one in labels}) == len(Category)


@pytest.mark.parametrize(
    ("state", "ended", "status"),
    [
        (State.GIVEN, False, "active"),
        (State.RENEWED_GIVEN, False, "active"),
        (State.GIVEN, True, "inactive"),
        (State.WITHDRAWN, True, "inactive"),
        (State.DISPUTED, False, "inactive"),
        (State.REFUSED, False, "rejected"),
        (State.REQUESTED, False, "proposed"),
        (State.INVALIDATED, False, "entered-in-error"),
    ],
)
def test_only_what_stands_is_active(state, ended, status):
    assert made(state=state, ended=ended)["status"] == status


def test_the_last_second_is_included_as_fhir_has_it():
    assert made()["provision"]["period"] == {"start": "2026-09-01T00:00:00Z", "end": "2027-06-30T23:59:59Z"}
    assert "end" not in made(valid_until=None)["provision"]["period"]


def test_a_young_person_who_signed_is_the_patient_and_any_other_signer_is_not():
    assert made(signer=GuardianKind.SELF)["performer"][0]["type"] == "Patient"
    assert made()["performer"][0]["type"] == "RelatedPerson"


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_collection_of_them_has_r4s_shape(count):
    many = [made(number=f"PH-7KQ4-M{n}") for n in range(count)]
    assert check_structure(bundle(many, hub=HUB, at=SIGNED.recorded_at)) == ()


@pytest.mark.corpus
def test_nothing_stands_in_a_consent_that_pcfs_own_examples_do_not_have_there():
    """Beside them the identifier, and the source as an attachment where the examples refer to a document."""
    examples = [json.loads(one.read_text()) for one in corpus("health", "ihe-pcf").glob("Consent-*.json")]
    assert len(examples) == 23
    roots = [one["provision"] for one in examples if "provision" in one]
    provisions = [*roots, *(inner for one in roots for inner in one.get("provision", ()))]
    ours = made()
    assert ours.keys() - {"identifier", "sourceAttachment"} <= {name for one in examples for name in one}
    assert ours["provision"].keys() <= {name for one in provisions for name in one}
    assert ours["meta"]["profile"][0] in {url for one in examples for url in one["meta"]["profile"]}
