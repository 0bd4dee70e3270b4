"""Separable least squares for a sum of hinges: the linear part solved exactly, the hinges moved by damped steps.

With z = (1, coordinates) the model is ``z · line + Σ_k weights[k] (z · forms[k])⁺``. Everything that a step needs
are the moments of the columns ``z`` and ``1[z · forms[k] > 0] z``; they are summed where the data lie (NumPy, or a
torch device), and the small systems are solved in NumPy.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from halfwave.fitting.several_variables.explicit_function import Matrix, Vector

__all__ = ["HingeProblem", "HingeState"]

_CHUNK = 1 << 22  # numbers of a matrix that is built at a time
_LOWEST, _WIDEST = 1e-9, 1e7  # damping
_RANK = 1e-13  # eigenvalues of moments below this fraction of the largest count as zero


@dataclass(frozen=True, slots=True)
class HingeState:
    """Forms (k, d + 1) of length 1, weights (k,), line (d + 1,), and the sum of squared residuals."""

    forms: Matrix
    weights: Vector
    line: Vector
    sse: float


@dataclass(frozen=True, slots=True)
class HingeProblem:
    """Rows z (n, d + 1) and heights u (n,), both times the square root of the weights; NumPy or torch."""

    rows: Any
    heights: Any

    @property
    def width(self) -> int:
        """d + 1."""
        return self.rows.shape[1]

    def solve(self, forms: Matrix) -> HingeState:
        """The best line and weights for given forms."""
        forms = forms / np.linalg.norm(forms, axis=1, keepdims=True)
        moments, pull = self._moments_of_terms(forms)
        solution = _least_squares(moments, pull)
        line, weights = solution[: self.width], solution[self.width :]
        sse = sum(float(r @ r) for _, r in self._residuals(forms, weights, line))
        return HingeState(forms, weights, line, sse)

    def descend(self, state: HingeState, steps: int, tolerance: float) -> HingeState:
        """Levenberg-Marquardt steps downhill, until none helps or gains less than a fraction of the sum."""
        if not len(state.forms):
            return state
        damping, taken = 1e-3, 0
        system = self._normal_equations(state)
        while taken < steps and damping <= _WIDEST:
            taken += 1
            matrix, gradient, scale = system
            change = np.linalg.solve(matrix + np.diag(damping * scale), gradient)
            tried = self.solve(state.forms + change.reshape(state.forms.shape))
            gain = state.sse - tried.sse
            if not gain > 0:
                damping *= 4
                continue
            state, damping = tried, max(damping / 5, _LOWEST)
            if gain <= tolerance * state.sse:
                break
            system = self._normal_equations(state)
        return state

    def residuals(self, state: HingeState) -> Vector:
        """Residuals (n,), times the square root of the weights, in NumPy."""
        parts = self._residuals(state.forms, state.weights, state.line)
        return np.concatenate([on_host(residuals) for _, residuals in parts])

    def _normal_equations(self, state: HingeState) -> tuple[Matrix, Vector, Vector]:
        """Kaufman's approximation: matrix and gradient of the forms after the linear part is projected out."""
        count, width = state.forms.shape
        moments, pull = self._moments_of_pieces(state)
        # Columns of the linear part in terms of pieces: z itself, and z · forms[k] on the side of each hinge.
        linear = np.zeros(((count + 1) * width, width + count))
        linear[:width, :width] = np.eye(width)
        for k, form in enumerate(state.forms):
            linear[(k + 1) * width : (k + 2) * width, width + k] = form
        weights = np.repeat(state.weights, width)
        inner = moments[width:, width:] * np.outer(weights, weights)
        cross = (linear.T @ moments[:, width:]) * weights
        projected = cross.T @ _least_squares(linear.T @ moments @ linear, cross)
        scale = np.diag(inner).copy()
        # A hinge without points or weight stays where it is.
        scale += 1e-12 * max(float(scale.max(initial=0.0)), np.finfo(np.float64).tiny)
        return inner - projected, pull[width:] * weights, scale

    def _moments_of_pieces(self, state: HingeState) -> tuple[Matrix, Vector]:
        """Moments of z and ``1[z · forms[k] > 0] z``, and their products with the residuals."""
        always = np.eye(
            1, self.width
        )  # z starts with a positive number: a hinge on whose side all points are
        forms = self._like(np.vstack((always, state.forms)))
        size = len(forms) * self.width
        moments, pull = np.zeros((size, size)), np.zeros(size)
        for rows, residuals in self._residuals(state.forms, state.weights, state.line):
            columns = ((rows @ forms.T > 0)[:, :, None] * rows[:, None, :]).reshape(len(rows), size)
            moments += on_host(columns.T @ columns)
            pull += on_host(columns.T @ residuals)
        return moments, pull

    def _moments_of_terms(self, forms: Matrix) -> tuple[Matrix, Vector]:
        """Moments of z and ``(z · forms[k])⁺``, and their products with the heights."""
        there, width = self._like(forms), self.width
        size = width + len(forms)
        moments, pull = np.zeros((size, size)), np.zeros(size)
        for part in self._chunks(size):
            rows, heights = self.rows[part], self.heights[part]
            inner = rows @ there.T
            terms = inner * (inner > 0)
            moments[:width, :width] += on_host(rows.T @ rows)
            moments[:width, width:] += on_host(rows.T @ terms)
            moments[width:, width:] += on_host(terms.T @ terms)
            pull[:width] += on_host(rows.T @ heights)
            pull[width:] += on_host(terms.T @ heights)
        moments[width:, :width] = moments[:width, width:].T
        return moments, pull

    def _residuals(self, forms: Matrix, weights: Vector, line: Vector) -> Iterator[tuple[Any, Any]]:
        there = [self._like(part) for part in (forms, weights, line)]
        for part in self._chunks((len(forms) + 1) * self.width):
            rows = self.rows[part]
            inner = rows @ there[0].T
            yield rows, self.heights[part] - rows @ there[2] - (inner * (inner > 0)) @ there[1]

    def _chunks(self, columns: int) -> Iterator[slice]:
        size = max(1, _CHUNK // columns)
        for begin in range(0, len(self.rows), size):
            yield slice(begin, begin + size)

    def _like(self, array: Matrix) -> Any:
        """The array where the data lie."""
        if isinstance(self.rows, np.ndarray):
            return array
        return self.rows.new_tensor(np.ascontiguousarray(array))


def on_host(array: Any) -> Any:
    """The array in NumPy."""
    return array if isinstance(array, np.ndarray) else array.cpu().numpy()


def _least_squares(moments: Matrix, pull: Matrix) -> Matrix:
    """The shortest solution of normal equations, whose columns may depend on each other."""
    scale = np.sqrt(np.maximum(np.diag(moments), 0.0))
    # A column that is nearly nothing stays so: blown up, its rounding errors would count as data.
    scale = np.maximum(scale, max(1e-9 * float(scale.max(initial=0.0)), 1e-150))
    sizes, vectors = np.linalg.eigh(moments / np.outer(scale, scale))
    inverse = np.where(sizes > _RANK * sizes[-1], 1 / np.where(sizes > 0, sizes, 1.0), 0.0)
    right = (pull.T / scale).T
    solution = (vectors * inverse) @ (vectors.T @ right)
    return (solution.T / scale).T
