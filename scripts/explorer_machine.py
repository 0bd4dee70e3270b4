"""Trains the machine that the explorer brings along, with the default command, and writes it into the package.

    python scripts/explorer_machine.py

It writes ``src/halfwave/explorer/machine/machines/digits``: a run folder without the state of the training (which
another 220 kB would take), so that it opens as every run does.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "src" / "halfwave" / "explorer" / "machine" / "machines" / "digits"
COMMAND = Path(sys.executable).with_name("halfwave")
FILES = ("config.json", "model.safetensors", "evaluation.json")


def main() -> None:
    """Train and copy."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "digits"
        command = [COMMAND, "train", "digits", "--device", "cpu", "--run", str(run)]
        subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
        TARGET.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            shutil.copyfile(run / name, TARGET / name)
    print(f"{TARGET}: {sum((TARGET / name).stat().st_size for name in FILES)} bytes")


if __name__ == "__main__":
    main()
