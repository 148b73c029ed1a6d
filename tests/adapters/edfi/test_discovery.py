import json
from typing import Any

import pytest

from adapters.edfi.discovery import DataStandard, Discovery, discover, read_discovery
from adapters.port import Cause, Malformed, Refused, Transient
from tests.adapters.partners import always, client

# Shapes: Ed-Fi API guidelines, Discovery API; ODS/API 7.3 and Ed-Fi API v8 route pages (school.md §1.2).
BASE = "https://ods.invalid/api/"


def document(**urls: Any) -> dict[str, Any]:
    return {
        "version": "7.3",
        "dataModels": [
            {"name": "Ed-Fi", "version": "5.2.0"},
            {"name": "TPDM", "version": "1.1.0"},
        ],
        "urls": {
            "dependencies": BASE + "metadata/data/v3/dependencies",
            "openApiMetadata": BASE + "metadata/",
            "oauth": BASE + "oauth/token",
            "dataManagementApi": BASE + "data/v3/",
            "changeQueries": BASE + "changeQueries/v1/",
            **urls,
        },
    }


def read(document: dict[str, Any], base: str = BASE, trusted: frozenset[str] = frozenset()) -> Discovery:
    found = read_discovery(base, document, trusted)
    assert isinstance(found, Discovery)
    return found


def test_every_address_is_the_announced_one():
    found = read(document())
    assert found.data == BASE + "data/v3/"
    assert found.oauth == BASE + "oauth/token"
    assert found.change_queries == BASE + "changeQueries/v1/"
    assert found.token_info is None
    assert found.data_standard is DataStandard.DS5


def test_v8_writes_no_slash_at_the_end_and_names_its_token_info():
    found = read(document(dataManagementApi=BASE + "data", tokenInfo=BASE + "oauth/token_info"))
    assert found.data == BASE + "data/"
    assert found.token_info == BASE + "oauth/token_info"


def test_the_draft_name_of_token_info_is_accepted_too():
    assert read(document(oauthTokenIntrospection="/api/info")).token_info == "https://ods.invalid/api/info"


def test_the_newest_ed_fi_model_counts_and_others_do_not():
    both = document() | {
        "dataModels": [
            {"name": "Ed-Fi", "version": "5.2.0"},
            {"name": "Ed-Fi", "version": "6.1.0"},
            {"name": "Homograph", "version": "9.0"},
            "nonsense",
        ]
    }
    assert read(both).data_standard is DataStandard.DS6
    assert read(both | {"dataModels": None}).data_standard is None


def test_an_address_at_another_origin_never_gets_the_secret():
    elsewhere = document(oauth="https://collector.invalid/token")
    assert read_discovery(BASE, elsewhere, frozenset()) == Refused(Cause.EGRESS)


def test_another_origin_is_called_when_the_agency_has_named_it():
    elsewhere = document(oauth="https://Config.invalid:8443/connect/token")
    found = read(elsewhere, trusted=frozenset({"https://config.invalid:8443"}))
    assert found.oauth == "https://Config.invalid:8443/connect/token"


def test_a_host_behind_a_tls_proxy_that_announces_http_is_called_over_tls():
    behind = {name: url.replace("https://", "http://") for name, url in document()["urls"].items()}
    assert read(document(**behind)).oauth == BASE + "oauth/token"
    assert (
        read(document(oauth="http://ods.invalid:8080/api/oauth/token")).oauth
        == "https://ods.invalid/api/oauth/token"
    )


@pytest.mark.parametrize("bad", ["http://[::1", "https://ods.invalid:port/x", "", None, 7])
def test_addresses_that_are_none_count_as_not_offered(bad):
    assert read(document(changeQueries=bad)).change_queries is None


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, b"<html>", Malformed(Cause.BAD_JSON, 200)),
        (200, b"{}", Malformed(Cause.BAD_SHAPE)),
        (200, b'{"urls": {}}', Malformed(Cause.BAD_SHAPE)),
        (404, b"", Refused(Cause.NOT_FOUND, 404)),
        (502, b"", Transient(Cause.HTTP_5XX, 502)),
    ],
)
def test_what_is_not_a_discovery_document_is_a_value(status, body, expected):
    with always(status, body) as partner, client() as http:
        assert discover(http, partner.base_url) == expected


def test_the_base_address_is_asked_with_a_slash_and_without_credentials():
    with always(200, json.dumps(document()).encode()) as partner, client() as http:
        discover(http, partner.base_url + "/2026")
        request = partner.received[0]
    assert request.path == "/2026/"
    assert request.header("authorization") is None
