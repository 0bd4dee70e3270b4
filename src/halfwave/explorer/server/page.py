"""The page: its modules joined to one script, served in parts or written as one file."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from functools import cache
from importlib.resources import files
from pathlib import Path
from posixpath import dirname, join, normpath

from halfwave.errors import HalfwaveError
from halfwave.files import write_atomically

__all__ = ["PAGE", "WIDGET", "export", "page", "script", "static_text", "style"]

PAGE, WIDGET = "page.js", "widget.js"
_STYLES = tuple(f"styles/{name}.css" for name in ("explorer", "units", "fit", "machine"))
_IMPORT = re.compile(r'^import \{[^}]*\} from "(\.\.?/[a-z_/]+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?function|class|const)", re.MULTILINE)
_COMMENT = re.compile(r"^ *(?:/\*\*.*?\*/|//[^\n]*)\n", re.MULTILINE | re.DOTALL)
_INDENTATION = re.compile(r"^\s+", re.MULTILINE)
_LINKS = '<link rel="stylesheet" href="explorer.css">', '<script type="module" src="explorer.js"></script>'


def static_text(name: str) -> str:
    """The text of a file that comes with the package, such as ``fit/room.js``; names are ours, never a visitor's."""
    return (files("halfwave.explorer") / "static" / name).read_text(encoding="utf-8")


def script(entry: str = PAGE) -> str:
    """The modules that an entry needs as one ES module, each after those that it imports.

    Every module exports by declaration and imports by name from its neighbours, so that joining them is
    leaving out these words; names at top level differ between modules. Comments and indentation stay behind
    as well: a fifth of the size.
    """
    return _INDENTATION.sub("", _COMMENT.sub("", "".join(_modules(entry, entry, []))))


def style() -> str:
    """The style of the page and of all its rooms."""
    return _INDENTATION.sub("", "".join(static_text(name) for name in _STYLES))


def page() -> str:
    """The page as the server sends it, with its style and script in files of their own."""
    return static_text("index.html")


def export(path: str | Path) -> Path:
    """Write the page as one self-contained file that opens from disk, whole or not at all.

    Args:
        path: of the file; its suffix is .html.

    Returns:
        The path.

    Raises:
        HalfwaveError: if the suffix is another one or the file cannot be written.

    >>> import tempfile
    >>> export(tempfile.mkdtemp() + "/page.html").name
    'page.html'
    """
    path = Path(path)
    if path.suffix != ".html":
        raise HalfwaveError(f"the explorer is exported as .html; got `{path.name}`")
    write_atomically(path, _self_contained().encode())
    return path


def _self_contained() -> str:
    own_style, program = style(), script()
    policy = (
        f"default-src 'none'; script-src {_hash(program)}; style-src {_hash(own_style)}; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
    html = page().replace(
        '<meta charset="utf-8">',
        f'<meta charset="utf-8">\n<meta http-equiv="Content-Security-Policy" content="{policy}">',
    )
    data = f'<script type="application/json" id="halfwave-recorded">{_recorded()}</script>'
    inline = f"<style>{own_style}</style>", f'{data}\n<script type="module">{program}</script>'
    for link, content in zip(_LINKS, inline, strict=True):
        html = html.replace(link, content)
    return html


@cache
def _recorded() -> str:
    """Questions with their answers as JSON that may stand inside a page."""
    # here, so that a page can be served without the rooms that it does not enter
    from halfwave.explorer.server.answers import answer_of, recorded
    from halfwave.explorer.session.session import Session

    session = Session()
    try:
        rows = [[kind, payload, answer_of(kind)(session, payload)] for kind, payload in recorded()]
    finally:
        session.close()
    text = json.dumps(rows, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _modules(name: str, entry: str, done: list[str]) -> list[str]:
    """The texts of a module and of those it imports, without those already done."""
    done.append(name)
    source = static_text(name)
    texts: list[str] = []
    for path in _IMPORT.findall(source):
        needed = normpath(join(dirname(name), path))
        if needed not in done:
            texts += _modules(needed, entry, done)
    own = _IMPORT.sub("", source)
    return [*texts, own if name == entry else _EXPORT.sub("", own)]
