"""The ledger's keys over time: the one that signs, the one that is to replace it, and the public halves of those before.

A change has two steps, and between them both keys sign: `begin_change` makes the next key, `finish_change` puts it in the
place of the old one, whose private half is gone then.
"""

from pathlib import Path

from consent.note import SignerKey, VerifierKey
from gateway.store.secretfile import sync_folder
from gateway.store.signing import ed25519_key

CURRENT = "ledger"
NEXT = "ledger-next"
_RETIRED = "ledger.retired"


def current_key(folder: Path, origin: str) -> SignerKey:
    """The key that signs, created where there is none yet."""
    return SignerKey(origin, ed25519_key(folder, CURRENT).private_bytes_raw())


def next_key(folder: Path, origin: str) -> SignerKey | None:
    """The key that signs beside it during a change; None outside of one."""
    if not (folder / f"{NEXT}.pem").exists():
        return None
    return SignerKey(origin, ed25519_key(folder, NEXT).private_bytes_raw())


def retired_keys(folder: Path) -> tuple[VerifierKey, ...]:
    """The keys that signed before, the newest first."""
    path = folder / _RETIRED
    lines = path.read_text("utf-8").split() if path.exists() else []
    keys = [VerifierKey.parse(line) for line in reversed(lines)]
    return tuple(key for key in keys if key is not None)


def begin_change(folder: Path, origin: str) -> SignerKey:
    """Make the next key, or give the one made before."""
    return SignerKey(origin, ed25519_key(folder, NEXT).private_bytes_raw())


def finish_change(folder: Path, origin: str) -> VerifierKey | None:
    """Retire the old key: from now on only the next one signs. None where no change has begun."""
    if not (folder / f"{NEXT}.pem").exists():
        return None
    old = current_key(folder, origin).verifier
    with (folder / _RETIRED).open("a", encoding="utf-8") as file:
        file.write(f"{old}\n")
    (folder / f"{NEXT}.pem").replace(folder / f"{CURRENT}.pem")
    sync_folder(folder)
    return old
