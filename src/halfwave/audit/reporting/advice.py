"""What usually helps, by the kind of rectifier and the side of its kinks on which the units are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from halfwave.audit.reporting.layer import LayerReport

__all__ = ["BELOW", "LINEAR", "ON", "dead_advice", "saturated_advice"]

Flags = npt.NDArray[np.bool_]

ON = (
    "Usually an initialisation or biases that are too large and positive, or inputs that are not centred: start "
    "biases at 0 and weights with mean 0, normalise the layer's input, or shift the rectifier."
)
"""For units that are always above their kink."""

BELOW = {
    "leaky": (
        "They are always in the leaky branch, where the unit only scales its input: usually biases that are strongly "
        "negative, a learning rate that is too high, or inputs that are not centred: start biases at 0, lower the "
        "learning rate, or normalise before the rectifier."
    ),
    "two-sided": (
        "Their inputs always lie beyond one of the two thresholds: usually biases that are large and negative, or "
        "inputs that are not centred: start biases at 0, normalise the layer's input, or move the thresholds."
    ),
}
"""Kind of rectifier → advice for units that are always below their lower kink, and yet answer to their input."""

LINEAR = (
    "Their inputs are small against the limits, so that the activation changes nothing: scale the layer's input or "
    "weights up, or bring the limits nearer; where that is meant, the activation can go."
)
"""For units that are always between their limits."""


def dead_advice(layer: LayerReport, units: Flags) -> str:
    """What usually helps dead units that are below their kink."""
    if layer.thresholded:
        return "Their inputs stay below the threshold: lower it for these channels, or remove them."
    if layer.kind == "soft":
        return "They sit where the slope is almost zero: normalise their inputs or lower the learning rate."
    # the range counts every input, the deviation perhaps one of eight; one input never varies
    constant = layer.min_before[units] == layer.max_before[units]
    if layer.elements > 1 and np.mean(constant) > 0.5:
        return "Their inputs do not vary at all: look for zero weights or a dead layer before this one."
    sign = "positive" if layer.upper is not None and bool(np.all(np.isposinf(layer.upper))) else "negative"
    return (
        f"Usually a learning rate that is too high, or strongly {sign} biases: lower it or warm up, give the dead "
        "units new weights with hw.audit.revive, put a normalisation before the rectifier, or use a leaky one."
    )


def saturated_advice(layer: LayerReport, units: Flags) -> str:
    """What usually helps units that are beyond a limit."""
    above = float(np.nanmean(layer.rate_above[units]))
    cure = "normalise their inputs or scale them down"
    if above > 0.9:
        return f"They sit above the upper limit: {cure}, lower the biases, or raise the limit."
    if above < 0.1:
        return f"They sit below the lower limit: {cure}, raise the biases, or lower the limit."
    return f"They sit beyond both limits: {cure}, start from smaller weights, or widen the limits."
