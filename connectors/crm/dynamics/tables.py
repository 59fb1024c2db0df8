"""What the tables are, by `EntityDefinitions`: read in one `$batch`, and asked by version stamp whether that still
holds.

Names are the environment's own and case-sensitive: sets, and the navigation properties by which a lookup is bound
(`ManyToOneRelationships`, `ReferencingEntityNavigationPropertyName`). Choices and lengths stand on attribute kinds,
each a cast of its own ("Query table definitions using the Web API"). The stamp is `RetrieveMetadataChanges`' ("Cache
schema data").
"""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from msgspec import Struct

from connectors.crm.dynamics.api import Api, literal, query
from hub.errors import ConnectorError, NotFound, Rejected, nearest

Told = Mapping[str, Any]
# How long a write goes by what is known of a table before it asks whether that still holds.
GOOD_FOR = dt.timedelta(hours=1)
PRIVILEGE_NAMES = {"Create": "creatable", "Write": "changeable"}
_ATTRIBUTES = ("LogicalName,AttributeType,AttributeOf,DisplayName,RequiredLevel,IsValidForCreate,IsValidForUpdate,"
               "IsValidForRead,IsPrimaryId,AutoNumberFormat")  # fmt: skip
_CASTS: Mapping[str, str] = {
    "String": "LogicalName,MaxLength,FormatName",
    "Memo": "LogicalName,MaxLength",
    "DateTime": "LogicalName,Format",
    "Lookup": "LogicalName,Targets",
    "Picklist": "LogicalName",
    "State": "LogicalName",
    "Status": "LogicalName",
}
_CHOICES = ("Picklist", "State", "Status")


class Column(Struct, frozen=True, kw_only=True):
    """One column. `choices` maps a number to its label, in the application user's language."""

    name: str
    type: str
    label: str
    create: bool
    update: bool
    required: bool
    primary: bool = False
    max_length: int | None = None
    format: str = ""
    targets: tuple[str, ...] = ()
    choices: Mapping[int, str] = {}
    state_of: Mapping[int, int] = {}

    @property
    def is_reference(self) -> bool:
        """Whether it is a lookup of one record."""
        return self.type in ("Lookup", "Customer", "Owner")


class Table(Struct, frozen=True, kw_only=True):
    """One table as it was at `stamp`. `navigation` maps (column, target table) to the property that binds it."""

    name: str
    set: str
    id: str
    title: str
    label: str
    activity: bool
    tracked: bool
    columns: Mapping[str, Column]
    keys: frozenset[str]  # the columns that are an alternate key by themselves, with an index that is active
    navigation: Mapping[tuple[str, str], str]
    creatable: bool | None
    changeable: bool | None
    stamp: str

    def column(self, name: str) -> Column:
        """The column. Raises Rejected with the nearest name."""
        if name not in self.columns:
            problem = f'{self.name} has no column "{name}"{nearest(name, self.columns)}'
            raise Rejected(problem, {name: problem})
        return self.columns[name]


