"""serve as it is run: settings, TLS that changes, workers that die, restarts amid uploads."""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import ssl
import stat
import threading
import time
from contextlib import closing

import pytest
import trustme

from cli_runner import run
from killick.digest import Digest
from operated import Certificates, serve, until


@pytest.fixture
def certificates(tmp_path):
    return Certificates(tmp_path)


def shown_certificate(served, certificates):
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as plain:
        with certificates.context().wrap_socket(plain, server_hostname="127.0.0.1") as wrapped:
            return wrapped.getpeercert(binary_form=True)


def test_settings_come_from_a_file(tmp_path):
    (tmp_path / "serve.toml").write_text(f'root = "{tmp_path / "root"}"\nread_only = false\n')
    with serve("--config", tmp_path / "serve.toml") as served:
        assert served.ask("GET", "/v2/")[0] == 200
    assert (tmp_path / "root" / "store.db").exists()


def test_check_prints_what_is_in_force_and_serves_nothing(tmp_path):
    (tmp_path / "serve.toml").write_text("workers = 2\n")
    ran = run("serve", "--config", tmp_path / "serve.toml", "--set", "limits.page=5", "--check")
    assert ran.status == 0
    assert "workers = 2\n" in ran.out
    assert "page = 5\n" in ran.out
    (tmp_path / "again.toml").write_text(ran.out)
    assert run("serve", "--config", tmp_path / "again.toml", "--check").out == ran.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--set", "limits.blub=1"], "--set limits.blub is no setting"),
        (["--workers", "none"], "--workers must be a whole number"),
        (["--addr", "nowhere"], "'nowhere' is not an address"),
        (["--addr", ":0"], "can be reached from other machines, and there are no accounts"),
        (["--store", "--root", "x"], "--store serves the local store"),
        (["--set", "log.access=/nowhere/x/log"], "log.access: /nowhere/x/log can't be written to"),
        (["--set", "tls.cert=/none", "--set", "tls.key=/none"], "/none can't be read"),
        (["--config", "/none.toml"], "/none.toml can't be read"),
    ],
)
@pytest.mark.parametrize("check", [[], ["--check"]])
def test_what_is_wrong_is_one_sentence(words, message, check):
    ran = run("serve", *words, *check)
    assert ran.status == 2, ran.out
    assert message in ran.err
    assert ran.err.startswith("killick: ")


def test_limits_are_one_table():
    ran = run("serve", "--set", "limits.blob=3GiB", "--limits", "--json")
    rows = {row["about"]: row for row in json.loads(ran.out)}
    assert rows["the largest blob"] == {
        "about": "the largest blob",
        "value": 3 * 2**30,
        "unit": "bytes",
        "setting": "limits.blob",
    }
    assert rows["tags that one push sets"]["setting"] is None
    assert all(row["unit"] for row in rows.values())
    assert (
        "3GiB  the largest blob (limits.blob)"
        in run("serve", "--set", "limits.blob=3GiB", "--limits").out
    )


def test_read_only_refuses_changes_and_says_so(tmp_path):
    root = tmp_path / "root"
    with serve("--root", root) as served:
        assert served.ask("POST", "/v2/a/blobs/uploads/")[0] == 202
    with serve("--root", root, "--read-only") as served:
        status, _, body = served.ask("POST", "/v2/a/blobs/uploads/")
        assert (status, b"read-only" in body) == (403, True)
        assert served.json("/readyz") == {"status": "ready", "read_only": True}
        assert served.ask("GET", "/v2/_catalog")[0] == 200


def test_health_metrics_log_and_chores_of_the_real_thing(tmp_path):
    log = tmp_path / "access.log"
    words = ("--root", tmp_path / "root", "--workers", "2", "--set", f"log.access={log}")
    with serve(*words, umask=0) as served:
        assert served.json("/healthz") == {"status": "up"}
        assert served.json("/readyz") == {"status": "ready", "read_only": False}
        for _ in range(20):
            assert served.ask("GET", "/v2/", headers={"X-Request-ID": "mine"})[0] == 200

        def figures():
            return served.ask("GET", "/metrics")[2].decode()

        # A request is counted as its answer is on its way: its caller may be the first to know.
        counted = 'killick_http_requests_total{method="GET",route="base",status="200"} 20'
        until(lambda: counted in figures())
        assert "killick_uploads_open 0" in figures()
        assert served.ask("POST", "/v2/_killick/chores/collect")[0] in (202, 409)
        until(lambda: served.json("/v2/_killick/chores/collect")["outcome"] == "done")
        until(lambda: served.json("/v2/_killick/chores/scrub")["outcome"] == "done")
        assert 'killick_chore_result{chore="scrub",of="damaged"} 0' in figures()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert sum(line["request"] == "mine" for line in lines) == 20
    assert _too_open(tmp_path / "root") == []
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def _too_open(root):
    """Files and folders that others than their owner may use."""
    return [path for path in [root, *root.rglob("*")] if path.stat().st_mode & 0o077]


