"""Expressions such as ``relu(x + 1) - 2*step(x)``, read by recursive descent into exact functions.

    sum      = product (("+" | "-") product)*
    product  = signed (("*" | "/") signed | operand)*        an operand alone multiplies, unless it is a number
    signed   = ("+" | "-")* operand
    operand  = number | "x" | name | name "(" arguments ")" | "(" sum ")"

Products and quotients bind from left to right, so that ``1/2x`` is ``x/2``.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Sequence
from functools import reduce
from typing import TypeVar

from halfwave.errors import HalfwaveError
from halfwave.functions.catalogue import identity
from halfwave.functions.parsing.names import EXTREMES, FORMS, KNOWN, NAMED, Named
from halfwave.functions.parsing.tokens import Token, error_at, tokenize
from halfwave.functions.piecewise_linear import PiecewiseLinear

Value = float | PiecewiseLinear
Argument = tuple[Token, Value]  # with its first word, for messages
Inside = TypeVar("Inside")

_DEEPEST = 50  # brackets in brackets
_MOST_KINKS = 1000  # a chain of absolute values doubles them at every link


def parse(text: str) -> PiecewiseLinear:
    """The function of x that an expression describes, such as ``relu(x + 1) - 2*step(x - 0.5)``.

    It may hold numbers, ``x``, ``+ - * /`` with the usual precedence, brackets, products without a sign
    (``2x``, ``2(x + 1)``), and calls of the named functions with any expression inside: ``relu``, ``relu6``,
    ``abs``, ``max``, ``min``, ``step``, ``clip(e, lo, hi)``, ``leaky_relu(e, slope)``, ``clipped_relu(e, c)``,
    ``thresholded_relu(e, T)`` or ``thresholded_relu(e, T, keep)``, ``soft_threshold(e, lambda)``,
    ``hard_threshold(e, lambda)``, ``hard_tanh``; of x itself, with numbers only, ``rectified_linear(m, b)``,
    ``double_relu(m1, b1, m2, b2)`` and ``two_sided_relu(theta_pos, theta_neg, gamma_pos, gamma_neg)``. A name
    alone means that function of x. ``step(e)`` is ``1[e > 0]``; at the jump itself the result has its left
    limit, as in `PiecewiseLinear.compose`.

    Args:
        text: the expression, at most 100,000 characters, 50 nested brackets and 1000 kinks.

    Raises:
        HalfwaveError: if the text is no such expression; below the sentence the message repeats the
            expression with a caret under the place.

    >>> parse("2x + relu(-x - 1)")(-3.0)
    -4.0
    >>> parse("max(x, 0) - relu6").kinks
    array([6.])
    >>> parse("relu(x * x)")
    Traceback (most recent call last):
    ...
    halfwave.errors.HalfwaveError: the product of two functions of x is not piecewise linear
      relu(x * x)
             ^
    """
    if not isinstance(text, str):
        raise HalfwaveError(f"an expression must be a string; got {text!r}")
    return _Parser(text).whole()


class _Parser:
    """One method for each rule of the grammar; each leaves `_next` behind what it has read."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokenize(text)
        self._next = 0
        self._depth = 0

    def whole(self) -> PiecewiseLinear:
        if self._here.kind == "end":
            raise self._error(self._here, 'an expression must not be empty; write for example "relu(x) + 1"')
        value = self._sum()
        if self._here.kind != "end":
            raise self._error(self._here, self._why_not_here())
        return value if isinstance(value, PiecewiseLinear) else 0.0 * identity() + value

    def _sum(self) -> Value:
        total = self._product()
        while self._here.text in ("+", "-"):
            sign = self._take()
            term = self._product()
            total = self._apply(sign, lambda a, b: a + b, total, term if sign.text == "+" else -term)
        return total

    def _product(self) -> Value:
        value = self._signed()
        while True:
            sign = self._here
            if sign.text in ("*", "/"):
                self._take()
                first, factor = self._here, self._signed()
            elif sign.kind == "name" or sign.text == "(":
                first, factor = sign, self._operand()
            else:
                return value
            value = (
                self._quotient(first, value, factor) if sign.text == "/" else self._times(sign, value, factor)
            )

    def _signed(self) -> Value:
        negative = False
        while self._here.text in ("+", "-"):
            negative ^= self._take().text == "-"
        value = self._operand()
        return -value if negative else value

    def _operand(self) -> Value:
        token = self._take()
        if token.kind == "number":
            if math.isinf(float(token.text)):
                raise self._error(token, f"a number must be finite; got {_short(token.text)}")
            return float(token.text)
        if token.text == "(":
            return self._nested(token, self._sum)
        if token.text == "x":
            return identity()
        if token.kind == "name":
            return self._named(token)
        got = f"got `{token.text}`" if token.text else "the expression ends"
        raise self._error(token, f"here must stand a number, x, a function or `(`; {got}")

    def _named(self, token: Token) -> Value:
        name = token.text
        if name not in KNOWN:
            near = difflib.get_close_matches(name, ["x", *KNOWN], 1)
            hint = f"did you mean `{near[0]}`?" if near else f"known are x, {', '.join(KNOWN)}"
            raise self._error(token, f"`{_short(name)}` is no known name; {hint}")
        if self._here.text == "(":
            return self._call(token)
        if name in EXTREMES:
            raise self._error(token, f"`{name}` needs arguments; write {name}(x, 0)")
        if NAMED[name].parameters:
            raise self._error(token, f"`{name}` needs arguments; write {NAMED[name].call(name, 'x')}")
        return NAMED[name].make()

    def _call(self, token: Token) -> Value:
        arguments, form = self._nested(self._take(), lambda: self._arguments(token.text))
        if token.text in EXTREMES:
            return self._extreme(token, arguments)
        named = NAMED[token.text]
        count = len(arguments) + len(form)
        if not named.allows(count):
            expected = named.call(token.text)
            raise self._error(token, f"`{token.text}` is called as {expected}; got {_count(count)}")
        numbers = arguments[1:] if named.of_expression else arguments
        parameters = [self._parameter(named, token, i, *number) for i, number in enumerate(numbers)]
        # A function with one number can only fail at that number.
        place = numbers[0][0] if len(numbers) == 1 else token
        function = self._apply(place, named.make, *parameters, *form)
        if not named.of_expression or isinstance(function, float):
            return function
        return self._apply(token, _composition, function, arguments[0][1])

    def _arguments(self, name: str) -> tuple[list[Argument], list[str]]:
        """The arguments up to the closing bracket, and the form that may end those of thresholded_relu."""
        arguments: list[Argument] = []
        if self._here.text == ")":
            return arguments, []
        while True:
            arguments.append((self._here, self._sum()))
            if self._here.text != ",":
                return arguments, []
            self._take()
            if name in NAMED and NAMED[name].has_form and len(arguments) == 2:
                return arguments, [self._form()]

    def _form(self) -> str:
        token = self._take()
        if token.text not in FORMS:
            got = f"got `{_short(token.text)}`" if token.text else "the expression ends"
            raise self._error(token, f"the form of `thresholded_relu` is one of {', '.join(FORMS)}; {got}")
        return token.text

    def _parameter(self, named: Named, function: Token, index: int, first: Token, value: Value) -> float:
        if isinstance(value, float):
            return value
        name = named.parameters[index]
        raise self._error(first, f"`{name}` of `{function.text}` must be a number; got a function of x")

    def _extreme(self, token: Token, arguments: Sequence[Argument]) -> Value:
        if len(arguments) < 2:
            sentence = f"`{token.text}` needs at least two arguments; got {_count(len(arguments))}"
            raise self._error(token, sentence)
        choose = _maximum if token.text == "max" else _minimum
        return reduce(lambda a, b: self._apply(token, choose, a, b), (value for _, value in arguments))

    def _times(self, sign: Token, a: Value, b: Value) -> Value:
        if isinstance(a, PiecewiseLinear) and isinstance(b, PiecewiseLinear):
            raise self._error(sign, "the product of two functions of x is not piecewise linear")
        return self._apply(sign, lambda a, b: a * b, a, b)

    def _quotient(self, first: Token, a: Value, b: Value) -> Value:
        if isinstance(b, PiecewiseLinear):
            raise self._error(first, "a divisor must be a number; got a function of x")
        if b == 0:
            raise self._error(first, "a divisor must not be zero; got 0")
        return self._apply(first, lambda a, b: a / b, a, b)

    def _apply(self, token: Token, operation: Callable[..., Value], *values: Value | str) -> Value:
        """The result, a float if it is constant; its errors point at the token."""
        try:
            value = operation(*values)
        except HalfwaveError as error:
            raise self._error(token, str(error)) from error
        if isinstance(value, PiecewiseLinear) and not len(value.kinks) and not value.slopes.any():
            value = value(0.0)
        if isinstance(value, float) and not math.isfinite(value):
            raise self._error(token, f"a number must be finite; got {value!r} here")
        if isinstance(value, PiecewiseLinear) and len(value.kinks) > _MOST_KINKS:
            got = f"got {len(value.kinks)} here"
            raise self._error(token, f"an expression may have at most {_MOST_KINKS} kinks; {got}")
        return value

    def _nested(self, bracket: Token, rule: Callable[[], Inside]) -> Inside:
        """What the rule reads, up to the closing bracket."""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._error(
                bracket, f"at most {_DEEPEST} brackets may be nested; this one is inside as many"
            )
        result = rule()
        if self._here.kind == "end":
            raise self._error(bracket, "every `(` must be closed; this one is not")
        if self._here.text != ")":
            raise self._error(self._here, self._why_not_here())
        self._take()
        self._depth -= 1
        return result

    def _why_not_here(self) -> str:
        if self._here.text == ")":
            return "every `)` must have a `(` before it; this one has none"
        if self._here.text == ",":
            return "a comma must stand between the arguments of a function; this one does not"
        return f"before a number must stand an operator; got `{_short(self._here.text)}`"

    @property
    def _here(self) -> Token:
        return self._tokens[self._next]

    def _take(self) -> Token:
        token = self._here
        self._next = min(self._next + 1, len(self._tokens) - 1)
        return token

    def _error(self, token: Token, sentence: str) -> HalfwaveError:
        return error_at(self._text, token.position, sentence)


def _composition(outer: PiecewiseLinear, inner: Value) -> Value:
    return outer.compose(inner) if isinstance(inner, PiecewiseLinear) else outer(inner)


def _maximum(a: Value, b: Value) -> Value:
    if isinstance(a, PiecewiseLinear):
        return a.maximum(b)
    return b.maximum(a) if isinstance(b, PiecewiseLinear) else max(a, b)


def _minimum(a: Value, b: Value) -> Value:
    if isinstance(a, PiecewiseLinear):
        return a.minimum(b)
    return b.minimum(a) if isinstance(b, PiecewiseLinear) else min(a, b)


def _count(number: int) -> str:
    return f"{number} argument{'s' * (number != 1)}"


def _short(text: str) -> str:
    return text if len(text) <= 30 else f"{text[:30]}…"
