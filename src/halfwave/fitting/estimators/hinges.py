"""Sums of oblique hinges as an estimator."""

from __future__ import annotations

from typing import Any, ClassVar

from halfwave.fitting.estimators.base import ANYTHING, WHOLE_NUMBER, Constraint, ExplicitRegressor
from halfwave.fitting.several_variables.data import SurfaceFit, affordable_planes, checked_data
from halfwave.fitting.several_variables.explicit_function import Matrix, Vector
from halfwave.fitting.several_variables.hinge_sum import HingeSum
from halfwave.fitting.several_variables.hinges import fit_hinge_sum

__all__ = ["HingeRegressor"]


class HingeRegressor(ExplicitRegressor):
    """Regression by ``offset + slope · x + Σ_k w_k (m_k · x + b_k)⁺``; see `halfwave.fitting.fit_hinge_sum`.

    Args:
        terms: number of rectified terms; fewer where the data have fewer different points than such a sum has
            parameters.
        exchanges: number of exchanges of a term tried after the greedy start.
        random_state: seed of the candidates, a generator, or None.
        device: None computes in NumPy; "cpu" or "cuda" in torch.

    Attributes:
        function_: the fitted `HingeSum`.
        sse_: weighted sum of squared residuals of the fit.

    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=(200, 2))
    >>> model = HingeRegressor(terms=1).fit(x, np.abs(x[:, 0] - x[:, 1]))
    >>> round(model.score(x, np.abs(x[:, 0] - x[:, 1])), 9)
    1.0
    """

    constraints: ClassVar[dict[str, Constraint]] = {
        "terms": WHOLE_NUMBER,
        "exchanges": WHOLE_NUMBER,
        "random_state": ANYTHING,
        "device": Constraint(lambda v: v is None or isinstance(v, str), "None or the name of a torch device"),
    }

    function_: HingeSum

    def __init__(
        self, terms: int = 6, *, exchanges: int = 2, random_state: Any = 0, device: str | None = None
    ) -> None:
        self.terms = terms
        self.exchanges = exchanges
        self.random_state = random_state
        self.device = device

    def _fitted(self, x: Matrix, y: Vector, weights: Vector | None) -> SurfaceFit[HingeSum]:
        # Each term costs as many parameters as the plane.
        affordable = affordable_planes(checked_data(x, y, weights)) - 1
        return fit_hinge_sum(
            x,
            y,
            max(0, min(self.terms, affordable)),
            weights=weights,
            exchanges=self.exchanges,
            random_state=self.random_state,
            device=self.device,
        )