def test_a_worker_that_dies_is_replaced_and_counters_go_on(tmp_path):
    with serve("--root", tmp_path / "root") as served:
        assert served.ask("GET", "/v2/")[0] == 200
        (first,) = served.workers()
        os.kill(first, signal.SIGKILL)
        until(lambda: served.workers() not in (set(), {first}))
        assert served.ask("GET", "/v2/")[0] == 200
        text = served.ask("GET", "/metrics")[2].decode()
        assert 'route="base",status="200"} 2' in text
    assert "a worker died" in served.err


def test_reload_replaces_workers_and_no_call_notices(tmp_path, certificates):
    context = certificates.context()
    words = ("--root", tmp_path / "root", "--workers", "2", *certificates.settings)
    failures, calls, done = [], [], threading.Event()

    def call(connection):
        try:
            connection.request("GET", "/v2/")
            answer = connection.getresponse()
            answer.read()
            calls.append(answer.status)
        except (OSError, http.client.HTTPException) as error:
            failures.append(error)

    def go_on_asking(served):
        with closing(served.connect()) as kept:
            while not done.is_set() and not failures:
                call(kept)
                with closing(served.connect()) as fresh:
                    call(fresh)

    with serve(*words, context=context) as served:
        threads = [threading.Thread(target=go_on_asking, args=(served,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        before, old = served.workers(), shown_certificate(served, certificates)
        certificates.renew()
        until(lambda: shown_certificate(served, certificates) != old)
        until(lambda: len(served.workers() - before) == 2)
        done.set()
        for thread in threads:
            thread.join(60)
    assert failures == []
    assert set(calls) == {200}
    assert served.err == ""


def test_a_handshake_under_way_survives_a_reload(tmp_path, certificates):
    words = ("--root", tmp_path / "root", *certificates.settings)
    with serve(*words, context=certificates.context()) as served:
        (first,) = served.workers()
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = certificates.context().wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
        with pytest.raises(ssl.SSLWantReadError):
            client.do_handshake()
        with socket.create_connection(("127.0.0.1", served.port), timeout=60) as plain:
            plain.sendall(outgoing.read())
            incoming.write(plain.recv(65536))
            served.process.send_signal(signal.SIGHUP)
            until(lambda: len(served.workers()) == 2)
            time.sleep(1)
            assert first in served.workers()
            while True:
                try:
                    client.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    plain.sendall(outgoing.read())
                    incoming.write(plain.recv(65536))
            client.write(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
            plain.sendall(outgoing.read())
            received = b""
            while b"200" not in received:
                piece = plain.recv(65536)
                assert piece, "the connection was broken off"
                incoming.write(piece)
                try:
                    received += client.read(65536)
                except ssl.SSLWantReadError:
                    continue


def test_a_certificate_that_is_wrong_changes_nothing(tmp_path, certificates):
    words = ("--root", tmp_path / "root", *certificates.settings)
    with serve(*words, context=certificates.context()) as served:
        before, old = served.workers(), shown_certificate(served, certificates)
        (tmp_path / "key.pem").write_text("no key")
        served.process.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        assert served.ask("GET", "/v2/")[0] == 200
        assert shown_certificate(served, certificates) == old
        assert served.workers() == before
        certificates.renew()
        until(lambda: shown_certificate(served, certificates) != old)
    assert "the server goes on as it was: " in served.err
    assert "are not a certificate and its key" in served.err


def test_tls_asks_for_certificates_and_for_its_version(tmp_path, certificates):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "clients.pem")
    client = authority.issue_cert("someone@example.org")
    words = ("--root", tmp_path / "root", *certificates.settings)
    words += ("--set", f"tls.client_ca={tmp_path / 'clients.pem'}", "--set", "tls.minimum=1.3")
    with serve(*words, context=certificates.context(client)) as served:
        assert served.ask("GET", "/v2/")[0] == 200
        for context in (
            certificates.context(),
            certificates.context(certificates.authority.issue_cert("x@example.org")),
            certificates.context(client, maximum_version=ssl.TLSVersion.TLSv1_2),
        ):
            served.context = context
            with pytest.raises(OSError):
                served.ask("GET", "/v2/")


def test_an_upload_goes_on_after_a_restart_amid_a_piece_of_it(tmp_path):
    data = os.urandom(6_000_000)
    words = ("--root", tmp_path / "root", "--set", "shutdown=4s")
    with serve(*words, stop=False) as served:
        location = served.ask("POST", "/v2/a/blobs/uploads/")[1]["Location"]
        head = f"PATCH {location} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", served.port), timeout=60) as caller:
            caller.sendall(head.encode() + data[:2_500_000])
            uploads = tmp_path / "root" / "uploads"
            until(lambda: sum(path.stat().st_size for path in uploads.iterdir()) > 0)
            served.process.send_signal(signal.SIGTERM)
            answer = caller.recv(65536)
        assert answer.startswith(b"HTTP/1.1 503 "), answer
        assert b"go on when it is back" in answer
    with serve(*words) as served:
        status, headers, _ = served.ask("GET", location)
        assert status == 204
        start = int(re.fullmatch(r"0-(\d+)", headers["Range"])[1]) + 1
        assert start == 2_500_000
        digest = Digest.of(data)
        assert served.ask("PUT", f"{location}?digest={digest}", data[start:])[0] == 201
        assert served.ask("GET", f"/v2/a/blobs/{digest}")[2] == data


def test_a_body_that_drips_is_cut_off_and_one_that_flows_is_not(tmp_path):
    words = ("--set", "limits.idle=1s", "--set", "limits.rate=1000")
    with serve("--root", tmp_path / "root", *words) as served:
        location = served.ask("POST", "/v2/a/blobs/uploads/")[1]["Location"]
        head = f"PATCH {location} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"
        with socket.create_connection(("127.0.0.1", served.port), timeout=60) as caller:
            caller.sendall(head.encode())
            caller.settimeout(0.1)
            answer, sent = b"", 0
            end = time.monotonic() + 30
            while not answer and time.monotonic() < end:
                caller.sendall(b"x" * 10)
                sent += 10
                try:
                    answer = caller.recv(65536)
                except TimeoutError:
                    continue
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert served.ask("GET", location)[0] == 204


def test_more_uploads_than_allowed_are_refused(tmp_path):
    with serve("--root", tmp_path / "root", "--set", "limits.uploads=2") as served:
        statuses = [served.ask("POST", "/v2/a/blobs/uploads/")[0] for _ in range(3)]
        assert statuses == [202, 202, 429]
        assert "killick_uploads_open 2" in served.ask("GET", "/metrics")[2].decode()


def test_idle_connections_lock_nobody_out_for_long(tmp_path):
    words = ("--set", "limits.connections=16", "--set", "limits.headers=1s")
    with serve("--root", tmp_path / "root", *words) as served:
        idle = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(40)]
        try:
            assert served.ask("GET", "/v2/")[0] == 200
        finally:
            for each in idle:
                each.close()


