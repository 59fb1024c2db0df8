"""Any CRM with SOAP services, by configuration alone: a WSDL, and a profile that says which operations there are.

The operations are called through zeep; objects, look-ups, writing and lists are as for every profile.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from connectors.crm.soap.client import ROOTS, Client
from connectors.wire.profiled.connector import Profiled
from hub.contract import Manifest, Profile, Setting, Tools


class AnySoap(Profiled):
    """One system with SOAP services, as its profile describes it."""

    manifest: ClassVar[Manifest] = Manifest(
        name="soap",
        title="Any CRM by SOAP",
        about="An in-house CRM with SOAP services, described by its WSDL and a profile: a file that says which operations "
        "there are and where the records, ids and errors stand in the answers.",
        family="crm",
        settings=(
            Setting(name="url", about="Where the service is called. By default where the WSDL says.", kind="url",
                    example="https://crm.example.com/soap"),
            Setting(name="profile", about="The profile's file.", kind="file", required=True,
                    example="crms/in-house-soap.yaml"),
            Setting(name="user", about="The user of the WS-Security UsernameToken; empty: none is sent.", default=""),
            Setting(name="password", about="That user's password.", kind="secret", example="${CRM_PASSWORD}"),
            Setting(name="digest", about="Send the password as a digest instead of as text.", kind="boolean",
                    default=False),
            Setting(name="binding", about="The binding, where the WSDL has several, as `{namespace}name`.", default=""),
        ),
        idempotency="search-then-write",
        people=("contact",),
        new_person="contact",
        source="the WSDL and the profile; faults as SOAP 1.1 and 1.2 have them",
    )  # fmt: skip

    more_words = ("wsdl",)  # its address, or its file from the profile's own folder

    def _connected(
        self, profile: Profile, words: Mapping[str, Any], settings: Mapping[str, Any], tools: Tools
    ) -> Client:
        return Client(settings, tools, profile, str(words["wsdl"]), self._failures(profile, words, ROOTS))
