"""What a run says of itself: in lines for a terminal or a notebook."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from halfwave.runs.configuration import RunConfig

__all__ = ["announcement", "evaluation_lines", "layers", "measured", "started_as"]


def layers(config: RunConfig) -> str:
    """Both layers of a run, such as "Binary 8 × 8 with 64 DReLU hidden units"."""
    visible = f"{config.visible} {_times(config.visible_shape)}"
    return f"{visible} with {config.hidden_shape[0]} {config.hidden} hidden units"


def announcement(config: RunConfig, folder: object) -> str:
    """What is about to be trained, and where it is kept."""
    compiled = ", compiled" if config.compile else ""
    return (
        f"{layers(config)}, {config.updates:,} updates of {config.batch_size} samples and {config.chains} chains"
        f"{compiled}; results go to {folder}"
    )


def started_as(config: RunConfig, folder: object) -> list[str]:
    """How a run was started."""
    return [
        f"run {folder}: `{config.source}`, written by Halfwave {config.version}",
        f"{config.visible} {_times(config.visible_shape)} × {config.hidden} {_times(config.hidden_shape)}, "
        f"{config.optimizer} at {config.learning_rate:g} ({config.schedule}), batch {config.batch_size}, "
        f"{config.chains} chains, {config.steps} Gibbs step{'s' if config.steps > 1 else ''}, seed {config.seed}",
    ]


def measured(row: Mapping[str, float]) -> str:
    """The latest metrics, short enough for a line of 80 characters.

    >>> row = {"pseudolikelihood_train": -0.21, "free_energy_gap": math.nan, "reconstruction_error": 0.1}
    >>> measured({**row, "updates_per_second": 410.2})
    'log-pl -0.210 error 0.100 410/s'
    """
    parts = [("log-pl", "pseudolikelihood_train", ".3f"), ("gap", "free_energy_gap", ".2f")]
    parts += [("error", "reconstruction_error", ".3f")]
    shown = [f"{label} {row[key]:{form}}" for label, key, form in parts if not math.isnan(row[key])]
    return " ".join([*shown, f"{row['updates_per_second']:.0f}/s"])


def evaluation_lines(values: Mapping[str, Any]) -> list[str]:
    """The numbers of an evaluation, in sentences."""
    lines = []
    width = values["sandwich_width"]
    for name, label in (("held_out", "held-out"), ("train", "training")):
        likelihood, error = values[f"{name}_log_likelihood"], values[f"{name}_standard_error"]
        if likelihood is None:
            continue
        spread = f" ± {error:.2f}" if error is not None else ""
        baseline = values[f"independent_{name}"]
        lines.append(
            f"log-likelihood, {label} ({values[f'samples_{name}']:,} samples): {likelihood:.2f}{spread} "
            f"nats a sample (independent units: {baseline:.2f})"
        )
        if values[f"pseudolikelihood_{name}"] is not None:
            lines.append(
                f"log-pseudolikelihood, {label}: {values[f'pseudolikelihood_{name}']:.4f} nats a site"
            )
    if values["method"] == "enumeration":
        lines.append(f"log Z by enumeration: {values['log_partition_lower']:.4f} nats, exact")
    else:
        lines.append(
            f"log Z between {values['log_partition_lower']:.2f} ± {values['log_partition_lower_error']:.2f} "
            f"(forward annealing) and {values['log_partition_upper']:.2f} ± "
            f"{values['log_partition_upper_error']:.2f} (reverse): {width:.2f} nats wide"
        )
    return lines


def _times(shape: Sequence[int]) -> str:
    return " × ".join(str(size) for size in shape)