class Tables:
    """The tables of one environment, each read when it is needed."""

    def __init__(self, api: Api, now: Callable[[], dt.datetime]) -> None:
        self._api, self._now = api, now
        self._lock = threading.Lock()
        self._sets: dict[str, str] = {}
        self._tables: dict[str, tuple[Table, dt.datetime]] = {}
        self._held: frozenset[str] | None = None

    def sets(self, anew: bool = False) -> Mapping[str, str]:
        """Table → set, of all tables that have one and are no mere crossing of two others."""
        if anew or not self._sets:
            told = self._api.get("EntityDefinitions?" + query(select="LogicalName,EntitySetName,IsPrivate"), prefer="")
            self._sets = {one["LogicalName"]: one["EntitySetName"] for one in told["value"]
                          if one.get("EntitySetName") and not one.get("IsPrivate")}  # fmt: skip
        return self._sets

    def known(self, name: str) -> Table:
        """A table, from memory for an hour. Raises NotFound."""
        with self._lock:
            kept = self._tables.get(name)
        return kept[0] if kept and self._now() - kept[1] < GOOD_FOR else self.asked(name)

    def asked(self, name: str) -> Table:
        """A table as it is now: where it was read before, only whether it has changed is asked."""
        with self._lock:
            kept = self._tables.get(name)
        if kept is None and name not in self.sets():
            raise NotFound(f'there is no table "{name}" in this environment{nearest(name, self.sets())}')
        table = kept[0] if kept and kept[0].stamp and not self._has_changed(kept[0]) else self._read(name)
        with self._lock:
            self._tables[name] = (table, self._now())
        return table

    def _has_changed(self, table: Table) -> bool:
        (told,) = self._api.read([_changes(table.name, table.stamp)], prefer="")
        # A stamp that has run out (0x80044352) is answered with an error: all is read again.
        return isinstance(told, ConnectorError) or bool(told.get("EntityMetadata"))

    def _read(self, name: str) -> Table:
        home = f"EntityDefinitions(LogicalName='{name}')"
        whole = query(
            select="LogicalName,EntitySetName,PrimaryIdAttribute,PrimaryNameAttribute,DisplayName,IsActivity,"
            "ChangeTrackingEnabled,Privileges",
            expand=f"Attributes($select={_ATTRIBUTES}),Keys($select=KeyAttributes,EntityKeyIndexStatus),"
            "ManyToOneRelationships($select=ReferencingAttribute,ReferencedEntity,ReferencingEntityNavigationPropertyName)",
        )
        casts = [
            f"{home}/Attributes/Microsoft.Dynamics.CRM.{kind}AttributeMetadata?"
            + query(select=select, expand="OptionSet" if kind in _CHOICES else "")
            for kind, select in _CASTS.items()
        ]
        definition, stamp, *kinds = self._api.read([f"{home}?{whole}", _changes(name), *casts], prefer="")
        if isinstance(definition, ConnectorError):
            raise definition
        details: dict[str, dict[str, Any]] = {}
        for told in kinds:
            if isinstance(told, ConnectorError):
                raise told
            details.update((one["LogicalName"], one) for one in told["value"])
        columns = {
            one["LogicalName"]: _column(one, details.get(one["LogicalName"], {}))
            for one in definition["Attributes"]
            if not one.get("AttributeOf") and one.get("IsValidForRead", True)
        }
        return Table(
            name=name,
            set=definition["EntitySetName"],
            id=definition["PrimaryIdAttribute"],
            title=definition.get("PrimaryNameAttribute") or "",
            label=_label(definition) or name,
            activity=bool(definition.get("IsActivity")),
            tracked=bool(definition.get("ChangeTrackingEnabled")),
            columns=columns,
            keys=frozenset(key["KeyAttributes"][0] for key in definition.get("Keys") or ()
                           if key.get("EntityKeyIndexStatus") == "Active" and len(key["KeyAttributes"]) == 1),
            navigation=_navigation(definition, columns),
            **self._rights(definition),
            stamp="" if isinstance(stamp, ConnectorError) else str(stamp.get("ServerVersionStamp") or ""),
        )  # fmt: skip

    def _rights(self, definition: Told) -> dict[str, bool | None]:
        """Whether our user may make and change rows; None where Dataverse does not say."""
        held = self._privileges()
        offered = {one["PrivilegeType"]: one["PrivilegeId"] for one in definition.get("Privileges") or ()}
        return {ours: None if not held or word not in offered else offered[word] in held
                for word, ours in PRIVILEGE_NAMES.items()}  # fmt: skip

    def _privileges(self) -> frozenset[str]:
        """The ids of all privileges that our user has; empty where that cannot be asked."""
        if self._held is None:
            who = self._api.get("WhoAmI", prefer="")["UserId"]
            path = f"systemusers({quote(str(who), safe='')})/Microsoft.Dynamics.CRM.RetrieveUserPrivileges()"
            (told,) = self._api.read([path], prefer="")
            privileges = () if isinstance(told, ConnectorError) else told.get("RolePrivileges") or ()
            self._held = frozenset(one["PrivilegeId"] for one in privileges)
        return self._held


def _changes(name: str, stamp: str = "") -> str:
    """Has the table changed since `stamp`? Without one: what the stamp is now."""
    condition = {
        "PropertyName": "LogicalName",
        "ConditionOperator": "Equals",
        "Value": {"Type": "System.String", "Value": name},
    }
    wanted = {
        "Properties": {"PropertyNames": ["LogicalName", "Attributes"]},
        "Criteria": {"Conditions": [condition]},
        "AttributeQuery": {"Properties": {"PropertyNames": ["LogicalName", "RequiredLevel", "MaxLength", "OptionSet"]}},
    }
    given = f"@p1={quote(json.dumps(wanted, separators=(',', ':')), safe='')}"
    if not stamp:
        return f"RetrieveMetadataChanges(Query=@p1)?{given}"
    seen = quote(literal(stamp), safe="")
    return f"RetrieveMetadataChanges(Query=@p1,ClientVersionStamp=@p2)?{given}&@p2={seen}"


def _column(one: Told, detail: Told) -> Column:
    level = (one.get("RequiredLevel") or {}).get("Value")
    options = ((detail.get("OptionSet") or {}).get("Options")) or ()
    named = {int(option["Value"]): (_label(option, "Label") or str(option["Value"])) for option in options}
    kind, create = one.get("AttributeType") or "", bool(one.get("IsValidForCreate"))
    filled_in = kind in ("Owner", "State", "Status", "Uniqueidentifier", "PartyList") or one.get("AutoNumberFormat")
    return Column(
        name=one["LogicalName"],
        type=kind,
        label=_label(one) or one["LogicalName"],
        create=create,
        update=bool(one.get("IsValidForUpdate")),
        required=level == "SystemRequired" and create and not filled_in,
        primary=bool(one.get("IsPrimaryId")),
        max_length=detail.get("MaxLength"),
        format=str((detail.get("FormatName") or {}).get("Value") or detail.get("Format") or ""),
        targets=tuple(detail.get("Targets") or ()),
        choices=named,
        state_of={int(option["Value"]): int(option["State"]) for option in options if "State" in option},
    )


def _navigation(definition: Told, columns: Mapping[str, Column]) -> dict[tuple[str, str], str]:
    found = {
        (one["ReferencingAttribute"], one["ReferencedEntity"]): one["ReferencingEntityNavigationPropertyName"]
        for one in definition.get("ManyToOneRelationships") or ()
    }
    # An owner is a user or a team, told as one relationship to `owner`; it is bound by the column's own name.
    return found | {(column.name, target): column.name for column in columns.values()
                    if column.type == "Owner" for target in column.targets}  # fmt: skip


def _label(told: Told, word: str = "DisplayName") -> str:
    localised = (told.get(word) or {}).get("UserLocalizedLabel") or {}
    return str(localised.get("Label") or "")
