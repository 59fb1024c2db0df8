"""What the softphone can play: timelines of canonical events, deterministic by seed.

A script gives `(seconds from its start, event)` pairs; the event's moment is set when it is played.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

Step = tuple[float, dict[str, Any]]

AGENTS = (
    {"id": "a-17", "email": "ana@example.com", "name": "Ana"},
    {"id": "a-18", "email": "bruno@example.com", "name": "Bruno"},
    {"id": "a-19", "email": "carla@example.com", "name": "Carla"},
)
QUEUES = ("Sales ES", "Service ES", "Billing")
# code, name, class, comment, how often
WRAP_UPS = (
    ("SALE", "Sale", "positive", "Wants the red one", 3),
    ("INFO", "Information given", "neutral", "Asked about the invoice of last month", 4),
    ("CALLBACK", "Call back later", "callback", "Not at home, call again after six", 2),
    ("NO_INTEREST", "No interest", "negative", "Happy with what they have", 2),
    ("DNC", "Do not call again", "do_not_contact", "Asked not to be called any more", 1),
)
RESULTS = (*WRAP_UPS[:1], *WRAP_UPS[2:], ("NO_ANSWER", "No answer", "unreachable", "", 4))
SUBJECTS = ("My invoice", "A question", "Change of address")
OUR_NUMBER = "+34911234567"


class Given:
    """What a play request says; everything has a likely value."""

    def __init__(self, told: dict[str, Any], rng: random.Random, interaction: str) -> None:
        self.told, self.rng, self.interaction = told, rng, interaction
        self.agent: dict[str, Any] = dict(next((a for a in AGENTS if a["id"] == told.get("agent")), rng.choice(AGENTS)))
        if isinstance(told.get("agent"), str) and self.agent["id"] != told["agent"]:
            self.agent = {"id": told["agent"]}
        self.wait = float(told.get("wait_seconds", rng.randint(3, 40)))
        self.talk = float(told.get("talk_seconds", rng.randint(20, 400)))
        self.work = float(told.get("wrap_up_seconds", rng.randint(4, 45)))
        self.wrap_up = _wrap_up(told, rng, WRAP_UPS)

        self._number = str(told.get("number") or f"+3461{rng.randint(1000000, 9999999)}")

    def number(self) -> str:
        """The other side's number."""
        return str(self.told.get("number") or self._number)


def call(given: Given, direction: str = "inbound") -> list[Step]:
    """A call that is answered and wrapped up; may be held, transferred, recorded (ready two minutes later)."""
    told, steps = given.told, []
    parts: dict[str, Any] = {
        "channel": "voice",
        "direction": direction,
        "remote": given.number(),
        "local": told.get("local", OUR_NUMBER),
        "queue": told.get("queue", given.rng.choice(QUEUES)),
    }
    customer = _customer(given, phone=parts["remote"])
    agent = given.agent
    begun = {"interaction": parts, "customer": customer, "attached": told.get("attached", {})}
    steps.append((0.0, _event("created", **begun)))
    if direction == "inbound":
        steps.append((0.5, _event("queued", interaction={"queue": parts["queue"]})))
    steps.append((max(0.6, given.wait - 2), _event("offered", agent=agent)))
    steps.append((given.wait, _event("answered", agent=agent)))
    end = given.wait + given.talk
    if told.get("hold"):
        steps.append((given.wait + given.talk * 0.3, _event("held", agent=agent)))
        steps.append((given.wait + given.talk * 0.3 + float(told["hold"]), _event("resumed", agent=agent)))
        end += float(told["hold"])
    if told.get("transfer"):
        second = next((a for a in AGENTS if a["id"] == told["transfer"]), {"id": told["transfer"]})
        passed = given.wait + given.talk * 0.6
        kind = told.get("transfer_kind", "warm")
        steps.append((passed, _event("transferred", agent=agent, transfer={"to_agent": second["id"], "kind": kind})))
        steps.append((passed + 4, _event("answered", agent=second)))
        steps.append((passed + 4 + given.work, _wrapped_up(given, agent, "Passed on")))
        agent = second
    steps.append((end, _event("ended", agent=agent, interaction={"end_cause": "normal"})))
    if not told.get("no_wrap_up"):
        steps.append((end + given.work, _wrapped_up(given, agent)))
    if told.get("recording", given.rng.random() < 0.5):
        url = f"https://recordings.example/{given.interaction}"
        steps.append((end + 120, _event("recording_ready", recording={"id": given.interaction, "url": url})))
    return steps


