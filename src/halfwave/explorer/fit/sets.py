"""The data sets that come with the explorer, and one that is made up."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import as_file, files

import numpy as np
import numpy.typing as npt

from halfwave.datasets import load_columns
from halfwave.errors import HalfwaveError

__all__ = ["SETS", "BundledSet", "described_sets", "set_named"]

Vector = npt.NDArray[np.float64]
_MANY = 100_000


@dataclass(frozen=True, slots=True)
class BundledSet:
    """What a person is told of a data set, and the names of its two columns."""

    title: str
    x: str
    y: str
    source: str


SETS: dict[str, BundledSet] = {
    "nile": BundledSet("Flow of the Nile", "year", "flow", "Cobb (1978), 10⁸ m³ a year at Aswan"),
    "co2": BundledSet("CO₂ at Mauna Loa", "year", "co2", "Keeling and Whorf (2004), monthly means, ppm"),
    "sunspots": BundledSet("Sunspots", "year", "sunspots", "NOAA, yearly means"),
    "engel": BundledSet(
        "Food and income", "income", "food", "Engel (1857), Belgian households, francs a year"
    ),
    "many": BundledSet("100,000 points", "x", "y", "made up, with five kinks, to try out speed"),
}


def described_sets() -> list[dict[str, str]]:
    """Name, title, columns and source of each set.

    >>> described_sets()[0]["title"]
    'Flow of the Nile'
    """
    return [{"name": name, **asdict(known)} for name, known in SETS.items()]


@cache
def set_named(name: str) -> tuple[Vector, Vector]:
    """Abscissae and ordinates (n,) of a set.

    Raises:
        HalfwaveError: if no set has this name.

    >>> set_named("nile")[0][:2]
    array([1871., 1872.])
    """
    if name not in SETS:
        raise HalfwaveError(f"`set` must be one of {', '.join(SETS)}; got {name[:40]!r}")
    if name == "many":
        return _made_up()
    with as_file(files("halfwave.explorer.fit") / "sets" / f"{name}.csv") as path:
        x, y = load_columns(path, (SETS[name].x, SETS[name].y))
    return x, y


def _made_up() -> tuple[Vector, Vector]:
    random = np.random.default_rng(7)
    x = np.sort(random.uniform(0.0, 10.0, _MANY))
    turns = (1.0, -0.6), (2.5, 1.6), (4.5, -2.2), (6.0, 2.4), (8.5, -1.9)
    y = sum(turn * np.maximum(x - kink, 0.0) for kink, turn in turns) + 1.0
    return x, y + random.normal(0.0, 0.35, _MANY)
