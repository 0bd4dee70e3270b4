"""The server answers its own page only, survives what it is sent, and ends when it is told to."""

from __future__ import annotations

import json
import re
import signal
import socket
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from explorer_cases import address_of, port_of, running, start

from halfwave.errors import HalfwaveError
from halfwave.explorer import export
from halfwave.explorer.server import page as page_module
from halfwave.explorer.server.page import WIDGET, script, static_text
from halfwave.explorer.server.serving import serve

client = pytest.importorskip("websockets.sync.client", reason="the server needs the extra `web`")
LARGEST_SCRIPT = 240 * 1024  # four rooms

STATIC = Path(page_module.__file__).parents[1] / "static"


def get(address: str, path: str = "/", **headers: str) -> tuple[int, dict[str, str], str]:
    connection = HTTPConnection(urlsplit(address).hostname or "", port_of(address), timeout=10)
    connection.putrequest("GET", path, skip_host="Host" in headers)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    response = connection.getresponse()
    body = response.read().decode()
    connection.close()
    return response.status, {name.lower(): value for name, value in response.getheaders()}, body


def test_page_and_policy(server: str) -> None:
    status, headers, body = get(server)
    assert status == 200
    assert 'id="halfwave-explorer"' in body
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert f"ws://127.0.0.1:{port_of(server)}" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert "server" not in headers
    assert get(server, "/explorer.js")[2] == script()


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8710", "127.0.0.1", "127.0.0.1.evil.example", ""]
)
def test_foreign_hosts_are_refused(server: str, host: str) -> None:
    for path in ("/", "/explorer.js", "/ws", "/nothing"):
        assert get(server, path, Host=host)[0] in (400, 403), path


@pytest.mark.parametrize("origin", ["http://evil.example", "https://127.0.0.1", "null"])
def test_foreign_origins_are_refused(server: str, origin: str) -> None:
    assert get(server, "/", Origin=origin)[0] == 403
    with pytest.raises(Exception, match="403"):
        client.connect(server.replace("http", "ws") + "ws", origin=origin)


@pytest.mark.parametrize(
    "path",
    ["/../page.py", "/static/../page.py", "/%2e%2e/page.py", "/..%2fpage.py", "//etc/passwd", "/page.py"],
)
def test_paths_lead_nowhere_else(server: str, path: str) -> None:
    assert get(server, path)[0] == 404


def test_two_conversations_survive_nonsense(server: str) -> None:
    address = server.replace("http", "ws") + "ws"
    question = json.dumps({"id": 1, "kind": "functions.parse", "payload": {"text": "relu(x)"}})
    with client.connect(address, origin=server.rstrip("/")) as one, client.connect(address) as other:
        for nonsense in ("{", b"\x00\xff", json.dumps({"id": 5}), "x" * 70_000):
            one.send(nonsense)
            assert "error" in json.loads(one.recv(timeout=10))
        for page in (one, other):
            page.send(question)
            assert json.loads(page.recv(timeout=10))["payload"]["terms"] == [[1.0, 1.0, 0.0]]
        one.send("x" * 42_000_000)
        with pytest.raises(Exception, match="1009"):
            one.recv(timeout=10)
        other.send(question)
        assert json.loads(other.recv(timeout=10))["id"] == 1


def test_taken_port_and_interrupt() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(HalfwaveError, match=f"port {port} is taken"):
            serve(port)
    with pytest.raises(HalfwaveError, match="from 0 to 65535; got 70000"):
        serve(70000)
    # with the default port taken, by this first server if by nobody else, the second takes a free one
    with running("--no-browser") as first:
        process = start("--no-browser")
        second = address_of(process)
        assert port_of(second) != port_of(first)
        with client.connect(second.replace("http", "ws") + "ws"):
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")
    assert output == "stopped\n"


def test_other_hosts_only_when_asked() -> None:
    process = start("--no-browser", "--host", "127.0.0.2", "--port", "0")
    assert process.stdout is not None
    address = re.findall(r"http://127\.0\.0\.2:\d+/", process.stdout.readline())[0]
    try:
        assert get(address)[0] == 200
        assert get(address, Host=f"127.0.0.1:{port_of(address)}")[0] == 403
        with pytest.raises(ConnectionRefusedError):
            get(address.replace("127.0.0.2", "127.0.0.1"))
    finally:
        process.terminate()
        process.communicate(timeout=20)
    for host, words in (("0.0.0.0", "the one address of this machine"), ("192.0.2.1", "no address of this")):
        with pytest.raises(HalfwaveError, match=words):
            serve(0, host=host)
    with pytest.raises(HalfwaveError, match="there is no file or folder `nowhere`"):
        serve(0, data="nowhere")


def test_address_opens_what_was_given(tmp_path: Path) -> None:
    for name, data in (("a flow.csv", "x,y\n1,2\n2,3\n"), ("other.csv", "x,y\n1,2\n2,3\n")):
        (tmp_path / name).write_text(data)
    for given, end in ((tmp_path / "a flow.csv", "#fit?file=a%20flow.csv"), (tmp_path, "#fit")):
        process = start("--no-browser", "--port", "0", str(given))
        assert process.stdout is not None
        line = process.stdout.readline()
        process.terminate()
        process.communicate(timeout=20)
        assert line.split()[4].endswith(f"/{end}"), line


def test_command_exports_and_serves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    output, errors = start("--export", str(path)).communicate(timeout=60)
    assert (output, errors) == (f"page: {path}\n", "")
    recorded = re.compile(r'(?<=id="halfwave-recorded">).*?(?=</script>)')
    page, again = (one.read_text(encoding="utf-8") for one in (path, export(tmp_path / "again.html")))
    assert recorded.sub("", page) == recorded.sub("", again)
    # the answers themselves may differ in their last digits
    questions = [[row[:2] for row in json.loads(recorded.findall(text)[0])] for text in (page, again)]
    assert questions[0] == questions[1]
    assert len(questions[0]) > 100


def test_export_refers_to_nothing_outside(tmp_path: Path) -> None:
    path = export(tmp_path / "new" / "page.html")
    html = path.read_text(encoding="utf-8")
    assert not re.findall(r"(?:src|href)=\"(?!data:,)", html)
    assert set(re.findall(r"https?://[^\s\"'`]*", html)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"^import |import\(", html, re.MULTILINE)
    assert "default-src 'none'" in html
    assert "unsafe" not in html
    with pytest.raises(HalfwaveError, match=r"exported as .html; got `page.txt`"):
        export(tmp_path / "page.txt")


def test_script_is_small_and_whole() -> None:
    program = script()
    assert len(program.encode()) < LARGEST_SCRIPT
    assert "</script" not in program
    declared = re.findall(
        r"^(?:export )?(?:async )?(?:function|class|const|let) (\w+)", program, re.MULTILINE
    )
    top_level = [
        name
        for file in sorted(STATIC.rglob("*.js"))
        if file.name != WIDGET
        for name in re.findall(
            r"^(?:export )?(?:async )?(?:function|class|const|let) (\w+)",
            static_text(file.relative_to(STATIC).as_posix()),
            re.MULTILINE,
        )
    ]
    assert len(top_level) == len(set(top_level)), "modules are joined: names at top level must differ"
    assert set(top_level) <= set(declared), "a module is not imported"
    for word in ("eval(", "new Function(", "innerHTML", "document.write", "fetch(", "XMLHttpRequest"):
        assert word not in program
