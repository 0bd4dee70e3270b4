"""Random units: layers of independent random variables with rectified and related potentials.

Parameters and inputs from another layer enter; energies, moments, samples and densities leave. Read `base` first, which
says what a unit is, then `drelu_family/drelu`.

>>> import torch
>>> unit = DReLU(theta_pos=torch.zeros(3), theta_neg=torch.zeros(3),
...              gamma_pos=torch.ones(3), gamma_neg=torch.ones(3))
>>> unit.sample_from_inputs(torch.zeros(10, 3), generator=torch.Generator().manual_seed(0)).shape
torch.Size([10, 3])
"""

from __future__ import annotations

from halfwave.errors import HalfwaveError
from halfwave.units.base import Unit as Unit
from halfwave.units.binary import Binary as Binary
from halfwave.units.drelu_family.drelu import DReLU as DReLU
from halfwave.units.drelu_family.nsrelu import NSReLU as NSReLU
from halfwave.units.drelu_family.prelu import PReLU as PReLU
from halfwave.units.drelu_family.xrelu import XReLU as XReLU
from halfwave.units.gaussian import Gaussian as Gaussian
from halfwave.units.numerics.memory import keep_freed_memory
from halfwave.units.potts import Potts as Potts
from halfwave.units.relu import ReLU as ReLU
from halfwave.units.spin import Spin as Spin

__all__ = [
    "UNITS",
    "Binary",
    "DReLU",
    "Gaussian",
    "NSReLU",
    "PReLU",
    "Potts",
    "ReLU",
    "Spin",
    "Unit",
    "XReLU",
    "unit_type",
]

keep_freed_memory()

UNITS: dict[str, type[Unit]] = {
    unit.__name__: unit for unit in (Binary, Spin, Potts, Gaussian, ReLU, DReLU, PReLU, XReLU, NSReLU)
}
"""Every unit by its name."""


def unit_type(name: str) -> type[Unit]:
    """The unit class of this name, whatever its capitals; `HalfwaveError` if there is none.

    >>> unit_type("drelu")
    <class 'halfwave.units.drelu_family.drelu.DReLU'>
    """
    for known, unit in UNITS.items():
        if known.lower() == name.lower():
            return unit
    raise HalfwaveError(f"unknown unit {name!r}; the units are {', '.join(UNITS)}")
