"""What each fate means: delivered, skipped, parked for a person, or tried again, and when; and what it means for all."""

from __future__ import annotations

from dataclasses import dataclass, field

import structlog

from hub.clock import now_ms
from hub.errors import ConnectorError, QuotaSpent, Rejected, Then, Throttled, Unavailable, UnknownOutcome
from hub.flow.delivery.backoff import Pace, gave_up, retry_delay, throttle_delay
from hub.flow.delivery.calls import ConnectorBroke, Failed, LaneSpent, NotByBulk, RefusedTogether
from hub.flow.delivery.consignment import Consignment, Fate, Moved, Parcel, Skipped, Spoiled
from hub.flow.subject import interaction_of
from hub.model import Receipt
from hub.store.deliveries import Reason
from hub.store.outbox import Claimed
from hub.store.outcomes import Tried, Verdict

log = structlog.get_logger()


@dataclass
class Trouble:
    """What a claim showed about its whole connection."""

    pause: ConnectorError | None = None
    slow_for: float = 0.0  # seconds
    silent: bool = False  # a call was not answered
    answered: bool = False  # a call was


@dataclass
class Judge:
    """Gives the verdicts of one claim. `failures`: how often in a row the connection did not answer."""

    pace: Pace
    failures: int
    started_at: int
    trouble: Trouble = field(default_factory=Trouble)

    def verdicts(self, consignment: Consignment) -> list[Verdict]:
        """One verdict for each delivery of the claim."""
        given = [self._failed(one, Failed(error), 0) for one, error in consignment.undeliverable]
        return given + [self._verdict(parcel) for parcel in consignment.parcels]

    def _verdict(self, parcel: Parcel) -> Verdict:
        fate: Fate | None = parcel.fate
        claimed, version = parcel.claimed, parcel.mapping.version
        match fate:
            case Receipt():
                return self._delivered(parcel, fate)
            case Failed():
                return self._failed(claimed, fate, version, parcel)
            case Spoiled():
                what = "; ".join(f"{name}: {problem}" for name, problem in fate.problems.items())
                return self._failed(claimed, Failed(Rejected(what, fate.problems)), version, parcel)
            case Skipped():
                tried = self._tried(version, "skipped", None)
                reason = Reason(name="skipped", message=fate.why)
                return Verdict(claimed=claimed, state="skipped", tried=tried, reason=reason, in_doubt=claimed.in_doubt)
            case Moved():
                return Verdict(
                    claimed=claimed,
                    state="pending",
                    due_at=claimed.due_at,
                    in_doubt=False,  # nothing was ever sent there
                    moved_to=fate.connection,
                )
            case None:
                raise AssertionError(f"delivery {claimed.id} came to its end without a fate")

    def _delivered(self, parcel: Parcel, receipt: Receipt) -> Verdict:
        self.trouble.answered = True
        return Verdict(
            claimed=parcel.claimed,
            state="delivered",
            tried=self._tried(parcel.mapping.version, receipt.outcome, parcel),
            object=parcel.mapping.target.write,
            record_id=receipt.id or None,
            record_url=receipt.url or None,
        )

    def _failed(self, claimed: Claimed, failed: Failed, version: int, parcel: Parcel | None = None) -> Verdict:
        error, called = failed.error, parcel is not None and parcel.called
        in_doubt = (parcel.in_doubt if parcel else claimed.in_doubt) or (called and isinstance(error, UnknownOutcome))
        if error.then is Then.PAUSE or isinstance(error, Throttled):
            return self._wait(claimed, error, in_doubt)
        if not failed.sent or isinstance(error, LaneSpent):
            return Verdict(
                claimed=claimed, state="pending", due_at=claimed.due_at, in_doubt=in_doubt, reason=_reason(error)
            )
        tried = self._tried(version, "failed", parcel)
        if error.then is Then.RETRY:
            return self._again(claimed, error, tried, in_doubt)
        if called:
            self.trouble.answered = True
        return _parked(claimed, _reason(error), tried, in_doubt)

    def _wait(self, claimed: Claimed, error: ConnectorError, in_doubt: bool) -> Verdict:
        """The connection is the trouble, not the row: no attempt is counted."""
        due_at = claimed.due_at
        if isinstance(error, Throttled):
            if not self.trouble.slow_for:
                self.trouble.slow_for = throttle_delay(error, self.failures + 1, self.pace)
            due_at = now_ms() + int(self.trouble.slow_for * 1000)
        elif self.trouble.pause is None or isinstance(error, QuotaSpent):
            self.trouble.pause = error
        return Verdict(claimed=claimed, state="pending", due_at=due_at, in_doubt=in_doubt, reason=_reason(error))

    def _again(self, claimed: Claimed, error: ConnectorError, tried: Tried, in_doubt: bool) -> Verdict:
        self.trouble.silent |= isinstance(error, Unavailable) and not isinstance(error, ConnectorBroke)
        attempts = claimed.attempts + 1
        tried_for = (now_ms() - (claimed.tried_since or tried.started_at)) / 1000
        broke_often = isinstance(error, ConnectorBroke) and attempts >= self.pace.bugs
        enough = f"the connector broke {attempts} times" if broke_often else gave_up(attempts, tried_for, self.pace)
        if enough:
            reason = Reason(name=error.name, message=f"{enough}: {error}")
            return _parked(claimed, reason, tried, in_doubt)
        if isinstance(error, RefusedTogether | NotByBulk):
            delay = 0.0  # what spoiled its batch was set aside, or is next time; or it goes in ordinary calls
        else:
            delay = retry_delay(attempts, self.pace)
        due_at = now_ms() + int(delay * 1000)
        return Verdict(
            claimed=claimed, state="pending", tried=tried, due_at=due_at, in_doubt=in_doubt, reason=_reason(error)
        )

    def _tried(self, version: int, outcome: str, parcel: Parcel | None) -> Tried:
        return Tried(
            started_at=self.started_at,
            took_ms=now_ms() - self.started_at,
            mapping_version=version,
            outcome=outcome,
            sent=parcel.fields if parcel is not None and parcel.called else None,
            notes=parcel.notes if parcel is not None else (),
        )


def _parked(claimed: Claimed, reason: Reason, tried: Tried, in_doubt: bool) -> Verdict:
    # No message: it may repeat a value, and a value may be a person's.
    log.warning(
        "parked",
        delivery=claimed.id,
        interaction=interaction_of(claimed.subject),
        mapping=claimed.mapping,
        reason=reason.name,
        attempts=claimed.attempts + 1,
    )
    return Verdict(claimed=claimed, state="parked", tried=tried, reason=reason, in_doubt=in_doubt)


def _reason(error: ConnectorError) -> Reason:
    fields = dict(error.fields) if isinstance(error, Rejected) else {}
    return Reason(name=error.name, message=str(error), fields=fields)
