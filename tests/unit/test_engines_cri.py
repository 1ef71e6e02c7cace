"""CRI's wire: Protocol Buffers that may be broken, and gRPC from whoever answers."""

import contextlib
import socket
import threading

import h2.config
import h2.connection
import h2.events
import pytest
from hypothesis import given
from hypothesis import strategies as st

from killick.errors import KillickError, NotFound, ProtocolError, Unreachable
from killick.fleet.engines import cri, engine_at
from killick.fleet.engines.grpc import Calls
from killick.fleet.engines.lines import unix
from killick.fleet.engines.protobuf import Message, bytes_field, text_field, true_field
from killick.observation import Claim

SECONDS = 20
DIGEST = "sha256:" + "1" * 64


def number_field(number, value):
    encoded = bytearray([number << 3])
    value %= 1 << 64
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


class TestMessages:
    def test_fields_by_number(self):
        inner = text_field(1, "golftrack:1.5")
        data = text_field(1, "a") + bytes_field(4, inner) + true_field(2) + number_field(7, -1)
        message = Message(data)
        assert message.text(1) == "a"
        assert message.message(4).text(1) == "golftrack:1.5"
        assert (message.number(2), message.number(7)) == (1, -1)

    def test_what_is_absent_is_empty(self):
        message = Message()
        assert (message.text(1), message.texts(1), message.number(1)) == ("", [], 0)
        assert (message.messages(1), message.labels(1)) == ([], {})
        assert message.message(1).text(1) == ""

    def test_repeated_fields_and_maps(self):
        pair = bytes_field(8, text_field(1, "team") + text_field(2, "golf"))
        message = Message(text_field(2, "a") + text_field(2, "b") + pair)
        assert message.texts(2) == ["a", "b"]
        assert message.text(2) == "b"
        assert message.labels(8) == {"team": "golf"}

    def test_fields_of_other_kinds_are_passed_over(self):
        fixed = bytes([9 << 3 | 1]) + bytes(8) + bytes([10 << 3 | 5]) + bytes(4)
        assert Message(fixed + text_field(1, "a")).text(1) == "a"
        assert Message(number_field(1, 5)).text(1) == ""
        assert Message(text_field(1, "a")).number(1) == 0

    def test_texts_that_are_none_or_too_long_are_absent(self):
        assert Message(bytes_field(1, b"\xff")).text(1) == ""
        assert Message(text_field(1, "x" * 2000)).text(1) == ""

    @pytest.mark.parametrize(
        "data",
        [
            b"\x0a",
            b"\x0a\x05a",
            b"\x09\x00",
            b"\x0b",
            b"\x08",
            b"\xff" * 11,
            b"\x08" + b"\xff" * 11,
        ],
    )
    def test_what_is_broken_is_refused(self, data):
        with pytest.raises(ProtocolError):
            Message(data)

    @given(st.binary(max_size=60))
    def test_any_bytes_are_a_message_or_refused(self, data):
        with contextlib.suppress(ProtocolError):
            message = Message(data)
            message.text(1), message.labels(1), message.number(1), message.messages(2)


class Server:
    """A gRPC server of one connection: `answers` by method, as message or as status."""

    def __init__(self, path, answers):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen()
        self._answers = answers
        self.called = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        with contextlib.suppress(OSError):
            while True:
                line, _ = self._socket.accept()
                with line:
                    self._serve(line)

    def _serve(self, line):
        http = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        http.initiate_connection()
        line.sendall(http.data_to_send())
        methods = {}
        while data := line.recv(65536):
            for event in http.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    methods[event.stream_id] = dict(event.headers)[b":path"].decode()
                if isinstance(event, h2.events.StreamEnded):
                    self._answer(http, event.stream_id, methods[event.stream_id])
            line.sendall(http.data_to_send())

    def _answer(self, http, stream, method):
        self.called.append(method)
        answer = self._answers.get(method, ("5", "no such thing"))
        status, said = answer if isinstance(answer, tuple) else ("0", "")
        http.send_headers(stream, [(":status", "200"), ("content-type", "application/grpc")])
        if status == "0":
            http.send_data(stream, b"\x00" + len(answer).to_bytes(4) + answer)
        trailers = [("grpc-status", status), ("grpc-message", said)]
        http.send_headers(stream, trailers, end_stream=True)

    def close(self):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)


@pytest.fixture
def serving(tmp_path):
    servers = []

    def serve(answers):
        path = tmp_path / "cri.sock"
        servers.append(Server(path, answers))
        return f"cri://{path}", servers[-1]

    yield serve
    for server in servers:
        server.close()


