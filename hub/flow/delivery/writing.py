"""Write the rows of a claim: batches per target, one receipt each, whatever the connector gives back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from hub.connections import Connection
from hub.errors import ConnectorError, NotPermitted, Unsupported
from hub.flow.delivery.calls import ConnectorBroke, Failed, Halving, NotByBulk, called
from hub.flow.delivery.consignment import Parcel
from hub.model import Receipt, Row

OUTCOMES = ("created", "updated", "unchanged", "removed")


def write(
    connection: Connection, parcels: Sequence[Parcel], still_ours: Callable[[], None], rows_per_write: int = 0
) -> None:
    """Write all parcels and set their fate. `still_ours` is called before each call; what it raises ends everything.

    With `rows_per_write` beyond what an ordinary call takes, they go the vendor's bulk path.
    """
    stopped: ConnectorError | None = None
    for batch in _batches(parcels, max(rows_per_write, connection.manifest.rows_per_call)):
        if stopped is not None:
            for parcel in batch:
                parcel.fate = Failed(stopped, sent=False)
            continue
        halving: Halving[Parcel, Receipt | Failed] = Halving(lambda some: _written(connection, some, still_ours))
        for parcel, answer in zip(batch, halving.answers(batch), strict=True):
            parcel.fate = answer
        stopped = halving.stopped


def _batches(parcels: Sequence[Parcel], size: int) -> Iterator[list[Parcel]]:
    """By target; never the same key twice in one batch: a bulk API refuses that, and the order would be lost."""
    by_target: dict[bytes, list[Parcel]] = {}
    for parcel in parcels:
        by_target.setdefault(msgspec.json.encode(parcel.target), []).append(parcel)
    for waiting in by_target.values():
        while waiting:
            batch: dict[str, Parcel] = {}
            later = []
            for parcel in waiting:
                if parcel.key in batch or len(batch) == size:
                    later.append(parcel)
                else:
                    batch[parcel.key] = parcel
            yield list(batch.values())
            waiting = later


def _written(
    connection: Connection, parcels: Sequence[Parcel], still_ours: Callable[[], None]
) -> Sequence[Receipt | Failed]:
    still_ours()
    rows = [
        Row(key=parcel.key, fields=parcel.fields, action=parcel.claimed.action, in_doubt=parcel.in_doubt)
        for parcel in parcels
    ]
    for parcel in parcels:
        parcel.called = True
    connector: Any = connection.connector
    lane = min(parcel.claimed.lane for parcel in parcels)
    try:
        return called(connection, lambda: _matched(rows, connector.write(parcels[0].target, rows)), lane)
    except (Unsupported, NotPermitted) as error:
        if len(rows) > connection.manifest.rows_per_call:
            raise NotByBulk(f"not by bulk: {error}") from error
        raise
    except ConnectorBroke:
        for parcel in parcels:
            parcel.in_doubt = True  # the rows may be asked for again at once, in halves
        raise


def _matched(rows: Sequence[Row], receipts: Sequence[Receipt]) -> list[Receipt | Failed]:
    """Each row's receipt, by its key: a connector that mixes them up must not have one row's record noted on another."""
    times = Counter(receipt.key for receipt in receipts)
    by_key = {receipt.key: receipt for receipt in receipts if times[receipt.key] == 1}
    return [_checked(by_key.get(row.key), len(rows), len(receipts)) for row in rows]


def _checked(receipt: Receipt | None, rows: int, receipts: int) -> Receipt | Failed:
    if receipt is None:
        problem = f"the connector broke: {receipts} receipts for {rows} rows, none of them only this row's"
        return Failed(ConnectorBroke(problem))
    if receipt.outcome in OUTCOMES:
        return receipt
    if isinstance(receipt.error, ConnectorError):
        return Failed(receipt.error)
    return Failed(ConnectorBroke(f'the connector broke: a receipt "{receipt.outcome}" that does not say why'))
