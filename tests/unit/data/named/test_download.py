"""The downloader against a real server on this machine: resume, cuts, lies and refusals."""

import contextlib
import hashlib
import http.server
import threading
from dataclasses import dataclass, field

import numpy as np
import pytest

from rote.core.errors import DownloadError
from rote.data.named.download import RemoteFile, fetch

pytestmark = pytest.mark.enable_socket

CONTENT = np.random.default_rng(0).integers(0, 256, 700_000, dtype=np.uint8).tobytes()
SIZE = len(CONTENT)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Behavior:
    """What the server does, and what it was asked."""

    content: bytes = CONTENT
    ranges: bool = True
    cut_after: int | None = None
    cuts: int = 10**9
    status: int = 0
    announce: bool = True
    stall: threading.Event | None = None
    asked: list = field(default_factory=list)


def handler_of(behavior):
    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            wanted = self.headers.get("Range")
            behavior.asked.append(wanted)
            if behavior.status:
                self.send_error(behavior.status, "Not\there")
                return
            start = 0
            if wanted and behavior.ranges:
                start = int(wanted.removeprefix("bytes=").removesuffix("-"))
                if start >= len(behavior.content):
                    self.send_error(416)
                    return
            body = behavior.content[start:]
            self.send_response(206 if start else 200)
            if behavior.announce:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if behavior.cut_after is not None and behavior.cuts > 0:
                behavior.cuts -= 1
                body = body[: behavior.cut_after]
            with contextlib.suppress(OSError):
                self.wfile.write(body)
            if behavior.stall is not None:
                self.wfile.flush()
                behavior.stall.wait(10)

    return Handler


@pytest.fixture
def serve(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    stack = contextlib.ExitStack()

    def start(behavior, *, size=SIZE, sha256=SHA256):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler_of(behavior))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        stack.callback(thread.join)
        stack.callback(server.server_close)
        stack.callback(server.shutdown)
        return RemoteFile(f"http://127.0.0.1:{server.server_port}/a.bin", size, sha256)

    with stack:
        yield start


