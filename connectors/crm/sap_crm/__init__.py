"""SAP CRM on-premise (7.x) over its SOAP enterprise services, by WSDL.

A caller is a business partner; a wrapped-up interaction is an activity (an interaction record), a mail may be a service
request. SAP publishes no WSDL, so names are inferred from its documentation, and every one is a setting (see `shapes`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal
from urllib.parse import quote, urlsplit

from connectors.crm.sap_crm.partners import Finder
from connectors.crm.sap_crm.pulling import MEMBERS, Puller, members
from connectors.crm.sap_crm.schema import description
from connectors.crm.sap_crm.services import Services
from connectors.crm.sap_crm.shapes import ELEMENTS, OPERATIONS, PARTNER, PARTS, WSDLS, known, shapes
from connectors.crm.sap_crm.writing import Writer
from hub.contract import Manifest, Setting, Tools
from hub.errors import ConfigError
from hub.model import Description, Identity, Lookup, Page, Query, Receipt, Record, Row, Target

START = "/sap/bc/bsp/sap/crm_ui_start/default.htm?sap-client={client}"
INFERRED = "Inferred from SAP's documentation, not tried against a system; change it to what your WSDL says."
SIGN_INS = ("basic", "usernametoken", "usernametoken_digest")


class SapCrm:
    """One client of one SAP CRM system as one of its users."""

    manifest: ClassVar[Manifest] = Manifest(
        name="sap_crm",
        title="SAP CRM (on-premise)",
        about="SAP CRM 7.x on-premise by its SOAP enterprise services: activities (interaction records), service "
        "requests and "
        "business partners. What is documented: A2X services, the message header whose id makes a repeated creation "
        "harmless, "
        "and the log with severities inside status 200. What is inferred: the names of operations and elements, the "
        "codes of "
        "texts and party roles, the texts of locks, and wildcards in a search; SAP publishes no WSDL. Take yours from "
        "SOAMANAGER and name it here. A target group's members are pulled by an operation of your own (members); nothing is "
        "deleted: a removal cancels by status.",
        family="crm",
        settings=(
            Setting(name="url", about="The server's address: the ICM, or the web dispatcher before it.", kind="url",
                    required=True, example="https://crm.example.com:44300"),
            Setting(name="client", about="The client (Mandant), for links.", default="100"),
            Setting(name="user", about="The service user that the hub signs in as.", required=True, example="PATCHBAY"),
            Setting(name="password", about="That user's password.", kind="secret", required=True,
                    example="${SAP_CRM_PASSWORD}"),
            Setting(name="sign_in", about="How the services take the user: basic, usernametoken (WS-Security, the "
                    "password as "
                    "text) or usernametoken_digest. The binding in SOAMANAGER says which.", default="basic"),
            Setting(name="wsdls", about="Where each object's WSDL is, as Object=/sap/… on the server, a whole address, or a "
                    "file on the hub's machine. The defaults are the sandbox's; yours are in SOAMANAGER.", kind="list",
                    default=list(WSDLS)),
            Setting(name="endpoints", about="Where an object's service is called, as Object=/sap/bc/srt/…, if not "
                    "where its WSDL says.", kind="list", default=[],
                    example=["Activity=/sap/bc/srt/xip/sap/activity/100/activity/binding"]),
            Setting(name="operations", about=f"The operations, as Object.create, .change and .query. {INFERRED}",
                    kind="list", default=list(OPERATIONS)),
            Setting(name="elements", about="The elements: Object.id, Object.key (where our key is kept, 35 letters; a "
                    "longer key "
                    f"is kept as a digest), BusinessPartner.phone and .email (what a search selects by). {INFERRED}",
                    kind="list", default=list(ELEMENTS)),
            Setting(name="parts", about="Fields that SAP keeps in repeated elements, as Object.Name = "
                    "Element(Kind=Code).Field: "
                    f"texts by type, parties by role, references by type. {INFERRED}", kind="list", default=list(PARTS)),
            Setting(name="members_wsdl", about="Where the WSDL of the operation is that tells a target group's members, as "
                    "in wsdls; SAP has none of its own, so without it no list is pulled.", default="",
                    example="/sap/bc/srt/wsdl/target_group.wsdl"),
            Setting(name="members", about="What that operation calls things: operation, group, after and most in the "
                    "request (both or neither: neither, and it tells all at once), partner and messages in the answer. "
                    "The defaults are the sandbox's.", kind="list", default=list(MEMBERS)),
            Setting(name="phone_patterns", about="How a number is searched: {e164}, {digits} (without the plus) and "
                    "{tail} (its "
                    f"last seven digits) are filled in, * stands for anything. {INFERRED}", kind="list",
                    default=["{e164}", "*{tail}"]),
            Setting(name="removed_status", about=f"The status that says that a document is cancelled. {INFERRED}",
                    default="E0007"),
            Setting(name="lock_texts", about="Patterns of the texts by which SAP says that somebody else holds a "
                    "record; it has "
                    f"no code for it. {INFERRED}", kind="list",
                    default=[r"is (currently )?(being )?(locked|processed) by", r"gesperrt (durch|von)",
                             r"lock(ed)? by user"]),
            Setting(name="open_link", about="The path that opens a record: {client}, {type}, {key} and {id} are filled in.",
                    default=START + "&crm-object-type={type}&crm-object-action=B&crm-object-keyname={key}"
                    "&crm-object-value={id}"),
            Setting(name="search_link", about=f"The path of a search; its fields follow as parameters. {INFERRED}",
                    default=START + "&crm-object-type={type}&crm-object-action=A"),
            Setting(name="new_link", about=f"The path of a new record; its fields follow as parameters. {INFERRED}",
                    default=START + "&crm-object-type={type}&crm-object-action=D"),
            Setting(name="link_types", about="Each object's type in links and the name of its key there, as "
                    "Object=TYPE:KEY. "
                    f"{INFERRED}", kind="list",
                    default=["BusinessPartner=BP_ACCOUNT:PARTNER", "Activity=BT126_CALL:OBJECT_ID",
                             "ServiceRequest=BT120_SRQ:OBJECT_ID"]),
        ),
        idempotency="search-then-write",
        rows_per_call=50,
        people=(PARTNER,),
        new_person=PARTNER,
        source="help.sap.com crm700_ehp03 (enterprise services), the log of SAP's A2X services; WSDLs of our own; "
        "read 2026-11",
    )  # fmt: skip

    def __init__(self, settings: Mapping[str, Any], tools: Tools) -> None:
        self._settings = settings
        self._home = str(settings["url"]).rstrip("/")
        if settings["sign_in"] not in SIGN_INS:
            raise ConfigError(f'sign_in: "{settings["sign_in"]}" is none of {", ".join(SIGN_INS)}')
        self._shapes = shapes(settings)
        endpoints = dict(str(pair).split("=", 1) for pair in settings["endpoints"] if "=" in str(pair))
        locks = [re.compile(text, re.IGNORECASE) for text in settings["lock_texts"]]
        self._services = Services(
            tools.session, self._home, self._shapes, tools.now, locks, user=settings["user"],
            password=settings["password"], sign_in=settings["sign_in"], endpoints=endpoints,
            members_wsdl=str(settings["members_wsdl"] or ""),
        )  # fmt: skip
        self._types = dict(str(pair).split("=", 1) for pair in settings["link_types"] if "=" in str(pair))
        self._described: dict[str, Description] = {}
        self._finder = Finder(self._services, self._shapes, tools.country, settings["phone_patterns"], self._link)
        self._puller = Puller(self._services, self._shapes, members(settings["members"]))
        self._writer = Writer(self._services, str(settings["removed_status"]), self._kept, self._link)

    def check(self) -> Identity:
        """Reads the WSDL of business partners and asks for one that there is not."""
        shape = known(PARTNER, self._shapes)
        self._services.selected(shape, shape.elements.get("id", "ID"), ["0"])
        host, client = urlsplit(self._home).hostname, self._settings["client"]
        return Identity(user=self._settings["user"], system=f"SAP CRM, {host}, client {client}")

    def find(self, lookups: Sequence[Lookup]) -> Sequence[Sequence[Record]]:
        """One call for all numbers, one for all addresses, one for all ids: SAP adds selections of several elements up."""
        return self._finder.found(lookups)

    def objects(self) -> Sequence[str]:
        """The objects that the connection has a WSDL for."""
        return tuple(self._shapes)

    def describe(self, object: str) -> Description:
        """The elements of the object's creation in its WSDL, which is read again: it changes with SAP's transports."""
        shape = known(object, self._shapes)
        self._services.soaps[object].forget()
        self._described[object] = description(self._services.soaps[object], shape)
        return self._described[object]

    def write(self, target: Target, rows: Sequence[Row]) -> Sequence[Receipt]:
        """One search for 50 rows, then a call for each row that is new or differs: SAP CRM has no batch. 200 rows take 204
        calls at most."""
        return self._writer.written(known(target.object, self._shapes), target, rows) if rows else []

    def pages(self, query: Query) -> Iterator[Page]:
        """`where: {target_group: its id}`: the group whole, one call for a page's numbers and one for each 100 partners."""
        return self._puller.pages(query)

    def links(
        self, kind: Literal["open", "search", "new"], object: str, id: str = "", fields: Mapping[str, str] | None = None
    ) -> str:
        """Pages of the CRM Web Client; which page that is depends on the user's business role there."""
        if kind == "open":
            return self._link(object, id)
        return self._filled(f"{kind}_link", object) + "".join(
            f"&{quote(name, safe='')}={quote(value, safe='')}" for name, value in (fields or {}).items() if value
        )

    def _kept(self, object: str) -> Description:
        return self._described.get(object) or self.describe(object)

    def _link(self, object: str, id: str) -> str:
        return self._filled("open_link", object, id=id)

    def _filled(self, template: str, object: str, **words: str) -> str:
        kind, _, key = self._types.get(object, object).partition(":")
        filled = str(self._settings[template])
        for word, value in {**words, "client": str(self._settings["client"]), "type": kind, "key": key}.items():
            filled = filled.replace(f"{{{word}}}", quote(value, safe=""))
        return f"{self._home}/{filled.lstrip('/')}"
