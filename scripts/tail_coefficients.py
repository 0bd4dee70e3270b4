"""Computes the rational approximations in ``src/halfwave/units/numerics/coefficients.py`` with 60-digit arithmetic.

Two functions of one variable are approximated by interpolation at Chebyshev nodes, which is close to the
best uniform fit:

* the continued-fraction tail ``c(x) = 1/(x + 3/(x + 4/(x + …)))`` of the normal distribution, for ``x ≥ 0``,
  as ``s·P(s)/Q(s)`` with ``s = 4/(x + 4)``;
* the normal quantile ``z(w)`` that solves ``erfc(z/√2) = exp(−w)``, for ``0 ≤ w ≤ 38``, as ``w·P(w)/Q(w)``.

Run ``python scripts/tail_coefficients.py > src/halfwave/units/numerics/coefficients.py`` (needs mpmath, half a minute).
"""

from __future__ import annotations

from collections.abc import Callable

from mpmath import cos, erfc, exp, log, lu_solve, matrix, mp, mpf, pi, sqrt

mp.dps = 60
SCALE = mpf(4)
LARGEST_EXPONENT = mpf(38)


def continued_fraction(x: mpf, first: int) -> mpf:
    """1/(x + first/(x + (first + 1)/(x + …))) by backward recurrence; converges fast for x > 60."""
    tail = mpf(0)
    for n in range(400, first - 1, -1):
        tail = n / (x + tail)
    return 1 / (x + tail)


def tail(x: mpf) -> mpf:
    """c(x), from the complementary error function where the continued fraction would be slow."""
    if x > 60:
        return continued_fraction(x, 3)
    mills = sqrt(pi / 2) * erfc(x / sqrt(2)) * exp(x * x / 2)
    excess = 1 / mills - x
    return (1 / excess - x) / 2


def quantile(w: mpf) -> mpf:
    """z with erfc(z/√2) = exp(−w), by Newton's method on the logarithm."""
    z = sqrt(pi / 2) * w / sqrt(1 + pi * w / 4)
    for _ in range(12):
        survival = erfc(z / sqrt(2))
        hazard = sqrt(2 / pi) * exp(-z * z / 2) / survival
        z += (log(survival) + w) / hazard
    return z


def interpolate(function: Callable[[mpf], mpf], nodes: list[mpf], degree: int) -> tuple[list[mpf], list[mpf]]:
    """Numerator and denominator (constant term 1) of degree ``degree`` that pass through all nodes."""
    size = 2 * degree + 1
    system, values = matrix(size, size), matrix(size, 1)
    for row, node in enumerate(nodes):
        value = function(node)
        for power in range(degree + 1):
            system[row, power] = node**power
        for power in range(1, degree + 1):
            system[row, degree + power] = -value * node**power
        values[row] = value
    solution = lu_solve(system, values)
    numerator = [solution[i] for i in range(degree + 1)]
    return numerator, [mpf(1)] + [solution[degree + i] for i in range(1, degree + 1)]


def nodes(low: mpf, high: mpf, count: int) -> list[mpf]:
    """Chebyshev nodes of [low, high]."""
    middle, half = (low + high) / 2, (high - low) / 2
    return [middle + half * cos(pi * (2 * j + 1) / (2 * count)) for j in range(count)]


def worst(function: Callable[[mpf], mpf], fit: tuple[list[mpf], list[mpf]], low: mpf, high: mpf) -> float:
    """Largest relative error of the fit on 997 points inside the interval."""
    largest = mpf(0)
    for i in range(1, 998):
        x = low + (high - low) * i / 998
        top = sum(a * x**k for k, a in enumerate(fit[0]))
        bottom = sum(a * x**k for k, a in enumerate(fit[1]))
        largest = max(largest, abs(top / bottom / function(x) - 1))
    return float(largest)


def table(name: str, fit: tuple[list[mpf], list[mpf]], error: float) -> str:
    """One Python constant: (numerator, denominator), highest power first, as Horner's rule reads them."""
    lines = [f"# largest relative error {error:.1e}", f"{name} = ("]
    for part in fit:
        lines += ["    ("] + [f"        {float(value)!r}," for value in reversed(part)] + ["    ),"]
    return "\n".join([*lines, ")"])


def main() -> None:
    print('"""Rational approximations written by ``scripts/tail_coefficients.py``; do not edit by hand."""\n')
    print("from __future__ import annotations\n")
    print("# c(x) = s·P(s)/Q(s), s = TAIL_SCALE/(x + TAIL_SCALE); z(w) = w·P(w)/Q(w); highest power first.")
    print(f"TAIL_SCALE = {float(SCALE)!r}")

    def scaled_tail(s: mpf) -> mpf:
        return tail(SCALE / s - SCALE) / s

    def scaled_quantile(w: mpf) -> mpf:
        return quantile(w) / w

    zero, one = mpf(0), mpf(1)
    for name, degree in (("TAIL_SINGLE", 5), ("TAIL_DOUBLE", 10)):
        fit = interpolate(scaled_tail, nodes(zero, one, 2 * degree + 1), degree)
        print(table(name, fit, worst(scaled_tail, fit, zero, one)))
    # nodes crowded towards zero: most draws fall there, and the function bends most there
    crowded = [LARGEST_EXPONENT * node ** mpf("2.5") for node in nodes(zero, one, 13)]
    fit = interpolate(scaled_quantile, crowded, 6)
    print(table("QUANTILE_SINGLE", fit, worst(scaled_quantile, fit, zero, LARGEST_EXPONENT)))


if __name__ == "__main__":
    main()
