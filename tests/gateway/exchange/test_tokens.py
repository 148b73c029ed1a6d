"""Access tokens say who is calling, for five minutes."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.exchange.tokens import ALGORITHM, Caller, TokenReader, mint

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
KEY = ec.generate_private_key(ec.SECP384R1())
ISSUER = "https://hub.test"
CALLER = Caller("clinic-ehr", "clinic", frozenset({"plans.read"}), frozenset({"TREAT", "COC"}))


def _token(**changed):
    return mint(KEY, ISSUER, CALLER, AT, UUID(int=1)) if not changed else _forged(**changed)


def _forged(**changed):
    claims = jwt.decode(_token(), options={"verify_signature": False}) | changed
    return jwt.encode({k: v for k, v in claims.items() if v is not None}, KEY, algorithm=ALGORITHM)


def test_a_token_names_the_caller_it_was_made_for():
    assert TokenReader(KEY.public_key(), ISSUER).read(_token(), AT) == CALLER


@pytest.mark.parametrize(("after", "alive"), [(299, True), (300, False), (301, False)])
def test_a_token_ends_after_three_hundred_seconds(after, alive):
    found = TokenReader(KEY.public_key(), ISSUER).read(_token(), AT + timedelta(seconds=after))
    assert (found is not None) is alive


def test_a_token_of_another_hub_is_not_read():
    other = ec.generate_private_key(ec.SECP384R1())
    assert TokenReader(other.public_key(), ISSUER).read(_token(), AT) is None
    assert TokenReader(KEY.public_key(), "https://other.test").read(_token(), AT) is None


@pytest.mark.parametrize(
    "changed", [{"exp": None}, {"org": None}, {"purposes": None}, {"scope": 7}, {"exp": "x"}], ids=str
)
def test_a_token_without_a_whole_caller_is_not_read(changed):
    assert TokenReader(KEY.public_key(), ISSUER).read(_token(**changed), AT) is None
