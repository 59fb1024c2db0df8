"""Write docs/reference from the declarations in the code: `python -m docs.generate`, or `--check` that it is up to date."""

from __future__ import annotations

import sys
import types
import typing
from pathlib import Path
from typing import Any, get_args

import msgspec

from hub import model
from hub.cli.reference import cli_reference
from hub.config import connection_settings, hub_settings
from hub.contract import Setting, capabilities
from hub.installed import connector_class, connector_names
from hub.language.reference import reference as language_reference
from hub.web.openapi import api_reference

FOLDER = Path(__file__).parent / "reference"
TYPE_WORDS = {
    "str": "text", "int": "integer", "float": "number", "bool": "true or false", "datetime": "moment", "dict": "free",
    "Any": "any",
}  # fmt: skip
MADE = "<!-- Written by `make docs` from the declarations in the code. Do not edit. -->\n\n"


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table; a bar inside a cell is escaped."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def setting_rows(settings: tuple[Setting, ...]) -> list[tuple[str, ...]]:
    """One row for each setting."""
    return [
        (
            f"`{setting.name}`",
            setting.kind,
            "required" if setting.required else f"`{setting.default}`" if setting.default is not None else "",
            setting.about,
            f"`{setting.example}`" if setting.example is not None else "",
        )
        for setting in settings
    ]


SETTING_HEAD = ("setting", "kind", "default", "about", "example")


def settings_page() -> str:
    """Every setting of config/hub.yaml."""
    return (
        "# Settings\n\n`config/hub.yaml`, with `${NAME}` and `${NAME:-default}` taken from the environment.\n\n"
        "## The hub\n\n" + table(SETTING_HEAD, setting_rows(hub_settings()))
        + "\n## Every connection\n\n" + table(SETTING_HEAD, setting_rows(connection_settings()))
        + "\nWhat each connector takes beyond these stands in [connectors](connectors.md).\n"
    )  # fmt: skip


def connectors_page() -> str:
    """Every connector: what it is, what it can do, what it takes."""
    parts = ["# Connectors\n"]
    for name in connector_names():
        kind = connector_class(name)
        manifest = kind.manifest
        parts.append(f"\n## {manifest.title} (`{name}`)\n\n{manifest.about}\n")
        parts.append(f"\nFamily: {manifest.family}. Verbs: {', '.join(f'`{verb}`' for verb in capabilities(kind))}.")
        if manifest.idempotency:
            parts.append(f" Idempotency: {manifest.idempotency}, {manifest.rows_per_call} rows a call.")
        parts.append("\n")
        if manifest.people:
            parts.append(f"\nPeople and companies: {', '.join(f'`{name}`' for name in manifest.people)}.\n")
        if manifest.settings:
            parts.append("\n" + table(SETTING_HEAD, setting_rows(manifest.settings)))
        if manifest.source:
            parts.append(f"\nWhere the facts are from: {manifest.source}\n")
    return "".join(parts)


def events_page() -> str:
    """The canonical event, and the facts that events fold into."""
    parts = [
        "# Events\n\nWhat `POST /hooks/{connection}` takes, and what mappings read. ",
        "Times are ISO 8601 with a zone, durations seconds.\n",
        "\n## Types\n\n",
        *(f"- `{name}`\n" for name in (*model.INTERACTION_EVENTS, *model.OTHER_EVENTS)),
        *(f"- `{family}.…` with any word after the dot\n" for family in model.EVENT_FAMILIES),
    ]
    for title, root in (("The event", model.Event), ("The facts", model.Facts)):
        parts.append(f"\n## {title}\n\n{(root.__doc__ or '').strip()}\n\n")
        parts.append(table(("path", "type"), paths(root, "")))
    return "".join(parts)


def paths(struct: type[msgspec.Struct], prefix: str) -> list[tuple[str, ...]]:
    """Every path below a struct, with its type in words."""
    rows: list[tuple[str, ...]] = []
    for field in msgspec.structs.fields(struct):
        path = f"{prefix}{field.encode_name}"
        kinds = [kind for kind in (field.type, *get_args(field.type)) if isinstance(kind, type)]
        inner = [kind for kind in kinds if issubclass(kind, msgspec.Struct)]
        if inner and inner[0] is not struct:
            many = getattr(field.type, "__origin__", None) is list
            rows += paths(inner[0], f"{path}.0." if many else f"{path}.")
        else:
            rows.append((f"`{path}`", type_in_words(field.type) + (", required" if field.required else "")))
    return rows


def type_in_words(kind: Any) -> str:
    """A type as a reader of the reference expects it."""
    origin = typing.get_origin(kind)
    if origin is typing.Annotated:
        return type_in_words(get_args(kind)[0])
    if origin in (typing.Union, types.UnionType):
        return " or ".join(type_in_words(arm) for arm in get_args(kind) if arm is not type(None))
    if origin is typing.Literal:
        return ", ".join(f"`{word}`" for word in get_args(kind))
    name = getattr(origin or kind, "__name__", str(kind))
    return TYPE_WORDS.get(name, name)


def pages() -> dict[str, str]:
    """File name → text, for everything under docs/reference that is generated."""
    return {
        "settings.md": settings_page(),
        "connectors.md": connectors_page(),
        "events.md": events_page(),
        "language.md": language_reference(),
        "api.md": api_reference(),
        "cli.md": cli_reference(),
    }


def main() -> int:
    """Write the pages, or with --check say which ones are stale."""
    stale = []
    for name, text in pages().items():
        page, text = FOLDER / name, MADE + text.rstrip() + "\n"
        if page.exists() and page.read_text(encoding="utf-8") == text:
            continue
        if "--check" in sys.argv:
            stale.append(name)
        else:
            page.write_text(text, encoding="utf-8")
            print(f"wrote {page.relative_to(FOLDER.parent.parent)}")
    if stale:
        print(f"docs/reference is not up to date ({', '.join(stale)}): run `make docs`", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
