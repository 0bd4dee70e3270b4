"""What the person gave on the command line: the only files that a page can open, and only by their names."""

from __future__ import annotations

from pathlib import Path

from halfwave.errors import HalfwaveError

__all__ = ["Shelf"]

_TABLES = (".csv", ".tsv", ".txt", ".npz", ".parquet")
_MACHINE = "model.safetensors"
_MOST = 500


class Shelf:
    """A data file, the folder of a run, or a folder that holds any of these.

    Args:
        path: of the file or folder; without it the shelf is empty.

    Raises:
        HalfwaveError: if there is nothing at the path, or nothing there that can be opened.

    >>> Shelf().data_files()
    []
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "flow.csv").write_text("x,y\\n1,2\\n")
    >>> Shelf(folder).data_files()
    ['flow.csv']
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self._data: dict[str, Path] = {}
        self._runs: dict[str, Path] = {}
        if path is None:
            return
        path = Path(path)
        if not path.exists():
            raise HalfwaveError(f"there is no file or folder `{path}`")
        self._root = path.resolve() if path.is_dir() else path.resolve().parent
        self._take(path)
        if not self._data and not self._runs:
            raise HalfwaveError(
                f"the explorer opens a table ({', '.join(_TABLES)}, or .gz of one), the folder of a run, or a folder "
                f"of these; `{path}` is none"
            )

    def data_files(self) -> list[str]:
        """Names of the tables, sorted."""
        return sorted(self._data)

    def data_file(self, name: str) -> Path:
        """The path of the table with this name.

        Raises:
            HalfwaveError: if no table here has this name.
        """
        return self._found(self._data, name, "table")

    def runs(self) -> list[str]:
        """Names of the run folders, sorted."""
        return sorted(self._runs)

    def run(self, name: str) -> Path:
        """The path of the run folder with this name.

        Raises:
            HalfwaveError: if no run folder here has this name.
        """
        return self._found(self._runs, name, "run")

    def _take(self, path: Path) -> None:
        """Put down what the path is, or what lies directly in it."""
        if _is_run(path):
            self._runs[path.resolve().name] = path
        elif _is_table(path):
            self._data[path.name] = path
        elif path.is_dir():
            for inner in sorted(path.iterdir())[:_MOST]:
                if self._leads_inside(inner) and (_is_run(inner) or _is_table(inner)):
                    self._take(inner)

    def _leads_inside(self, path: Path) -> bool:
        return path.resolve().is_relative_to(self._root)

    def _found(self, known: dict[str, Path], name: str, what: str) -> Path:
        # a name is looked up, never joined to a path
        path = known.get(name)
        if path is None:
            names = ", ".join(f"`{known_name}`" for known_name in sorted(known)) or "none"
            raise HalfwaveError(f"there is no {what} `{name[:60]}` here; there is {names}")
        if not self._leads_inside(path):
            raise HalfwaveError(f"`{name}` leads out of the folder that was given")
        return path


def _is_run(path: Path) -> bool:
    return path.is_dir() and (path / _MACHINE).is_file()


def _is_table(path: Path) -> bool:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    last = suffixes[-2:-1] if suffixes[-1:] == [".gz"] else suffixes[-1:]
    return path.is_file() and bool(last) and last[0] in _TABLES
