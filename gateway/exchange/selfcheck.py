"""Before anything is signed: is this still the log that was? Compared are the tree, the mark beside the key, the witnesses.

After a rollback or a gap nothing is signed: `ledger_halt` holds the reason until a person has put it right and the check passes.
"""

from adapters.http import HttpClient
from consent.checkpoint import Checkpoint, open_checkpoint
from consent.merkle import GetTiles, MissingTileError, root_at
from gateway.exchange.context import Hub
from gateway.exchange.witnessing import Told, ask_all, client, trouble
from gateway.store import ledger, witnesses
from gateway.store.ledger import Head
from gateway.store.mark import Mark, keep_mark, mark_file, read_mark
from gateway.store.pipeline import Driver, driver_of
from gateway.telemetry import LogCode, error

FSCK = "Keep the database as it is and run: planhub ledger fsck"


def guard(hub: Hub, http: HttpClient | None = None) -> str | None:
    """Look, and halt the log where it is not what it was; why it is halted, or None.

    With `http` the witnesses are asked too, and their bare word is enough: whoever starts a hub is there to look.
    """
    reason = look(hub)
    if reason is None and http is not None:
        told = ask_all(hub, http)
        reason = trouble(told, _size(hub), on_word=True)
    _halt(hub, reason)
    with hub.db.transaction() as connection:
        return witnesses.halted(driver_of(connection))


def guard_start(hub: Hub) -> str | None:
    """`guard` with the witnesses asked, for a process that is about to serve."""
    with client(hub.settings) as http:
        return guard(hub, http)


def tend(hub: Hub, http: HttpClient) -> tuple[Told, ...]:
    """What is done every few seconds: ask the witnesses, keep the mark; halt where a witness proves that history changed."""
    told = ask_all(hub, http)
    _halt(hub, trouble(told, _size(hub), on_word=False) or look(hub))
    keep(hub)
    return told


def resume(hub: Hub, http: HttpClient) -> str | None:
    """Lift the halt if the check passes now; why it does not, or None."""
    reason = look(hub) or trouble(ask_all(hub, http), _size(hub), on_word=True)
    if reason is None:
        with hub.db.transaction() as connection:
            witnesses.lift_halt(driver_of(connection))
    return reason


def look(hub: Hub) -> str | None:
    """What speaks against signing on, as far as this machine can tell; None where nothing does. Changes nothing."""
    mark_path = mark_file(hub.settings.home)
    try:
        mark = read_mark(mark_path)
    except ValueError as error:
        return str(error)
    with hub.db.transaction() as connection:
        driver = driver_of(connection)
        driver.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        head = ledger.read_head(driver)
        try:
            return _head_fault(hub, driver, head) or _mark_fault(driver, head, mark)
        except MissingTileError as error:
            return f"the log's tiles are damaged ({error}). {FSCK}"


def keep(hub: Hub) -> None:
    """Move the mark to where the log is now, unless the log is halted or behind it."""
    path = mark_file(hub.settings.home)
    with hub.db.transaction() as connection:
        driver = driver_of(connection)
        head, halted = ledger.read_head(driver), witnesses.halted(driver)
    before = read_mark(path) if halted is None else None
    if halted is None and head is not None and (before is None or before.size < head.size):
        keep_mark(path, Mark(head.size, head.root))


def _head_fault(hub: Hub, driver: Driver, head: Head | None) -> str | None:
    """The newest checkpoint against entries, tiles and signature."""
    entries = ledger.count_numbers(driver)
    if head is None:
        return None if entries == 0 else f"the log has {entries} entries and no checkpoint. {FSCK}"
    if entries != head.size:
        return (
            f"the log's checkpoint covers {head.size} entries and there are {entries}: there is a gap. {FSCK}"
        )
    opened = open_checkpoint(head.note, hub.signer.name, hub.log_keys)
    if opened != Checkpoint(hub.signer.name, head.size, head.root):
        return f"the newest checkpoint was not signed by this log's key under this log's name. {FSCK}"
    if root_at(head.size, _tiles(driver)) != head.root:
        return f"the log's tiles are of another tree than its checkpoint at {head.size}. {FSCK}"
    return None


def _mark_fault(driver: Driver, head: Head | None, mark: Mark | None) -> str | None:
    """The tree against the mark: it only ever grows."""
    size = 0 if head is None else head.size
    if mark is None or mark.size == 0:
        return None
    if mark.size > size:
        return (
            f"this log had {mark.size} entries and this database holds {size}: it was rolled back or restored from an old "
            "backup. Restore the newest one, then: planhub ledger resume"
        )
    if root_at(mark.size, _tiles(driver)) != mark.root:
        return f"this log was another one when it had {mark.size} entries: its history was rewritten. {FSCK}"
    return None


def _tiles(driver: Driver) -> GetTiles:
    return lambda wanted: ledger.read_tiles(driver, wanted)


def _size(hub: Hub) -> int:
    with hub.db.transaction() as connection:
        head = ledger.read_head(driver_of(connection))
    return 0 if head is None else head.size


def _halt(hub: Hub, reason: str | None) -> None:
    if reason is not None:
        error(LogCode.LEDGER_HALTED)
        with hub.db.transaction() as connection:
            witnesses.halt(driver_of(connection), reason, hub.clock())
