"""The embedded interaction platform (sandbox/softphone.py): dials, contact lists and signed hooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from hub.contract import HookRequest, Manifest, Setting, Tools
from hub.model import Description, DialReceipt, DialRequest, Event, Field, Identity, Receipt, Row, Target

CONTACT_LIST = Description(
    object="contact_list",
    label="Contact list",
    fields=(
        Field(name="phone", label="Phone", type="phone", required=True, max_length=32),
        Field(name="name", label="Name", max_length=120),
        Field(name="first_name", label="First name", max_length=80),
        Field(name="last_name", label="Last name", max_length=80),
        Field(name="email", label="E-mail", type="email", max_length=254),
        Field(name="company", label="Company", max_length=120),
        Field(name="country", label="Country", max_length=2),
        Field(name="language", label="Language", max_length=8),
        Field(name="crm_key", label="CRM key", max_length=200),
        Field(name="agent", label="Agent", max_length=80),
        Field(name="priority", label="Priority", type="integer"),
        Field(name="callback_at", label="Call back at", type="datetime"),
        Field(name="note", label="Note", type="longtext", max_length=2000),
    ),
)


class Softphone:
    """Patchbay's own platform: for a first try, for demos and for tests."""

    manifest: ClassVar[Manifest] = Manifest(
        name="softphone",
        title="Softphone",
        about="The embedded interaction platform: takes dials and contact lists, plays calls back as signed hooks.",
        family="platform",
        settings=(
            Setting(name="url", about="Where the platform listens.", kind="url", required=True,
                    example="http://127.0.0.1:8090"),
            Setting(name="token", about="The bearer token that it asks for.", kind="secret", required=True),
            Setting(name="secret", about="What its hooks are signed with; several while one is replaced.",
                    kind="secrets", required=True, example="${PATCHBAY_WEBHOOK_SECRET}"),
        ),
        idempotency="native-upsert",
        rows_per_call=1000,
        source="sandbox/softphone.py",
    )  # fmt: skip

    def __init__(self, settings: Mapping[str, Any], tools: Tools) -> None:
        raise NotImplementedError

    def check(self) -> Identity:
        raise NotImplementedError

    def receive(self, request: HookRequest) -> Sequence[Event]:
        raise NotImplementedError

    def write(self, target: Target, rows: Sequence[Row]) -> Sequence[Receipt]:
        raise NotImplementedError

    def dial(self, request: DialRequest) -> DialReceipt:
        raise NotImplementedError

    def objects(self) -> Sequence[str]:
        return (CONTACT_LIST.object,)

    def describe(self, object: str) -> Description:
        raise NotImplementedError