def missed(given: Given) -> list[Step]:
    """Nobody answers; the caller hangs up."""
    parts = {"channel": "voice", "direction": "inbound", "remote": given.number(), "local": OUR_NUMBER,
             "queue": given.rng.choice(QUEUES)}  # fmt: skip
    gone = _event("missed", interaction={"end_cause": "abandoned_in_queue"})
    created = _event("created", interaction=parts, customer=_customer(given, phone=parts["remote"]))
    return [(0.0, created), (0.5, _event("queued")), (given.wait, gone)]


def voicemail(given: Given) -> list[Step]:
    """Nobody answers; the caller leaves a message."""
    steps = missed(given)[:-1]
    url = f"https://recordings.example/{given.interaction}"
    steps.append((given.wait, _event("voicemail", recording={"id": given.interaction, "url": url})))
    return [*steps, (given.wait + 30, _event("ended", interaction={"end_cause": "normal"}))]


def anonymous(given: Given) -> list[Step]:
    """A call from a withheld number."""
    given.told = {**given.told, "number": "anonymous"}
    return call(given)


def internal(given: Given) -> list[Step]:
    """One extension calls another."""
    given.told = {"number": "201", "local": "202", **given.told}
    return call(given, "internal")


def outbound(given: Given) -> list[Step]:
    """An agent calls somebody; with `dial`, by a click."""
    steps = call(given, "outbound")
    if not given.told.get("dial"):
        return steps
    parts = {"channel": "voice", "direction": "outbound"}
    accepted = _event("created", interaction=parts, agent=given.agent) | {"type": "dial.accepted"}
    return [(at, event | {"dial": {"id": given.told["dial"]}}) for at, event in [(0.0, accepted), *steps]]


def campaign(given: Given) -> list[Step]:
    """A contact of a list is called; its result comes with the end of the call. `contact` and `list` name it."""
    given.wrap_up = _wrap_up(given.told, given.rng, RESULTS)
    wrap_up, reached = given.wrap_up, given.wrap_up["class"] != "unreachable"
    part = {"id": given.told.get("campaign") or given.told["list"], "list": given.told["list"],
            "contact": given.told["contact"], "attempts": int(given.told.get("attempts", 1))}  # fmt: skip
    steps = call(given, "outbound") if reached else _not_reached(given)
    steps = [(at, event | {"campaign": part}) for at, event in steps]
    result = part | {"result": wrap_up["code"], "result_class": wrap_up["class"],
                     "final": wrap_up["class"] not in ("unreachable", "callback")}  # fmt: skip
    told = _wrapped_up(given, given.agent) | {"customer": _customer(given, phone=given.number())}
    return [*steps, (steps[-1][0] + 0.5, told | {"type": "campaign.contact_result", "campaign": result})]


def _not_reached(given: Given) -> list[Step]:
    number = given.number()
    parts = {"channel": "voice", "direction": "outbound", "remote": number, "local": OUR_NUMBER}
    created = _event("created", interaction=parts, customer=_customer(given, phone=number), agent=given.agent)
    return [(0.0, created), (given.wait, _event("ended", interaction={"end_cause": "no_answer"}))]


