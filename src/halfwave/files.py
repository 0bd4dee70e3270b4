"""Files are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from halfwave.errors import HalfwaveError

__all__ = ["write_atomically"]


def write_atomically(path: str | Path, content: bytes) -> None:
    """Write bytes so that at any moment ``path`` holds either the old or the new content, whole.

    The content goes to a temporary file in the same folder, is flushed to the disk, and renamed. If anything
    fails (a full disk, say) the temporary file is removed and the old file stays as it was.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
    except OSError as error:
        raise HalfwaveError(f"cannot write {path}: {error.strerror or error}") from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except OSError as error:
        Path(temporary).unlink(missing_ok=True)
        raise HalfwaveError(
            f"cannot write {path}: {error.strerror or error}; what was there before is intact"
        ) from error
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
