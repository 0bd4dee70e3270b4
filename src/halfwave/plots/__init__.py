"""Figures: one function per figure, and the report that holds them all.

What the other rooms return enters; figures and pages leave. Read `style` first, then `functions/function`. Every
function returns a `matplotlib.figure.Figure` that belongs to no display; `save_figure` writes it.

>>> figure = learning_curves({"update": [0, 100], "free_energy_gap": [0.0, 0.3]})
>>> figure.axes[1].get_ylabel()
'nats per sample'
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from halfwave.plots.audit.distributions import audit_distributions as audit_distributions
from halfwave.plots.audit.report import write_audit_report as write_audit_report
from halfwave.plots.audit.units import audit_dead_units as audit_dead_units
from halfwave.plots.audit.units import audit_firing_rates as audit_firing_rates
from halfwave.plots.fit.animation import gradient_animation as gradient_animation
from halfwave.plots.fit.fit import fit as fit
from halfwave.plots.fit.fit import gradient_path as gradient_path
from halfwave.plots.fit.surface import creases as creases
from halfwave.plots.fit.surface import surface as surface
from halfwave.plots.fit.surface import surface_panel as surface_panel
from halfwave.plots.functions.family import family as family
from halfwave.plots.functions.family import thresholded_forms as thresholded_forms
from halfwave.plots.functions.function import antiderivative_panel as antiderivative_panel
from halfwave.plots.functions.function import compare as compare
from halfwave.plots.functions.function import derivative_panel as derivative_panel
from halfwave.plots.functions.function import function as function
from halfwave.plots.functions.function import function_panel as function_panel
from halfwave.plots.machine.comparison import samples as samples
from halfwave.plots.machine.likelihood import log_likelihood as log_likelihood
from halfwave.plots.machine.training import learning_curves as learning_curves
from halfwave.plots.machine.weights import features as features
from halfwave.plots.saving import SavedPicture as SavedPicture
from halfwave.plots.saving import save_picture as save_picture
from halfwave.plots.style import save_figure as save_figure

if TYPE_CHECKING:
    from halfwave.plots.machine.gallery import hidden_gallery as hidden_gallery
    from halfwave.plots.machine.report import run_report as run_report
    from halfwave.plots.machine.report import write_report as write_report
    from halfwave.plots.machine.responses import hidden_units as hidden_units
    from halfwave.plots.units.drelu import density_panel as density_panel
    from halfwave.plots.units.drelu import drelu_grid as drelu_grid
    from halfwave.plots.units.drelu import drelu_panels as drelu_panels
    from halfwave.plots.units.transfer import unit_mean_and_mode as unit_mean_and_mode

# torch is imported when one of these is first asked for
_LATER = {
    "density_panel": "units.drelu",
    "drelu_grid": "units.drelu",
    "drelu_panels": "units.drelu",
    "hidden_gallery": "machine.gallery",
    "hidden_units": "machine.responses",
    "run_report": "machine.report",
    "unit_mean_and_mode": "units.transfer",
    "write_report": "machine.report",
}

__all__ = [
    "SavedPicture",
    "antiderivative_panel",
    "audit_dead_units",
    "audit_distributions",
    "audit_firing_rates",
    "compare",
    "creases",
    "density_panel",
    "derivative_panel",
    "drelu_grid",
    "drelu_panels",
    "family",
    "features",
    "fit",
    "function",
    "function_panel",
    "gradient_animation",
    "gradient_path",
    "hidden_gallery",
    "hidden_units",
    "learning_curves",
    "log_likelihood",
    "run_report",
    "samples",
    "save_figure",
    "save_picture",
    "surface",
    "surface_panel",
    "thresholded_forms",
    "unit_mean_and_mode",
    "write_audit_report",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(importlib.import_module(f"halfwave.plots.{_LATER[name]}"), name)
    raise AttributeError(f"module 'halfwave.plots' has no attribute {name!r}")