def error_of(*args, **options):
    with pytest.raises(DownloadError) as caught:
        fetch(*args, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def names(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def test_download_once_then_from_the_cache(serve, tmp_path):
    behavior = Behavior()
    remote = serve(behavior)
    path = fetch(remote, tmp_path / "new/cache")
    assert path == tmp_path / "new/cache/a.bin"
    assert path.read_bytes() == CONTENT
    assert names(path.parent) == ["a.bin"]
    assert fetch(remote, path.parent) == path
    assert behavior.asked == [None]


def test_progress_counts_up_to_the_size(serve, tmp_path):
    seen = []
    fetch(serve(Behavior()), tmp_path, progress=lambda done, total: seen.append((done, total)))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1] == (len(CONTENT), len(CONTENT))


def test_a_part_is_resumed(serve, tmp_path):
    behavior = Behavior()
    (tmp_path / "a.bin.part").write_bytes(CONTENT[:1234])
    seen = []
    path = fetch(serve(behavior), tmp_path, progress=lambda done, _: seen.append(done))
    assert path.read_bytes() == CONTENT
    assert behavior.asked == ["bytes=1234-"]
    assert seen[0] > 1234


def test_a_complete_part_is_only_verified(serve, tmp_path):
    behavior = Behavior()
    (tmp_path / "a.bin.part").write_bytes(CONTENT)
    assert fetch(serve(behavior), tmp_path).read_bytes() == CONTENT
    assert behavior.asked == []


def test_a_part_that_is_too_long_is_dropped(serve, tmp_path):
    behavior = Behavior()
    (tmp_path / "a.bin.part").write_bytes(CONTENT + b"x")
    assert fetch(serve(behavior), tmp_path).read_bytes() == CONTENT
    assert behavior.asked == [None]


def test_a_server_without_ranges_starts_anew(serve, tmp_path):
    behavior = Behavior(ranges=False)
    (tmp_path / "a.bin.part").write_bytes(b"x" * 1000)
    assert fetch(serve(behavior), tmp_path).read_bytes() == CONTENT
    assert behavior.asked == ["bytes=1000-"]


@pytest.mark.parametrize("announce", [True, False])
def test_a_cut_connection_is_taken_up_again(serve, tmp_path, announce):
    behavior = Behavior(cut_after=300_000, cuts=2, announce=announce)
    assert fetch(serve(behavior), tmp_path).read_bytes() == CONTENT
    assert behavior.asked == [None, "bytes=300000-", "bytes=600000-"]


def test_many_cuts_are_an_error_and_the_next_call_goes_on(serve, tmp_path):
    behavior = Behavior(cut_after=100_000)
    remote = serve(behavior)
    message = error_of(remote, tmp_path)
    assert "stopped at 500,000 of 700,000 bytes" in message
    assert "run the same command again" in message
    assert names(tmp_path) == ["a.bin.part"]
    assert fetch(remote, tmp_path).read_bytes() == CONTENT
    assert behavior.asked[5] == "bytes=500000-"


def test_cuts_without_gain_end_soon(serve, tmp_path):
    behavior = Behavior(cut_after=0)
    assert "stopped at 0 of" in error_of(serve(behavior), tmp_path)
    assert len(behavior.asked) == 1


def test_a_silent_server_is_given_up(serve, tmp_path):
    stall = threading.Event()
    remote = serve(Behavior(cut_after=10, stall=stall))
    try:
        message = error_of(remote, tmp_path, timeout=0.2)
    finally:
        stall.set()
    assert "of 700,000 bytes (" in message
    assert "timed out" in message


def test_a_wrong_checksum_is_deleted(serve, tmp_path):
    remote = serve(Behavior(content=CONTENT[::-1]))
    message = error_of(remote, tmp_path)
    assert f"and {SHA256} is expected" in message
    assert "run the same command again" in message
    assert str(tmp_path / "a.bin") in message
    assert names(tmp_path) == []


def test_another_size_is_refused_before_it_is_fetched(serve, tmp_path):
    message = error_of(serve(Behavior(content=b"<html>log in</html>")), tmp_path)
    assert "offers 19 bytes and 700,000 are expected" in message
    assert names(tmp_path) == []


def test_too_many_unannounced_bytes_are_refused(serve, tmp_path):
    message = error_of(serve(Behavior(content=CONTENT * 20, announce=False)), tmp_path)
    assert "and 700,000 are expected" in message
    assert names(tmp_path) == []


def test_a_server_that_has_less_than_the_part_starts_anew(serve, tmp_path):
    behavior = Behavior(content=CONTENT[:500])
    (tmp_path / "a.bin.part").write_bytes(CONTENT[:600])
    assert "offers 500 bytes" in error_of(serve(behavior), tmp_path)
    assert behavior.asked == ["bytes=600-", None]


@pytest.mark.parametrize("status", [403, 404, 500])
def test_http_errors(serve, tmp_path, status):
    message = error_of(serve(Behavior(status=status)), tmp_path)
    assert f"(HTTP {status} Not\\there)" in message
    assert f"put the file at {tmp_path / 'a.bin'} by hand" in message


def test_no_server(serve, tmp_path, unused_port):
    remote = RemoteFile(f"http://127.0.0.1:{unused_port}/a.bin", 5, SHA256)
    message = error_of(remote, tmp_path)
    assert "cannot download" in message
    assert "check the network" in message
    assert f"put the file at {tmp_path / 'a.bin'} by hand" in message


@pytest.fixture
def unused_port():
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_file_by_hand_is_verified_without_the_network(tmp_path):
    remote = RemoteFile("http://127.0.0.1:1/a.bin", len(CONTENT), SHA256)
    (tmp_path / "a.bin").write_bytes(CONTENT)
    assert fetch(remote, tmp_path).read_bytes() == CONTENT
    (tmp_path / "a.bin").write_bytes(CONTENT[:-1] + b"?")
    message = error_of(remote, tmp_path)
    assert "has SHA-256" in message
    assert "delete it" in message
    assert (tmp_path / "a.bin").exists()


def test_a_cache_that_cannot_be_written(serve, tmp_path):
    (tmp_path / "file").touch()
    message = error_of(serve(Behavior()), tmp_path / "file")
    assert "ROTE_CACHE" in message
    (tmp_path / "a.bin.part").mkdir()
    assert "ROTE_CACHE" in error_of(serve(Behavior()), tmp_path)


def test_two_at_once_fetch_once(serve, tmp_path):
    behavior = Behavior()
    remote = serve(behavior)
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(fetch(remote, tmp_path))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [tmp_path / "a.bin"] * 2
    assert behavior.asked == [None]
