"""How numbers, sums of terms and cases are written: in plain text, and in LaTeX."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from halfwave.errors import HalfwaveError
from halfwave.functions.relu_terms import Term

_INFINITY = float("inf")


@dataclass(frozen=True, slots=True)
class Plain:
    """Text that `parse` reads back, with a name for the variable and some or all (None) significant digits."""

    variable: str = "x"
    digits: int | None = None

    at_most: ClassVar[str] = "<="
    otherwise: ClassVar[str] = "inf otherwise"

    def __post_init__(self) -> None:
        whole = isinstance(self.digits, int) and not isinstance(self.digits, bool)
        if self.digits is not None and not (whole and self.digits >= 1):
            raise HalfwaveError(
                f"`digits` must be a whole number of at least 1, or None; got {self.digits!r}"
            )

    def sum(self, terms: Sequence[Term]) -> str:
        """The terms with their signs between them; 0 if there are none."""
        text = ""
        for term in terms:
            weight = self._round(term.weight)
            if weight == 0:
                continue
            one = self._positive(abs(weight), term)
            sign = "-" if weight < 0 else "+"
            text += f" {sign} {one}" if text else one if weight > 0 else f"-{one}"
        return text or "0"

    def interval(self, start: float, end: float, *, closed: bool = False) -> str:
        """The condition ``start < x ≤ end``, or ``start ≤ x ≤ end``; empty for the whole line."""
        first = f"{self._limit(start)} {self.at_most if closed else '<'} " if start > -_INFINITY else ""
        last = f" {self.at_most} {self._limit(end)}" if end < _INFINITY else ""
        if first and not last:
            return f"{self.variable} > {self._limit(start)}"
        return f"{first}{self.variable}{last}" if last else ""

    def cases(self, rows: Sequence[tuple[str, str]], *, rest: bool = False) -> str:
        """Values with the conditions under which they hold, and infinity for the rest if there is one."""
        texts = [f"{value} if {when}" if when else value for value, when in rows]
        return ", ".join([*texts, self.otherwise] if rest else texts)

    def number(self, value: float) -> str:
        """The shortest text that reads back as the same float; whole numbers without a point."""
        return repr(float(value)).removesuffix(".0")

    def times(self, factor: float, body: str) -> str:
        """A product."""
        return f"{self.number(factor)}*{body}"

    def relu(self, inner: str) -> str:
        """The positive part."""
        return f"relu({inner})"

    def step(self, inner: str, at: str) -> str:
        """The indicator of ``inner > 0``, for a line of slope 1 with its zero at `at`."""
        return f"step({inner})"

    def brackets(self, inner: str) -> str:
        """A sum as a factor."""
        return f"({inner})"

    def _positive(self, size: float, term: Term) -> str:
        if term.kind == "constant":
            return self.number(size)
        body = self._body(term)
        return body if size == 1 else self.times(size, body)

    def _body(self, term: Term) -> str:
        if term.kind == "square":
            return f"{self.variable}^2"
        if (term.kind, term.slope, term.intercept) == ("line", 1, 0):
            return self.variable
        inner = self.sum([Term(term.slope, "line"), Term(term.intercept)])
        if term.kind == "relu":
            return self.relu(inner)
        return self.step(inner, self._limit(-term.intercept)) if term.kind == "step" else self.brackets(inner)

    def _limit(self, value: float) -> str:
        return self.number(self._round(value) + 0.0)

    def _round(self, value: float) -> float:
        return value if self.digits is None else float(f"{value:.{self.digits}g}")


@dataclass(frozen=True, slots=True)
class Latex(Plain):
    """LaTeX for mathematics mode."""

    at_most: ClassVar[str] = r"\le"
    otherwise: ClassVar[str] = r"\infty & \text{otherwise}"

    def cases(self, rows: Sequence[tuple[str, str]], *, rest: bool = False) -> str:
        """A cases environment, unless there is one case only."""
        if len(rows) == 1 and not rest:
            return rows[0][0]
        texts = [f"{value} & {when}" for value, when in rows]
        inside = r" \\ ".join([*texts, self.otherwise] if rest else texts)
        return rf"\begin{{cases}} {inside} \end{{cases}}"

    def number(self, value: float) -> str:
        """The shortest digits, with a power of ten where Python writes an exponent."""
        mantissa, _, exponent = repr(float(value)).removesuffix(".0").partition("e")
        return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if exponent else mantissa

    def times(self, factor: float, body: str) -> str:
        """A product, written side by side where no two numbers meet."""
        return f"{self.number(factor)} {body}"

    def relu(self, inner: str) -> str:
        """The positive part as ``(…)⁺``."""
        return f"{inner}^{{+}}" if inner == self.variable else f"{self.brackets(inner)}^{{+}}"

    def step(self, inner: str, at: str) -> str:
        """The indicator of ``inner > 0``, with its condition solved for the variable."""
        return rf"\mathbf{{1}}\left[{self.variable} > {at}\right]"

    def brackets(self, inner: str) -> str:
        """A sum as a factor."""
        return rf"\left({inner}\right)"
