"""Figures: one function per figure, and the report that holds them all.

Every function draws what the other rooms return, and returns a `matplotlib.figure.Figure` that belongs to no
display; `save_figure` writes it.

>>> figure = learning_curves({"update": [0, 100], "free_energy_gap": [0.0, 0.3]})
>>> figure.axes[1].get_ylabel()
'nats per sample'
"""

from __future__ import annotations

from halfwave.plots.animation import gradient_animation as gradient_animation
from halfwave.plots.audit import audit_distributions as audit_distributions
from halfwave.plots.audit_report import write_audit_report as write_audit_report
from halfwave.plots.audit_units import audit_dead_units as audit_dead_units
from halfwave.plots.audit_units import audit_firing_rates as audit_firing_rates
from halfwave.plots.comparison import samples as samples
from halfwave.plots.drelu import density_panel as density_panel
from halfwave.plots.drelu import drelu_grid as drelu_grid
from halfwave.plots.drelu import drelu_panels as drelu_panels
from halfwave.plots.family import family as family
from halfwave.plots.family import thresholded_forms as thresholded_forms
from halfwave.plots.fit import fit as fit
from halfwave.plots.fit import gradient_path as gradient_path
from halfwave.plots.functions import antiderivative_panel as antiderivative_panel
from halfwave.plots.functions import compare as compare
from halfwave.plots.functions import derivative_panel as derivative_panel
from halfwave.plots.functions import function as function
from halfwave.plots.functions import function_panel as function_panel
from halfwave.plots.gallery import hidden_gallery as hidden_gallery
from halfwave.plots.likelihood import log_likelihood as log_likelihood
from halfwave.plots.report import run_report as run_report
from halfwave.plots.report import write_report as write_report
from halfwave.plots.responses import hidden_units as hidden_units
from halfwave.plots.saving import SavedPicture as SavedPicture
from halfwave.plots.saving import save_picture as save_picture
from halfwave.plots.style import save_figure as save_figure
from halfwave.plots.surface import creases as creases
from halfwave.plots.surface import surface as surface
from halfwave.plots.surface import surface_panel as surface_panel
from halfwave.plots.training import learning_curves as learning_curves
from halfwave.plots.transfer import unit_mean_and_mode as unit_mean_and_mode
from halfwave.plots.weights import features as features

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
