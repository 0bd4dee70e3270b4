"""The functions that an expression may name, and how each is called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from halfwave.errors import HalfwaveError
from halfwave.functions import catalogue
from halfwave.functions.piecewise_linear import PiecewiseLinear

FORMS = ("subtract", "keep", "floor")  # of thresholded_relu
EXTREMES = ("max", "min")  # these take any number of expressions


@dataclass(frozen=True, slots=True)
class Named:
    """A function of an expression (or of x itself), its numeric parameters, and perhaps the name of a form."""

    make: Callable[..., PiecewiseLinear]
    parameters: tuple[str, ...] = ()
    of_expression: bool = True
    has_form: bool = False

    def call(self, name: str, argument: str = "e") -> str:
        """How it is written, for messages."""
        return f"{name}({', '.join([argument] * self.of_expression + [*self.parameters])})"

    def allows(self, count: int) -> bool:
        """Whether it may have so many arguments."""
        most = self.of_expression + len(self.parameters)
        return most <= count <= most + self.has_form


def _clip(lo: float, hi: float) -> PiecewiseLinear:
    if hi < lo:
        raise HalfwaveError(f"`hi` of clip must be at least `lo`; got lo = {lo!r}, hi = {hi!r}")
    return catalogue.identity().maximum(lo).minimum(hi)


NAMED = {
    "abs": Named(catalogue.absolute),
    "absolute": Named(catalogue.absolute),
    "clip": Named(_clip, ("lo", "hi")),
    "clipped_relu": Named(catalogue.clipped_relu, ("c",)),
    "double_relu": Named(catalogue.double_relu, ("m1", "b1", "m2", "b2"), of_expression=False),
    "hard_tanh": Named(catalogue.hard_tanh),
    "hard_threshold": Named(catalogue.hard_threshold, ("lambda",)),
    "identity": Named(catalogue.identity),
    "leaky_relu": Named(catalogue.leaky_relu, ("slope",)),
    "rectified_linear": Named(catalogue.rectified_linear, ("m", "b"), of_expression=False),
    "relu": Named(catalogue.relu),
    "relu6": Named(catalogue.clipped_relu),
    "soft_threshold": Named(catalogue.soft_threshold, ("lambda",)),
    "step": Named(catalogue.step),
    "thresholded_relu": Named(catalogue.thresholded_relu, ("T",), has_form=True),
    "two_sided_relu": Named(
        catalogue.two_sided_relu, ("theta_pos", "theta_neg", "gamma_pos", "gamma_neg"), of_expression=False
    ),
}
KNOWN = sorted([*NAMED, *EXTREMES])
