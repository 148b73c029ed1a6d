"""`planhub verify-delivery`: what an agency runs on what it received, without a hub."""

import json

import pytest

from adapters.sandbox.partner import DEFAULT_SECRET
from gateway.cli.exits import Exit
from tests.gateway.exchange import test_acceptance
from tests.gateway.family import SIGNER

arrived = test_acceptance.arrived


@pytest.fixture
def files(arrived, tmp_path):
    """The delivery and the recipient's own policy, as files; the words of the command."""
    written = {
        "body": arrived.body,
        "headers": json.dumps(arrived.headers).encode(),
        "policy": f"log {SIGNER.verifier}\nquorum none\n".encode(),
        "secret": DEFAULT_SECRET.encode(),
    }
    for name, content in written.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def words(files, arrived):
    return (
        "verify-delivery", files / "body", "--headers", files / "headers", "--recipient", arrived.recipient,
        "--policy", files / "policy", "--secret", f"file:{files / 'secret'}", "--at", arrived.at.isoformat(),
    )  # fmt: skip


def test_a_genuine_delivery_is_accepted_with_its_entry_and_scope(planhub, files, arrived):
    found = planhub(*words(files, arrived), "--json")
    assert (found.code, found.json["ok"], found.json["scope"]["recipient"]) == (
        Exit.OK,
        True,
        arrived.recipient,
    )
    assert planhub(*words(files, arrived)).out.startswith("accept: entry ")


def test_headers_may_be_lines_as_a_server_logs_them(planhub, files, arrived):
    (files / "headers").write_text("".join(f"{name}: {value}\r\n" for name, value in arrived.headers.items()))
    assert planhub(*words(files, arrived)).code == Exit.OK


def test_a_changed_body_ends_with_3_and_says_why(planhub, files, arrived):
    (files / "body").write_bytes(arrived.body + b" ")
    ran = planhub(*words(files, arrived), "--json")
    assert (ran.code, ran.json, "refuse" in ran.err) == (
        Exit.CHECK_FAILED,
        {"schema_version": 1, "ok": False, "reason": "not-signed"},
        True,
    )


@pytest.mark.parametrize("change", [{"secret": b"x"}, {"policy": b"x"}, {"headers": b"{"}])
def test_what_cannot_be_used_is_a_usage_error(planhub, files, arrived, change):
    for name, content in change.items():
        (files / name).write_bytes(content)
    assert planhub(*words(files, arrived)).code == Exit.USAGE