def message(channel: str) -> Callable[[Given], list[Step]]:
    """An e-mail, a chat, an SMS or a task: created, queued, taken, done, wrapped up."""

    def steps(given: Given) -> list[Step]:
        told = given.told
        email = told.get("email") or f"person{given.rng.randint(1, 999)}@example.net"
        remote = email if channel in ("email", "chat") else given.number()
        parts = {
            "channel": channel,
            "direction": "inbound",
            "remote": remote,
            "queue": told.get("queue", given.rng.choice(QUEUES)),
            "subject": told.get("subject", given.rng.choice(SUBJECTS)),
        }
        known = {"phone": remote} if channel == "sms" else {"email": email}
        end = given.wait + given.talk
        return [
            (0.0, _event("created", interaction=parts, customer=_customer(given, **known))),
            (0.5, _event("queued", interaction={"queue": parts["queue"]})),
            (given.wait, _event("answered", agent=given.agent)),
            (end, _event("ended", agent=given.agent)),
            (end + given.work, _wrapped_up(given, given.agent)),
        ]

    return steps


SCRIPTS: dict[str, Callable[[Given], list[Step]]] = {
    "inbound": call,
    "outbound": outbound,
    "missed": missed,
    "voicemail": voicemail,
    "anonymous": anonymous,
    "internal": internal,
    "email": message("email"),
    "chat": message("chat"),
    "sms": message("sms"),
    "task": message("task"),
}


def morning(rng: random.Random, people: Sequence[dict[str, Any]], count: int) -> list[tuple[str, dict[str, Any]]]:
    """`count` plays of a morning: mostly calls of `people` (phone, email, crm_key), some strangers, every channel."""
    weights = {"inbound": 10, "outbound": 3, "missed": 2, "voicemail": 1, "anonymous": 1, "internal": 1, "email": 3,
               "chat": 2, "sms": 1, "task": 1}  # fmt: skip
    first = list(weights)  # each once, whatever the dice say
    names = [*first, *rng.choices(first, list(weights.values()), k=max(0, count - len(first)))][:count]
    plays = []
    for n, name in enumerate(names):
        told: dict[str, Any] = {}
        if people and name not in ("anonymous", "internal") and rng.random() < 0.85:
            person = people[rng.randrange(len(people))]
            told = {"number": person.get("phone"), "email": person.get("email"), "crm_key": person.get("crm_key")}
            told = {word: value for word, value in told.items() if value}
        if name == "inbound" and n % 5 == 1:
            told["hold"] = 20
        if name == "inbound" and n % 7 == 2:
            told["transfer"] = "a-19"
        plays.append((name, told))
    return plays


# --- pieces ----------------------------------------


def _event(word: str, **parts: Any) -> dict[str, Any]:
    return {"type": f"interaction.{word}", **{name: part for name, part in parts.items() if part}}


def _customer(given: Given, **known: Any) -> dict[str, Any]:
    told = {name: given.told[name] for name in ("name", "email", "crm_key") if given.told.get(name)}
    return {name: value for name, value in (known | told).items() if value and value != "anonymous"}


def _wrapped_up(given: Given, agent: dict[str, Any], comment: str = "") -> dict[str, Any]:
    wrap_up = given.wrap_up
    entered = {"code": wrap_up["code"], "name": wrap_up["name"], "comment": comment or wrap_up["comment"],
               "seconds": given.work}  # fmt: skip
    meant = {"code": wrap_up["code"], "name": wrap_up["name"], "class": wrap_up["class"]}
    return _event("wrapped_up", agent=agent, wrap_up=entered, disposition=meant)


def _wrap_up(told: dict[str, Any], rng: random.Random, choices: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
    code, name, kind, comment, _ = rng.choices(choices, [choice[4] for choice in choices])[0]
    if "wrap_up" in told:
        code = str(told["wrap_up"])
        known = next((c for c in (*WRAP_UPS, *RESULTS) if c[0] == code), None)
        name, kind, comment = known[1:4] if known else (code, "neutral", "")
    return {"code": code, "name": name, "class": kind, "comment": told.get("comment", comment)}
