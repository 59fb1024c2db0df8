"""Any CRM with a web service of its own, by configuration alone: a profile says what is asked and what answers mean.

A row is written by the profile's own upsert where it has one; else its key is looked up first, and it is created or updated.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from connectors.crm.rest.client import AUTHORITIES, Client
from connectors.wire.profiled.asking import ANSWER
from connectors.wire.profiled.connector import Profiled
from hub.contract import Manifest, Profile, Setting, Tools


class Rest(Profiled):
    """One system with a web service, as its profile describes it."""

    manifest: ClassVar[Manifest] = Manifest(
        name="rest",
        title="Any CRM by REST",
        about="An in-house CRM with a web service (JSON over HTTP), described by a profile: a file that says which requests "
        "there are, where the records, ids and errors stand in the answers, and how lists are paged.",
        family="crm",
        settings=(
            Setting(name="url", about="The address that the profile's paths begin at.", kind="url", required=True,
                    example="https://crm.example.com/api/v3"),
            Setting(name="profile", about="The profile's file.", kind="file", required=True,
                    example="crms/in-house.yaml"),
            Setting(name="sign_in", about=f"How requests prove who we are: {', '.join(AUTHORITIES)}.", default="none"),
            Setting(name="user", about="With `basic`: the user.", default=""),
            Setting(name="password", about="With `basic`: the password.", kind="secret", example="${CRM_PASSWORD}"),
            Setting(name="token", about="With `bearer` or `header`: the token.", kind="secret", example="${CRM_TOKEN}"),
            Setting(name="header", about="With `header`: the name of the header that carries the token.",
                    default="X-Api-Key"),
            Setting(name="sign_in_url", about="With `oauth2` (client credentials): where tokens are given.", kind="url",
                    example="https://login.example.com/oauth2/token"),
            Setting(name="client_id", about="With `oauth2`: the client.", default=""),
            Setting(name="client_secret", about="With `oauth2`: the client's secret.", kind="secret",
                    example="${CRM_CLIENT_SECRET}"),
            Setting(name="scope", about="With `oauth2`: the scope that is asked for.", default=""),
        ),
        idempotency="search-then-write",
        people=("contact",),
        new_person="contact",
        source="the profile",
    )  # fmt: skip

    def _connected(
        self, profile: Profile, words: Mapping[str, Any], settings: Mapping[str, Any], tools: Tools
    ) -> Client:
        return Client(settings, tools, self._failures(profile, words, ANSWER))
