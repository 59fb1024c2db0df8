"""`expr`: Jinja's expression syntax, and a list of what it may do. Everything that is not on the list is refused at load.

Jinja only parses: its tree is turned into closures of ours, so an expression reaches the facts by checked paths and nothing
else: there are no Python objects, calls, loops or powers to escape by. What runs is bounded: the source, the number of
parts, every text and every number on the way. See docs/adr/0006-expressions-are-closures.md.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.parser import Parser

from hub.language.bounded import (
    FILTERS,
    LONGEST,
    TESTS,
    TooMuch,
    bounded,
    comparable,
    held,
    joined,
    scalar,
)
from hub.language.paths import Facts, PathError, Scope
from hub.language.words import right_word

MAX_SOURCE = 1_000
MAX_PARTS = 150
MAX_DEPTH = 25

Run = Callable[[Facts], Any]

_ENVIRONMENT = Environment(autoescape=False)  # noqa: S701  (parses only; it never renders)

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "gteq": operator.ge,
    "lt": operator.lt,
    "lteq": operator.le,
}
_ARITHMETIC: dict[type[nodes.BinExpr], tuple[str, Callable[[Any, Any], Any]]] = {
    nodes.Add: ("+", operator.add),
    nodes.Sub: ("-", operator.sub),
    nodes.Div: ("/", operator.truediv),
    nodes.FloorDiv: ("//", operator.floordiv),
    nodes.Mod: ("%", operator.mod),
}
_REFUSED: dict[type[nodes.Node], str] = {
    nodes.Mul: "`*` is not in the language",
    nodes.Pow: "`**` is not in the language",
    nodes.Call: "calls are not in the language; filters are: value|lower",
    nodes.Slice: "slices are not in the language; `max` cuts a field",
    nodes.Dict: "{…} is not in the language; `choose` maps values",
}


class ExpressionError(ValueError):
    """An expression that cannot be; the message says what would be right."""


def compile_expression(source: Any, scope: Scope) -> Run:
    """The expression as a closure. Raises ExpressionError at load; when run, TooMuch or Unfit for what it cannot do."""
    if not isinstance(source, str):
        raise ExpressionError("an expression is text")
    if len(source) > MAX_SOURCE:
        raise ExpressionError(f"an expression of {len(source)} characters; at most {MAX_SOURCE}")
    try:
        parser = Parser(_ENVIRONMENT, source, state="variable")
        tree = parser.parse_expression()
        if not parser.stream.eos:
            raise ExpressionError("more than one expression")
    except TemplateSyntaxError as error:
        raise ExpressionError(f"no readable expression: {error.message}") from None
    except RecursionError:
        raise ExpressionError(f"nested deeper than {MAX_DEPTH} levels") from None
    except ValueError as error:  # a number of thousands of digits, a broken escape
        raise error if isinstance(error, ExpressionError) else ExpressionError("no readable expression") from None
    return _Compiler(scope).run(tree, 1)


class _Compiler:
    """Jinja's tree to closures, counting parts and depth."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.parts = 0

    def run(self, node: nodes.Node, depth: int) -> Run:
        self.parts += 1
        if self.parts > MAX_PARTS:
            raise ExpressionError(f"more than {MAX_PARTS} parts")
        if depth > MAX_DEPTH:
            raise ExpressionError(f"nested deeper than {MAX_DEPTH} levels")
        depth += 1
        match node:
            case nodes.Const():
                return _constant(node.value)
            case nodes.Name() | nodes.Getattr() | nodes.Getitem():
                return self.path(node)
            case nodes.And() | nodes.Or():
                return _either(self.run(node.left, depth), self.run(node.right, depth), isinstance(node, nodes.And))
            case nodes.Not():
                return _opposite(self.run(node.node, depth))
            case nodes.CondExpr():
                otherwise = self.run(node.expr2, depth) if node.expr2 else _constant(None)
                return _choice(self.run(node.test, depth), self.run(node.expr1, depth), otherwise)
            case nodes.Compare():
                return self.comparison(node, depth)
            case nodes.Concat():
                return _concatenation([self.run(part, depth) for part in node.nodes])
            case nodes.Neg():
                return _arithmetic("-", operator.sub, _constant(0), self.run(node.node, depth))
            case nodes.Pos():
                return self.run(node.node, depth)
            case nodes.List() | nodes.Tuple():
                return _sequence([self.run(item, depth) for item in node.items], node.items)
            case nodes.Filter():
                return self.filter(node, depth)
            case nodes.Test():
                return self.test(node, depth)
        if isinstance(node, nodes.BinExpr) and (known := _ARITHMETIC.get(type(node))):
            return _arithmetic(*known, self.run(node.left, depth), self.run(node.right, depth))
        raise ExpressionError(_REFUSED.get(type(node), f"{type(node).__name__} is not in the language"))

    def path(self, node: nodes.Node) -> Run:
        steps: list[str] = []
        while not isinstance(node, nodes.Name):
            if isinstance(node, nodes.Getattr):
                steps.append(node.attr)
            elif isinstance(node, nodes.Getitem):
                steps.append(_item(node.arg))
            else:
                raise ExpressionError("`.` and `[…]` follow a path only, such as interaction.channel")
            node = node.node
        steps.append(node.name)
        if any(step.startswith("__") for step in steps):
            raise ExpressionError("names with __ are not in the language")
        try:
            return self.scope.path_of(tuple(reversed(steps))).get
        except PathError as error:
            raise ExpressionError(str(error)) from None

    def comparison(self, node: nodes.Compare, depth: int) -> Run:
        runs = [self.run(node.expr, depth)] + [self.run(operand.expr, depth) for operand in node.ops]
        fixed = isinstance(node.ops[0].expr, nodes.Const)
        return _comparison(runs, [operand.op for operand in node.ops], fixed)

    def filter(self, node: nodes.Filter, depth: int) -> Run:
        known = FILTERS.get(node.name)
        if known is None:
            raise ExpressionError(f'there is no filter "{node.name}"{right_word(node.name, FILTERS)}')
        if node.node is None or node.kwargs or node.dyn_args or node.dyn_kwargs:
            raise ExpressionError(f'the filter "{node.name}" takes plain values only')
        if not known.least <= len(node.args) <= known.most:
            raise ExpressionError(f'the filter "{node.name}" takes {known.takes}, not {len(node.args)}')
        return _filtered(known.run, self.run(node.node, depth), [self.run(argument, depth) for argument in node.args])

    def test(self, node: nodes.Test, depth: int) -> Run:
        known = TESTS.get(node.name)
        if known is None:
            raise ExpressionError(f'there is no test "is {node.name}"{right_word(node.name, TESTS)}')
        if node.args or node.kwargs or node.dyn_args or node.dyn_kwargs:
            raise ExpressionError(f'"is {node.name}" takes nothing after it')
        return _filtered(known, self.run(node.node, depth), [])


