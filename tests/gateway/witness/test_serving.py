"""The witness over HTTP: statuses, types and bodies of C2SP tlog-witness, against the recorded transcript of another one."""

import json
import socket
from datetime import timedelta
from hashlib import sha256
from http.client import HTTPConnection
from itertools import chain, repeat

import pytest

from consent.cosignature import cosignatures
from consent.note import VerifierKey, parse_note
from consent.witness import MAX_REQUEST_BYTES
from tests.gateway.family import SIGNER, now
from tests.gateway.witness.test_home import submitted
from tests.gateway.witnesses import a_witness, there
from tests.paths import ROOT

TRANSCRIPT = json.loads((ROOT / "tests/golden/witness/add-checkpoint.json").read_text())


def call(witness, method, path, body=None):
    host = witness.url.removeprefix("http://")
    connection = HTTPConnection(host, timeout=20)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.headers["Content-Type"], answer.read()
    finally:
        connection.close()


def post(witness, body):
    return call(witness, "POST", "/add-checkpoint", body)


@pytest.fixture
def witness(tmp_path):
    with a_witness(tmp_path) as listening:
        yield listening


def test_the_recorded_transcript_gets_the_same_statuses_and_bodies(tmp_path):
    log = VerifierKey(TRANSCRIPT["origin"], bytes.fromhex(TRANSCRIPT["public_key_hex"]))
    with a_witness(tmp_path, log=log) as witness:
        answers = [post(witness, step["request"].encode()) for step in TRANSCRIPT["steps"]]
    expected = [step["status"] for step in TRANSCRIPT["steps"]]
    expected[1:3] = [400, 404]  # see tests/consent/test_witness.py
    assert [status for status, _, _ in answers] == expected
    for step, (status, media_type, body) in zip(TRANSCRIPT["steps"], answers, strict=True):
        if status == 409:
            assert (media_type, body.decode()) == ("text/x.tlog.size", step["body"])
        if status == 200:
            text = step["request"].partition("\n\n")[2].partition("\n\n")[0] + "\n\n"
            assert cosignatures(there(parse_note(text.encode() + body)), [witness.home.key.verifier])


def test_it_serves_the_last_checkpoint_it_cosigned_under_the_hash_of_the_origin(witness):
    path = f"/{sha256(SIGNER.name.encode()).hexdigest()}/checkpoint"
    assert call(witness, "GET", path)[0] == 404
    post(witness, submitted(0, 5))
    status, _, body = call(witness, "GET", path)
    assert status == 200
    assert [line.name for line in parse_note(body).signatures] == [SIGNER.name, "library.example/witness"]
    assert cosignatures(there(parse_note(body)), [witness.home.key.verifier])


@pytest.mark.parametrize(
    "path",
    ["/", "/checkpoint", "/../witness.key/checkpoint", f"/{'0' * 64}/checkpoint", f"/{'A' * 64}/checkpoint"],
)
def test_nothing_else_is_served(witness, path):
    assert call(witness, "GET", path)[0] == 404
    assert call(witness, "POST", path, b"")[0] == 404


def test_a_request_that_is_too_long_or_does_not_say_its_length_is_not_read(witness):
    assert post(witness, b"x" * (MAX_REQUEST_BYTES + 1))[0] == 413
    with socket.create_connection(("127.0.0.1", int(witness.url.rpartition(":")[2])), timeout=20) as raw:
        raw.sendall(b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\n\r\n")
        assert b" 413 " in raw.recv(200)


def test_another_history_is_told_to_the_witnesss_operator(witness):
    post(witness, submitted(0, 5))
    assert post(witness, submitted(5, 9).replace(b"old 5\n", b"old 5\n" + b"A" * 43 + b"=\n"))[0] == 422
    assert any("another history" in line for line in witness.told)


def test_a_clock_that_went_back_is_503_and_told(tmp_path):
    clock = chain([now()], repeat(now() - timedelta(days=1)))
    with a_witness(tmp_path, clock=lambda: next(clock)) as witness:
        assert [post(witness, submitted(0, 5))[0], post(witness, submitted(5, 9))[0]] == [200, 503]
        assert any("clock" in line for line in witness.told)


def test_a_state_that_cannot_be_read_is_500_and_told(witness):
    post(witness, submitted(0, 5))
    (path,) = witness.home.folder.glob("*.checkpoint")
    path.write_text("nonsense")
    assert post(witness, submitted(5, 9))[0] == 500
    assert call(witness, "GET", f"/{path.stem}/checkpoint")[0] == 404
    assert any("Restore" in line for line in witness.told)
