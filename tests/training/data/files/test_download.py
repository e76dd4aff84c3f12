"""Downloads from a faulty server: only a file with the right checksum is kept, and errors say what happened."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from training.data.files.download import Remote, fetch

CONTENT = bytes(range(256)) * 40
MD5 = hashlib.md5(CONTENT).hexdigest()


class FaultyServer(BaseHTTPRequestHandler):
    """A server whose paths name the fault that it answers with."""

    release = threading.Event()
    asked: list[str] = []  # noqa: RUF012 - shared on purpose: the tests count requests

    def do_GET(self):
        self.asked.append(self.path)
        kind = self.path.strip("/").split("/")[0]
        self.send_response(404 if kind == "missing" else 200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        if kind == "stall":
            self.wfile.write(CONTENT[:100])
            self.wfile.flush()
            self.release.wait(10)
        elif kind != "missing":
            wrong = CONTENT[:-1] + b"!"
            self.wfile.write({"good": CONTENT, "truncate": CONTENT[:5000], "lie": wrong}[kind])

    def log_message(self, format, *args):  # noqa: A002 - the name of the base class
        pass


@pytest.fixture(scope="module")
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), FaultyServer) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_address[1]}"
        FaultyServer.release.set()
        httpd.shutdown()
        thread.join()


def remote(server, *kinds):
    return Remote("file.bin", tuple(f"{server}/{kind}/file.bin" for kind in kinds), MD5)


def files(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_good_file_is_downloaded_once_and_then_comes_from_the_cache(server, tmp_path):
    FaultyServer.asked.clear()
    paths = [fetch(remote(server, "good"), tmp_path, progress=False) for _ in range(2)]
    assert paths[0].read_bytes() == paths[1].read_bytes() == CONTENT
    assert len(FaultyServer.asked) == 1


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("stall", "timed out"), ("truncate", ""), ("lie", "wrong checksum"), ("missing", "404")],
)
def test_a_bad_server_is_named_and_leaves_nothing_behind(server, tmp_path, kind, reason):
    with pytest.raises(OSError, match=f"cannot download file.bin .*{reason}.*--data-root") as error:
        fetch(remote(server, kind), tmp_path, timeout=0.3, progress=False)
    assert "\n" not in str(error.value)
    assert files(tmp_path) == []


def test_the_next_address_is_tried_when_one_fails(server, tmp_path):
    path = fetch(remote(server, "lie", "missing", "good"), tmp_path, progress=False)
    assert path.read_bytes() == CONTENT


def test_a_damaged_file_in_the_cache_is_replaced(server, tmp_path):
    (tmp_path / "file.bin").write_bytes(b"damaged")
    assert fetch(remote(server, "good"), tmp_path, progress=False).read_bytes() == CONTENT


def test_a_failed_replacement_does_not_pass_for_the_file(server, tmp_path):
    (tmp_path / "file.bin").write_bytes(b"damaged")
    with pytest.raises(OSError, match="cannot download"):
        fetch(remote(server, "lie"), tmp_path, progress=False)
    assert files(tmp_path) in ([], ["file.bin"])


@pytest.mark.parametrize("host", ["127.0.0.1:9", "no-such-host.invalid"])
def test_a_missing_network_says_so_in_a_sentence_of_its_own(tmp_path, host):
    with pytest.raises(OSError, match=r"^cannot download") as error:
        fetch(Remote("file.bin", (f"http://{host}/x",), MD5), tmp_path, timeout=0.3, progress=False)
    assert str(error.value) == (
        f"cannot download file.bin (http://{host}/x: no connection): there is no network, or it does not reach this "
        "address; put the file into a folder and pass it as --data-root"
    )