def _item(node: nodes.Expr) -> str:
    """The fixed name or number between [ and ]."""
    if isinstance(node, nodes.Neg) and isinstance(node.node, nodes.Const) and type(node.node.value) is int:
        return f"-{node.node.value}"
    if isinstance(node, nodes.Const) and type(node.value) in (str, int):
        return str(node.value)
    raise ExpressionError("between [ and ] stands a fixed name or number, nothing computed")


def _constant(value: Any) -> Run:
    if type(value) not in (str, int, float, bool, type(None)):
        raise ExpressionError("a fixed value is text, a number, true, false or none")
    try:
        bounded(value)
    except TooMuch as error:
        raise ExpressionError(str(error)) from None
    return lambda _facts: value


def _either(left: Run, right: Run, both: bool) -> Run:
    if both:
        return lambda facts: left(facts) and right(facts)
    return lambda facts: left(facts) or right(facts)


def _opposite(run: Run) -> Run:
    return lambda facts: not run(facts)


def _choice(test: Run, then: Run, otherwise: Run) -> Run:
    return lambda facts: then(facts) if test(facts) else otherwise(facts)


def _sequence(runs: list[Run], items: list[nodes.Expr]) -> Run:
    if all(isinstance(item, nodes.Const) for item in items):
        fixed = [run({}) for run in runs]
        return lambda _facts: fixed
    return lambda facts: [run(facts) for run in runs]


def _concatenation(runs: list[Run]) -> Run:
    return lambda facts: joined([run(facts) for run in runs], "")


def _filtered(run: Callable[..., Any], value: Run, arguments: list[Run]) -> Run:
    if not arguments:
        return lambda facts: run(value(facts))
    return lambda facts: run(value(facts), *[argument(facts) for argument in arguments])


def _arithmetic(sign: str, run: Callable[[Any, Any], Any], left: Run, right: Run) -> Run:
    def arithmetic(facts: Facts) -> Any:
        a, b = left(facts), right(facts)
        if a is None or b is None:
            return None  # nothing known, nothing computed
        if type(a) not in (int, float) or type(b) not in (int, float):
            if sign == "+" and type(a) is str and type(b) is str and len(a) + len(b) <= LONGEST:
                return a + b
            raise TooMuch(f"`{sign}` is for two numbers (`~` joins texts)")
        if b == 0 and sign in ("/", "//", "%"):
            raise TooMuch("a division by zero")
        return bounded(run(bounded(a), bounded(b)))

    return arithmetic


def _comparison(runs: list[Run], signs: list[str], fixed: bool) -> Run:
    def compares(sign: str, a: Any, b: Any) -> bool:
        if sign == "in":
            return held(a, b)
        if sign == "notin":
            return not held(a, b)
        if sign == "eq":
            return bool(scalar(a) == scalar(b))
        if sign == "ne":
            return bool(scalar(a) != scalar(b))
        return comparable(a, b) and _COMPARE[sign](a, b)

    if len(runs) == 2:
        (first, second), sign = runs, signs[0]
        if sign == "eq" and fixed:  # the commonest form; a list is never equal to one value, and soon found not to be
            value = second({})
            return lambda facts: first(facts) == value
        return lambda facts: compares(sign, first(facts), second(facts))

    def chain(facts: Facts) -> bool:
        a = runs[0](facts)
        for run, sign in zip(runs[1:], signs, strict=True):
            b = run(facts)
            if not compares(sign, a, b):
                return False
            a = b
        return True

    return chain
