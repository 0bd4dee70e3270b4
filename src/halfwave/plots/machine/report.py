"""Reports: one HTML file that needs nothing else, with figures, numbers and what they mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from torch import Tensor

from halfwave.files import write_atomically
from halfwave.plots.machine.comparison import samples as draw_samples
from halfwave.plots.machine.gallery import hidden_gallery
from halfwave.plots.machine.likelihood import log_likelihood
from halfwave.plots.machine.responses import hidden_units
from halfwave.plots.machine.training import learning_curves
from halfwave.plots.machine.weights import features
from halfwave.plots.machine.wording import Subject, facts
from halfwave.plots.numerals import duration, known
from halfwave.plots.page import details, facts_section, figure_section, page
from halfwave.plots.style import png
from halfwave.rbm.features import hidden_profiles, order_by_importance, standardised_weights
from halfwave.rbm.machine import RBM
from halfwave.units.potts import Potts

__all__ = ["run_figures", "run_report", "write_report"]

_PROFILES = 6
_GALLERY = 1000
"""Most hidden units drawn in the gallery."""


def write_report(
    path: str | Path,
    *,
    title: str,
    sentences: Sequence[str] = (),
    evaluation: Mapping[str, Any] | None = None,
    metrics: Mapping[str, Sequence[float]] | None = None,
    config: Mapping[str, Any] | None = None,
    figures: Mapping[str, Figure] | None = None,
    figures_folder: str | Path | None = None,
    subject: Subject | None = None,
) -> Path:
    """Write one HTML file with the figures inside; it opens offline, in light and dark, on a phone and on paper.

    Args:
        path: of the file; written whole or not at all.
        title: heading of the page.
        sentences: paragraphs under the heading.
        evaluation: numbers of `halfwave.rbm.evaluation.evaluate`, each of which gets its explanation; those that are
            None or absent, the reason. No section if the mapping itself is None.
        metrics: columns measured during training, for a table.
        config: how the run was started, for a table; may be nested.
        figures: by name; a figure's label is its description for those who cannot see it.
        figures_folder: where to write each figure as ``NAME.png`` too, if anywhere.
        subject: what the samples and sites are called.

    Returns:
        The path.

    Raises:
        HalfwaveError: if the file cannot be written.

    >>> import tempfile
    >>> path = write_report(tempfile.mkdtemp() + "/report.html", title="A run", sentences=["It went well."])
    >>> "<p>It went well.</p>" in path.read_text(encoding="utf-8")
    True
    """
    sections = []
    if evaluation is not None:
        sections.append(facts_section(facts(evaluation, subject or Subject())))
    for name, figure in (figures or {}).items():
        picture = png(figure)
        if figures_folder is not None:
            write_atomically(Path(figures_folder) / f"{name}.png", picture)
        sections.append(figure_section(name, figure, picture))
    sections.append(details(config or {}, metrics or {}))
    write_atomically(path, page(title, sentences, sections).encode())
    return Path(path)


def run_report(
    rbm: RBM,
    train: Tensor,
    held_out: Tensor,
    samples: Tensor,
    evaluation: Mapping[str, Any],
    metrics: Mapping[str, Sequence[float]],
    config: Mapping[str, Any],
    image_shape: Sequence[int] | None,
    path: str | Path,
) -> Path:
    """Draw everything about a trained machine, write the report, and each figure beside it as ``figures/NAME.png``.

    Args:
        rbm: the machine.
        train: training samples ``(n, *visible.shape)``, at least 1.
        held_out: held-out samples, may be empty.
        samples: samples of the machine, at least 1.
        evaluation: numbers of `halfwave.rbm.evaluation.evaluate`; any may be None or absent.
        metrics: columns measured during training; may be empty.
        config: how the run was started; ``source`` and ``description``, if there, appear in the heading.
        image_shape: ``(height, width)`` if the samples are images.
        path: of the HTML file.

    Returns:
        The path of the report.

    Raises:
        HalfwaveError: if arrays do not fit the machine, or a file cannot be written.

    >>> import tempfile, torch
    >>> from halfwave.units import Binary, DReLU
    >>> v = (torch.rand(9, 4) < 0.5).float()
    >>> machine = RBM(Binary(4), DReLU(2), torch.randn(4, 2))
    >>> path = run_report(machine, v, v[:0], v, {}, {}, {}, None, tempfile.mkdtemp() + "/report.html")
    >>> sorted(file.name for file in (path.parent / "figures").iterdir())
    ['features.png', 'hidden_units.png', 'samples.png']
    """
    return write_report(
        path,
        title=_title(rbm, config),
        sentences=_sentences(rbm, len(train), len(held_out), metrics, config, image_shape),
        evaluation=evaluation,
        metrics=metrics,
        config=config,
        figures=run_figures(rbm, train, samples, evaluation, metrics, image_shape),
        figures_folder=Path(path).parent / "figures",
        subject=Subject.of(rbm, image_shape),
    )


def run_figures(
    rbm: RBM,
    train: Tensor,
    samples: Tensor,
    evaluation: Mapping[str, Any],
    metrics: Mapping[str, Sequence[float]],
    image_shape: Sequence[int] | None = None,
) -> dict[str, Figure]:
    """The figures of the report by name, in its order; likelihood and learning curves only if they were measured.

    Args:
        rbm, train, samples, evaluation, metrics, image_shape: as for `run_report`.

    >>> import torch
    >>> from halfwave.units import Binary, DReLU
    >>> v = (torch.rand(9, 4) < 0.5).float()
    >>> list(run_figures(RBM(Binary(4), DReLU(2), torch.randn(4, 2)), v, v, {}, {}))
    ['samples', 'features', 'hidden_units']
    """
    categorical = isinstance(rbm.visible, Potts)
    colours = rbm.visible.shape[-1] if categorical else 1
    weights = standardised_weights(rbm, train)
    importance = weights.norm(dim=0)
    order = order_by_importance(importance)
    sample = "sample" if image_shape is None else "image"
    drawn = {"samples": draw_samples(train, samples, image_shape, categorical=categorical)}
    if {"train_log_likelihood", "held_out_log_likelihood"} & known(evaluation).keys():
        drawn["log_likelihood"] = log_likelihood(evaluation, rbm.visible.size // colours, sample)
    drawn["features"] = features(weights, order, importance, image_shape, colours=colours)
    drawn["hidden_units"] = hidden_units(hidden_profiles(rbm, train, order[:_PROFILES]))
    if rbm.hidden.size > _PROFILES:
        drawn["hidden_gallery"] = hidden_gallery(hidden_profiles(rbm, train, order[:_GALLERY], points=80))
    if len(metrics.get("update", ())):
        drawn["learning_curves"] = learning_curves(metrics)
    return drawn


def _title(rbm: RBM, config: Mapping[str, Any]) -> str:
    what = f"{rbm.hidden.size:,} {rbm.hidden.name} hidden units"
    return f"{Path(str(config['source'])).name}: {what}" if config.get("source") else f"A machine with {what}"


def _sentences(
    rbm: RBM,
    train: int,
    held_out: int,
    metrics: Mapping[str, Sequence[float]],
    config: Mapping[str, Any],
    image_shape: Sequence[int] | None,
) -> list[str]:
    sample = "samples" if image_shape is None else "images"
    sentences = [
        f"A restricted Boltzmann machine with {rbm.visible.size:,} {rbm.visible.name} visible and {rbm.hidden.size:,} "
        f"{rbm.hidden.name} hidden units, {rbm.weights.numel():,} weights between them, trained on {train:,} {sample}; "
        f"{f'{held_out:,} more were held out to test it' if held_out else 'none were held out'}."
    ]
    if len(metrics.get("update", ())):
        updates, seconds = int(metrics["update"][-1]), (metrics.get("seconds") or [None])[-1]
        took = f" in {duration(float(seconds))}" if seconds is not None else ""
        sentences.append(f"{updates:,} updates{took}." if updates else "It has not been trained yet.")
    if config.get("description"):
        sentences.append(str(config["description"]))
    return sentences
