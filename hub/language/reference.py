"""The manual of the language, written from the declarations that the compiler itself uses. `make docs` keeps it in docs/."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hub.language.bounded import FILTERS, LONGEST, TESTS
from hub.language.conditions import OPERATORS
from hub.language.converters import CONVERTERS
from hub.language.directory import CONNECTION_WORDS, OBJECT_WORDS, POLICIES
from hub.language.expressions import MAX_DEPTH, MAX_PARTS, MAX_SOURCE
from hub.language.fields import WORDS as FIELD_WORDS
from hub.language.given import OUTCOMES
from hub.language.lookups import BY, MANY
from hub.language.mapping import WORDS
from hub.language.paths import EVENT_SCOPE, RECORD, Shape
from hub.language.source import EVENT_WORDS, LIST_WORDS, TARGET_WORDS

_HEAD = """\
# The language

Written by `make docs` from the declarations in `hub/language`; do not edit.

One language describes what goes where. A word that is not in these tables is refused with file, line and the nearest right
word, and so is a path that the model does not know.

YAML is read by its core schema: only `true`/`false`, `null`, whole numbers and decimals are something other than text. `NO`,
`yes`, `on`, `012`, `+34600`, `1:30` and `2026-03-02` are the text that stands there; keys are always text. The same key
twice, merge keys (`<<`) and tags are refused.
"""

_VALUES = """\
A path reads one value; where nothing is there, or an empty text, the value is *absent*, and an absent field is left out, so
that the target keeps what it has. A step that is no plain word stands in quotes: `attached."Order No."`. The items of a list
are `recordings.0`, `recordings.1` …, its last is `recordings.-1`. `attached` is free: whatever the platform attached.
"""

_CONDITIONS = """\
A condition is a group of paths with what they have to be; all of them have to hold. A value alone means *is*, a list *is one
of*. `any: […]`, `all: […]` and `not: {…}` go around groups. Where nothing is there, only `not` and `present: false` hold. A
number and a text that spells it are the same where the model does not say which it is. There are no regular expressions.
"""

_RESOLVE = """\
A name has `find` (an object of the target's CRM, or `person` for all that hold people), `by` and `many`. `by` is one way to
look up or a list of them, best first: the first that finds anything counts. What it finds is read by paths such as
`caller.id`.
"""

_EXAMPLES = """\
Every mapping has `examples`, and they are its tests: `about`, `given` (facts, and resolved names as one record or a list of
several matches), and `expect`: fields with their values (`null`: left out), or `skip`, or
"""

_ORDER = """\
Every field has one of `from`, `text`, `value`, `expr`; a path alone means `from`. The order is: what it is made of, `as`,
`choose`, `max`; where nothing is there, `otherwise`. A value that cannot be converted or chosen is a *problem*: the row
parks and names all of its problems at once. In a `text`, `{{` and `}}` are the signs themselves.
"""

_EXPRESSIONS = f"""\
`expr` takes Jinja's expression syntax: paths, texts, numbers, lists, `==` `!=` `<` `<=` `>` `>=` `in` `not in`, `and` `or`
`not`, `a if b else c`, `+` `-` `/` `//` `%` for numbers, `~` to join texts, filters and tests. An absent value is none and
counts as false, every comparison by size with it is false, and a sum with it is absent. There are no calls, no loops, no `*`
and `**`. At most {MAX_SOURCE:,} characters, {MAX_PARTS} parts, {MAX_DEPTH} levels; no text on the way beyond {LONGEST:,}
characters.
"""


_DIRECTORY = """\
Under `connections`, by name, what is declared for each; under `objects`, by the object's name in the CRM, how its rows are
read. Rows are `row.*`, as the CRM's page gives them; a value is written like a field of a mapping.
"""


def reference() -> str:
    """The manual as Markdown."""
    return "\n".join(
        [
            _HEAD,
            "## A mapping\n",
            _words(WORDS),
            "## `source`: events\n",
            _words(EVENT_WORDS),
            "## `source`: a contact list\n",
            _words(LIST_WORDS),
            "## `target`\n",
            _words(TARGET_WORDS),
            "## `resolve`\n",
            _RESOLVE,
            _table(("by", "what it is"), BY.items()),
            _table(("many", "what is done where several match"), MANY.items()),
            "## Fields\n",
            _ORDER,
            _words(FIELD_WORDS),
            "## Converters: `as`\n",
            _table(
                ("converter", "what it gives", "takes", "gives"),
                ((one.name, one.about, one.takes, one.gives) for one in CONVERTERS.values()),
            ),
            "## Conditions: `when`\n",
            _CONDITIONS,
            _table(
                ("word", "it holds where the value is", "takes"),
                ((name, one.about, one.takes) for name, one in OPERATORS.items()),
            ),
            "## Expressions: `expr`\n",
            _EXPRESSIONS,
            _table(("filter", "what it gives"), ((name, one.about) for name, one in FILTERS.items())),
            "Tests: " + ", ".join(f"`is {name}`" for name in TESTS) + ".\n",
            "## Examples\n",
            _EXAMPLES,
            _words(OUTCOMES),
            "## Paths\n",
            _VALUES,
            _paths(EVENT_SCOPE.leaves()),
            "A resolved name has these, and beyond them the CRM's own fields by their names:\n",
            _paths((f"caller.{word}", part) for word, part in _record()),
            "A contact list's mapping reads `member.*`, as the CRM's page gives it, and `campaign.*`.\n",
            "## The customer directory: `config/directory.yaml`\n",
            _DIRECTORY,
            _words(CONNECTION_WORDS),
            _table(("policy", "who answers"), [(str(name), about) for name, about in POLICIES.items()]),
            _words(OBJECT_WORDS),
        ]
    )


def _record() -> Iterable[tuple[str, Shape]]:
    for word, shape in RECORD.parts.items():
        if shape.parts:
            yield from ((f"{word}.{part}", inner) for part, inner in shape.parts.items())
        else:
            yield word, shape


def _words(words: Mapping[str, str]) -> str:
    return _table(("word", "what it says"), words.items())


def _paths(paths: Iterable[tuple[str, Shape]]) -> str:
    return _table(("path", "holds"), ((path, _holds(shape)) for path, shape in paths))


def _holds(shape: Shape) -> str:
    if shape.choices:
        return ", ".join(shape.choices)
    return {"boolean": "true or false", "free": "anything"}.get(shape.kind, shape.kind)


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads)]
    lines += [(f"`{name}`", *(cell.replace("|", "\\|") for cell in rest)) for name, *rest in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