LISTED = (
    text_field(1, "c1")
    + bytes_field(3, text_field(1, "web"))
    + bytes_field(4, text_field(1, "golftrack:1.5"))
    + text_field(5, DIGEST)
    + number_field(6, 1)
    + number_field(7, 1_793_534_400 * 10**9)
)


class TestEngine:
    def test_nothing_runs(self, serving):
        version = text_field(2, "cri-o") + text_field(3, "1.36")
        url, server = serving({cri.VERSION: version, cri.LIST: b""})
        found = engine_at(url, "node-1").snapshot(SECONDS)
        assert (found.host, found.engine, found.containers) == ("node-1", "cri-o", ())
        assert server.called == [cri.VERSION, cri.LIST]

    def test_what_is_gone_meanwhile_is_told_as_it_was_listed(self, serving):
        url, server = serving({cri.VERSION: b"", cri.LIST: bytes_field(1, LISTED)})
        (container,) = engine_at(url).snapshot(SECONDS).containers
        assert (container.id, container.name, container.image) == ("c1", "web", "golftrack:1.5")
        assert container.claims == (Claim("ListContainers.image_ref", DIGEST),)
        assert (container.state, container.platform) == ("running", None)
        assert container.created.year == 2026
        assert set(server.called) == {cri.VERSION, cri.LIST, cri.STATUS, cri.IMAGE}

    def test_images_that_are_mounted_are_volumes(self, serving):
        mounted = text_field(1, "data:1") + text_field(18, "data:latest") + text_field(20, DIGEST)
        mount = text_field(1, "/data") + bytes_field(9, mounted)
        status = text_field(1, "c1") + bytes_field(14, mount) + bytes_field(14, text_field(1, "/x"))
        url, _ = serving(
            {
                cri.VERSION: b"",
                cri.LIST: bytes_field(1, LISTED),
                cri.STATUS: bytes_field(1, status),
                cri.IMAGE: bytes_field(1, text_field(1, DIGEST)),
            }
        )
        _, volume = engine_at(url).snapshot(SECONDS).containers
        assert (volume.role, volume.image, volume.id) == ("volume", "data:latest", "c1/data")
        assert Claim("mount.image.image_ref", DIGEST) in volume.claims

    def test_the_newer_id_of_the_image_is_taken(self, serving):
        status = text_field(1, "c1") + text_field(17, DIGEST) + text_field(9, f"golftrack@{DIGEST}")
        answers = {cri.VERSION: b"", cri.LIST: bytes_field(1, LISTED)}
        url, _ = serving(answers | {cri.STATUS: bytes_field(1, status)})
        (container,) = engine_at(url).snapshot(SECONDS).containers
        assert Claim("ContainerStatus.image_id", DIGEST) in container.claims

    @pytest.mark.parametrize(
        ("answer", "words"),
        [
            (("12", "unknown%20service"), "refuses Version .unknown service."),
            (("7", "no"), "refuses Version"),
            (("13", ""), "refuses Version .13."),
            (b"\xff\xff", "no Protocol Buffers"),
        ],
    )
    def test_what_answers_otherwise_is_an_error(self, serving, answer, words):
        url, _ = serving({cri.VERSION: answer})
        with pytest.raises(KillickError, match=words) as caught:
            engine_at(url).snapshot(SECONDS)
        assert caught.value.side == "engine"

    def test_what_is_not_there_is_not_found(self, serving):
        url, _ = serving({})
        path = url.removeprefix("cri://")
        with Calls(path, unix(path), SECONDS) as calls, pytest.raises(NotFound):
            calls.call(cri.STATUS, b"")

    def test_nobody_there(self, tmp_path):
        with pytest.raises(Unreachable, match="no such file"):
            engine_at(f"cri://{tmp_path}/none.sock").snapshot(SECONDS)

    @pytest.mark.parametrize("said", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
    def test_what_does_not_speak_grpc(self, tmp_path, said):
        path = str(tmp_path / "other.sock")
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(path)
            other.listen()

            def answer():
                line, _ = other.accept()
                with line:
                    line.recv(100)
                    line.sendall(said)

            thread = threading.Thread(target=answer, daemon=True)
            thread.start()
            with pytest.raises((ProtocolError, Unreachable)):
                engine_at(f"cri://{path}").snapshot(SECONDS)
            thread.join()

    def test_silence_has_an_end(self, tmp_path):
        path = str(tmp_path / "silent.sock")
        with socket.socket(socket.AF_UNIX) as silent:
            silent.bind(path)
            silent.listen()
            with pytest.raises(Unreachable, match=r"within 0\.3 seconds"):
                engine_at(f"cri://{path}").snapshot(0.3)
