"""Client assertions: RFC 7523 §3; HL7 SMART App Launch 2.2, client-confidential-asymmetric."""

import base64
import hmac
import json
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.oauth.assertions import Proven, claimed_client, verify

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
AUDIENCE = "https://hub.test/oauth/token"
EC = ec.generate_private_key(ec.SECP384R1())
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _jwk(key, kid):
    algorithm = jwt.algorithms.ECAlgorithm if kid == "e1" else jwt.algorithms.RSAAlgorithm
    return json.loads(algorithm.to_jwk(key.public_key())) | {"kid": kid}


JWKS = {"keys": [_jwk(EC, "e1"), _jwk(RSA, "r1")]}


def _assertion(key=EC, alg="ES384", kid="e1", headers=None, **claims):
    body = {
        "iss": "clinic-ehr",
        "sub": "clinic-ehr",
        "aud": AUDIENCE,
        "exp": int((AT + timedelta(minutes=4)).timestamp()),
        "jti": "one-time-1",
    } | claims
    return jwt.encode(
        {k: v for k, v in body.items() if v is not None}, key, alg, headers={"kid": kid} | (headers or {})
    )


def _verify(assertion):
    return verify(assertion, "clinic-ehr", JWKS, AUDIENCE, AT)


@pytest.mark.parametrize(("key", "alg", "kid"), [(EC, "ES384", "e1"), (RSA, "RS384", "r1")])
def test_an_assertion_signed_with_a_registered_key_proves_the_client(key, alg, kid):
    proven = _verify(_assertion(key, alg, kid))
    assert isinstance(proven, Proven)
    assert (proven.client_id, proven.jti) == ("clinic-ehr", "one-time-1")


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "https://elsewhere.test/oauth/token"},
        {"iss": "someone-else"},
        {"sub": "someone-else"},
        {"exp": int((AT - timedelta(minutes=1)).timestamp())},
        {"exp": int((AT + timedelta(minutes=6)).timestamp())},
        {"exp": None},
        {"exp": "soon"},
        {"exp": True},
        {"exp": 1e300},
        {"jti": None},
        {"jti": ""},
        {"jti": "x" * 300},
        {"jti": 7},
        {"nbf": int((AT + timedelta(minutes=2)).timestamp())},
    ],
    ids=str,
)
def test_an_assertion_with_a_wrong_claim_proves_nothing(claims):
    assert _verify(_assertion(**claims)) is None


def test_an_unregistered_key_under_a_registered_key_id_proves_nothing():
    assert _verify(_assertion(ec.generate_private_key(ec.SECP384R1()))) is None


@pytest.mark.parametrize("alg", ["RS256", "PS384"])
def test_only_the_two_algorithms_are_accepted(alg):
    assert _verify(_assertion(RSA, alg, "r1")) is None


def test_a_symmetric_or_absent_signature_is_not_accepted():
    head, body, _ = _assertion().split(".")
    symmetric = base64.urlsafe_b64encode(b'{"alg":"HS384","kid":"e1"}').decode().rstrip("=")
    public = EC.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    mac = hmac.digest(public, f"{symmetric}.{body}".encode(), "sha384")
    assert _verify(f"{symmetric}.{body}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}") is None
    assert _verify(jwt.encode({"iss": "clinic-ehr"}, None, "none", headers={"kid": "e1"})) is None  # type: ignore[arg-type]  # no key is what is tried
    assert _verify(f"{head}.{body}.") is None


def test_a_key_address_in_the_header_is_not_followed():
    assert _verify(_assertion(headers={"jku": "https://keys.test/jwks"})) is None


def test_two_registered_keys_with_one_id_fit_nothing():
    doubled = {"keys": [JWKS["keys"][0], JWKS["keys"][0]]}
    assert verify(_assertion(), "clinic-ehr", doubled, AUDIENCE, AT) is None


@pytest.mark.parametrize("text", ["", "a.b.c", "x" * 10_000, "..", "eyJhbGciOiJub25lIn0.e30."])
def test_what_is_not_an_assertion_names_no_client(text):
    assert claimed_client(text) is None


def test_issuer_and_subject_must_name_the_same_client():
    assert claimed_client(_assertion()) == "clinic-ehr"
    assert claimed_client(_assertion(sub="other")) is None
