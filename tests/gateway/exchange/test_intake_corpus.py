"""A whole district, as its systems tell it: every document accounted for, and a second pull that changes nothing."""

from collections import Counter
from ipaddress import ip_network

import pytest
from sqlalchemy import text

from adapters.edfi.source import connect
from adapters.egress import Egress
from adapters.http import HttpClient
from adapters.oauth import Secret
from adapters.oneroster.dump import from_json_dump
from adapters.sandbox.edfi import CLIENT_ID, CLIENT_SECRET, EdFiSandbox
from gateway.exchange.connect import package_documents
from gateway.exchange.intake import take_in
from tests.gateway.exchange.feeds import add_connection
from tests.gateway.family import add_agency
from tests.paths import corpus

pytestmark = pytest.mark.corpus

GRAND_BEND = ("school", "edfi-grandbend-ds52")


def pull(folder):
    with (
        EdFiSandbox.from_jsonl(folder) as sandbox,
        HttpClient(egress=Egress((ip_network("127.0.0.0/8"),))) as http,
    ):
        resources = sorted({f"ed-fi/{path.name.split('.')[0]}" for path in folder.glob("*.jsonl")})
        source = connect(http, sandbox.base_url, Secret(CLIENT_ID, CLIENT_SECRET), resources)
        yield from source.pull(None)


def test_a_whole_district_is_accounted_for_and_a_second_pull_changes_nothing(fresh_hub):
    folder = corpus(*GRAND_BEND)
    held = Counter()
    for path in folder.glob("*.jsonl"):
        held[path.name.split(".")[0]] += len(path.read_text().splitlines())
    district = add_agency(fresh_hub)
    edfi = add_connection(fresh_hub, district, "edfi", roster=True)

    tally = take_in(fresh_hub, edfi, pull(folder))

    assert tally.failure is None
    assert tally.complete
    assert len(tally.resources) == 45
    assert tally.total.read == 17_072
    for resource, count in tally.resources.items():
        assert count.read == held[resource], resource
        assert count.read == count.accepted + count.rejected + count.aside, resource
    assert tally.of("students").accepted == 960
    assert tally.of("studentSchoolAssociations").accepted == 970
    assert tally.of("contacts").accepted == 1_873
    assert tally.total.rejected <= 0.005 * tally.total.read
    assert all(one.record_id and one.issue.text for one in tally.rejections)
    assert len(tally.rejections) == tally.total.rejected
    assert tally.children_new == 960
    assert tally.identities_in_review == 0

    again = take_in(fresh_hub, edfi, pull(folder))

    assert again.changed_nothing
    assert again.total.accepted == tally.total.accepted
    with fresh_hub.db.transaction() as connection:
        counted = connection.execute(text("SELECT count(*) FROM child")).scalar_one()
    assert counted == 960


def test_the_same_district_as_oneroster_becomes_the_same_children(fresh_hub):
    dump = from_json_dump(corpus("school", "oneroster-1.2-recorded", "full"))
    district = add_agency(fresh_hub)
    edfi = add_connection(fresh_hub, district, "edfi", roster=True)
    oneroster = add_connection(fresh_hub, district, "oneroster-csv", roster=True)
    take_in(fresh_hub, edfi, pull(corpus(*GRAND_BEND)))

    tally = take_in(fresh_hub, oneroster, package_documents(dump))

    assert tally.of("users").accepted == 970
    assert tally.of("users").rejected == 0
    assert tally.children_new == 0
    assert tally.identities_in_review == 0
    with fresh_hub.db.transaction() as connection:
        counted = connection.execute(
            text(
                "SELECT (SELECT count(*) FROM child), "
                "(SELECT count(DISTINCT l.child_id) FROM identity_link l JOIN source_identity USING (source_identity_id) "
                "WHERE connection = :oneroster AND valid_to IS NULL), "
                "(SELECT count(*) FROM source_document WHERE connection = :oneroster AND resource = 'users'), "
                "(SELECT count(*) FROM review_item WHERE state = 'open')"
            ),
            {"oneroster": oneroster},
        ).one()
    assert tuple(counted) == (960, 960, 970, 0)


def test_oneroster_alone_makes_the_same_number_of_children(fresh_hub):
    dump = from_json_dump(corpus("school", "oneroster-1.2-recorded", "full"))
    district = add_agency(fresh_hub)
    oneroster = add_connection(fresh_hub, district, "oneroster-csv", roster=True)

    tally = take_in(fresh_hub, oneroster, package_documents(dump))

    assert tally.of("users").accepted == 970
    assert tally.children_new == 960
    assert tally.identities_in_review == 0
    assert take_in(fresh_hub, oneroster, package_documents(dump)).changed_nothing
