"""What an expression may do with values: filters, tests and comparisons that cannot grow without bound."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hub.language.converters import LARGEST, Problem, number, text_of
from hub.language.paths import kind_of

LONGEST = 100_000  # characters of any text on the way
MOST = 1_000  # items of any list that is searched or joined


class TooMuch(Problem):
    """What an expression asks for cannot be done, or is more than is allowed."""


def bounded(value: Any) -> Any:
    """`value`, when it is not larger than anything needs to be."""
    if type(value) is str:
        if len(value) > LONGEST:
            raise TooMuch(f"a text of more than {LONGEST} characters")
    elif type(value) in (int, float) and not -LARGEST <= value <= LARGEST:
        raise TooMuch(f"a number beyond {LARGEST:.0e}")
    return value


def scalar(value: Any) -> Any:
    """`value`, when it is one value that can be compared: a list or a group would have to be walked."""
    if type(value) is dict or type(value) is list:
        raise TooMuch(f"{kind_of(value)} cannot be compared; name a part of it")
    return value


def comparable(a: Any, b: Any) -> bool:
    """Whether a and b can be ordered. With nothing on a side they cannot, and every comparison is false."""
    if a is None or b is None:
        return False
    if type(a) in (int, float) and type(b) in (int, float):
        return True
    if type(a) is str and type(b) is str:
        return True
    raise TooMuch(f"{kind_of(a)} and {kind_of(b)} have no order (|float reads a number)")


def held(item: Any, holder: Any) -> bool:
    """`item in holder`: one of a list, or a part of a text."""
    if holder is None:
        return False
    if type(holder) is str:
        return type(item) is str and item in bounded(holder)
    if type(holder) is list:
        if len(holder) > MOST:
            raise TooMuch(f"a list of more than {MOST}")
        item = scalar(item)
        return any(item == one for one in holder if type(one) is not dict and type(one) is not list)
    raise TooMuch(f"`in` looks into a list or a text, not into {kind_of(holder)}")


def joined(values: list[Any], between: str) -> str:
    """The values as one text; nothing is an empty text."""
    if len(values) > MOST:
        raise TooMuch(f"a list of more than {MOST}")
    texts = ["" if value is None else text_of(value) for value in values]
    if sum(map(len, texts)) + len(between) * len(texts) > LONGEST:
        raise TooMuch(f"a text of more than {LONGEST} characters")
    return between.join(texts)


def _text(value: Any) -> str | None:
    return None if value is None else str(bounded(text_of(value)))


def _lower(value: Any) -> str | None:
    text = _text(value)
    return text and text.lower()


def _upper(value: Any) -> str | None:
    text = _text(value)
    return text and text.upper()


def _trim(value: Any) -> str | None:
    text = _text(value)
    return text and text.strip()


def _title(value: Any) -> str | None:
    text = _text(value)
    return text and text.title()


def _default(value: Any, otherwise: Any) -> Any:
    return otherwise if value is None or value == "" else value


def _length(value: Any) -> int:
    if value is None:
        return 0
    if type(value) not in (str, list):
        raise TooMuch(f"{kind_of(value)} has no length")
    return len(value)


def _round(value: Any, digits: Any = 0) -> Any:
    if type(digits) is not int or not 0 <= digits <= 6:
        raise TooMuch("round takes 0 to 6 digits")
    if value is None:
        return None
    return round(number(value), digits) if digits else math.floor(number(value) + 0.5)


def _int(value: Any) -> int | None:
    return None if value is None else int(number(value))


def _float(value: Any) -> float | None:
    return None if value is None else float(number(value))


def _string(value: Any) -> str | None:
    return _text(value)


def _replace(value: Any, old: Any, new: Any) -> str | None:
    text = _text(value)
    if text is None:
        return None
    old, new = text_of(old), "" if new is None else text_of(new)
    if not old:
        raise TooMuch("replace needs a text to look for")
    if len(text) + text.count(old) * (len(new) - len(old)) > LONGEST:
        raise TooMuch(f"a text of more than {LONGEST} characters")
    return text.replace(old, new)


def _join(value: Any, between: Any = "") -> str | None:
    if value is None:
        return None
    if type(value) is not list:
        raise TooMuch(f"join takes a list, not {kind_of(value)}")
    return joined(value, text_of(between))


def _first(value: Any) -> Any:
    return _item(value, 0)


def _last(value: Any) -> Any:
    return _item(value, -1)


def _item(value: Any, index: int) -> Any:
    if value is None or (type(value) in (str, list) and not value):
        return None
    if type(value) not in (str, list):
        raise TooMuch(f"{kind_of(value)} has no first and last")
    return value[index]


@dataclass(frozen=True)
class Filter:
    """One filter: how many values it takes in brackets."""

    about: str
    run: Callable[..., Any]
    least: int = 0
    most: int = 0

    @property
    def takes(self) -> str:
        """How many values, in words."""
        if self.least == self.most:
            return f"{self.least} values in brackets" if self.most else "nothing in brackets"
        return f"{self.least} to {self.most} values in brackets"


FILTERS = {
    "lower": Filter("in small letters", _lower),
    "upper": Filter("in capital letters", _upper),
    "title": Filter("each word with a capital", _title),
    "trim": Filter("without the spaces around it", _trim),
    "default": Filter("another value where nothing is there: `x|default('-')`", _default, 1, 1),
    "length": Filter("how many characters or items", _length),
    "round": Filter("rounded, to so many digits: `x|round(2)`", _round, 0, 1),
    "int": Filter("a text or a number as a whole number", _int),
    "float": Filter("a text as a number", _float),
    "string": Filter("a number as a text", _string),
    "replace": Filter("one text for another: `x|replace('-', '')`", _replace, 2, 2),
    "join": Filter("a list as one text: `x|join(', ')`", _join, 0, 1),
    "first": Filter("the first item or character", _first),
    "last": Filter("the last item or character", _last),
}

TESTS: dict[str, Callable[[Any], bool]] = {
    "defined": lambda value: value is not None,
    "undefined": lambda value: value is None,
    "none": lambda value: value is None,
    "string": lambda value: type(value) is str,
    "number": lambda value: type(value) in (int, float),
    "boolean": lambda value: type(value) is bool,
    "true": lambda value: value is True,
    "false": lambda value: value is False,
}
