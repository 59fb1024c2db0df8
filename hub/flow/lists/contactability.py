"""May this number be called? One decision, used by contact lists and by click-to-dial. It fails closed and says why.

What is not known counts against the call: a consent that is not clearly a yes is none, a do-not-call flag that cannot be
read is set. An opt-out that the hub has heard itself (`suppressed`) outweighs whatever a CRM says later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

NotCallable = Literal["no number", "unusable number", "own number", "do not call", "no consent"]

_YES = frozenset(["true", "yes", "y", "t", "1", "on"])
_NO = frozenset(["false", "no", "n", "f", "0", "off", ""])


@dataclass(frozen=True)
class Verdict:
    """Whether the call is allowed, and if not, the first reason why."""

    allowed: bool
    reason: NotCallable | None = None


ALLOWED = Verdict(True)
_REFUSED: dict[NotCallable, Verdict] = {
    reason: Verdict(False, reason)
    for reason in ("no number", "unusable number", "own number", "do not call", "no consent")
}


def contactable(
    written: Any,
    phone: str | None,
    *,
    suppressed: bool,
    do_not_call: Any,
    consent: Any,
    own: bool = False,
) -> Verdict:
    """Whether `phone` (E.164, read from what is `written`) may be called.

    `suppressed`: the hub's own do-not-call list has it. `do_not_call` and `consent` are the CRM's flags as it wrote them;
    consent is True where the law asks for none, such as a call that a person makes by hand.
    """
    if phone is None:
        return _REFUSED["no number" if written is None or not str(written).strip() else "unusable number"]
    if own:
        return _REFUSED["own number"]
    if suppressed or not is_no(do_not_call):
        return _REFUSED["do not call"]
    if not is_yes(consent):
        return _REFUSED["no consent"]
    return ALLOWED


def is_yes(flag: Any) -> bool:
    """Whether a CRM's flag clearly says yes."""
    if flag is True or flag is None or flag is False:
        return flag is True
    return str(flag).strip().lower() in _YES


def is_no(flag: Any) -> bool:
    """Whether a CRM's flag clearly says no; a flag that is not there was never set."""
    if flag is False or flag is None or flag is True:
        return flag is not True
    return str(flag).strip().lower() in _NO