def test_headers_without_end_are_refused(tmp_path):
    with serve("--root", tmp_path / "root") as served:
        with socket.create_connection(("127.0.0.1", served.port), timeout=60) as caller:
            caller.sendall(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n")
            answer = b""
            try:
                for _ in range(200):
                    caller.sendall(b"X-Long: " + b"a" * 10_000 + b"\r\n")
                answer = caller.recv(65536)
            except OSError:
                pass
        assert answer == b"" or answer.startswith(b"HTTP/1.1 431 ")
        assert served.ask("GET", "/v2/")[0] == 200


def test_ping_tells_whether_it_is_up(tmp_path, certificates):
    with serve("--root", tmp_path / "root") as served:
        where = ("--addr", f"127.0.0.1:{served.port}")
        assert run("serve", *where, "--ping").status == 0
    ran = run("serve", *where, "--ping")
    assert ran.status == 1
    assert "nothing answers at 127.0.0.1:" in ran.err
    words = (*certificates.settings, "--root", tmp_path / "root")
    with serve(*words, context=certificates.context()) as served:
        where = ("--addr", f"127.0.0.1:{served.port}", *certificates.settings)
        assert run("serve", *where, "--ping").status == 0


def test_a_backup_that_was_made_while_it_ran_can_be_served(tmp_path):
    root, copy = tmp_path / "root", tmp_path / "copy"
    copy.mkdir()
    data = b"kept"
    path = f"/v2/a/blobs/{Digest.of(data)}"
    with serve("--root", root) as served:
        assert served.ask("POST", f"/v2/a/blobs/uploads/?digest={Digest.of(data)}", data)[0] == 201
        with closing(sqlite3.connect(root / "store.db")) as live:
            with closing(sqlite3.connect(copy / "store.db")) as saved:
                live.backup(saved)
        shutil.copytree(root / "blobs", copy / "blobs")
    with serve("--root", copy) as served:
        assert served.ask("GET", path)[2] == data
