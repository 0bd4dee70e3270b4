"""``python -m halfwave`` is the command ``halfwave``."""

from __future__ import annotations

from halfwave.cli import main

__all__: list[str] = []

if __name__ == "__main__":
    main()
