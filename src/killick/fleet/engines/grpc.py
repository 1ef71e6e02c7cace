"""Calls over gRPC, one after the other on one connection: a message there, a message back.

https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import unquote

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions

from killick.errors import Denied, KillickError, LimitExceeded, NotFound, ProtocolError, Unreachable
from killick.fleet.engines.http import MOST_ANSWER_BYTES, Dial, Line

_PREFIX_BYTES = 5
_RECEIVE_BYTES = 64 * 1024
_MOST_MESSAGE = 200
_ENDS = (h2.events.ConnectionTerminated, h2.events.StreamReset)
_NOT_FOUND, _DENIED, _UNIMPLEMENTED, _UNAUTHENTICATED = "5", "7", "12", "16"


class Calls:
    """A connection to the gRPC server that `where` names in errors. A context manager.

    All calls together may take so many `seconds`.

    Raises:
        Unreachable: nobody is there.
    """

    def __init__(self, where: str, dial: Dial, seconds: float) -> None:
        self._where = where
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._http = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        try:
            self._line: Line = dial(seconds)
        except TimeoutError:
            raise self._too_late() from None
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise Unreachable(f"{where} can't be reached: {reason}", side="engine") from None
        self._http.initiate_connection()

    def __enter__(self) -> Calls:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._line.close()

    def call(self, method: str, request: bytes) -> bytes:
        """Return what `method` (`/package.Service/Name`) answers to `request`.

        Raises:
            NotFound: there is no such thing.
            Denied, ProtocolError, LimitExceeded: the server says otherwise, or something else.
            Unreachable: it does not answer in time.
        """
        try:
            return self._call(method, request)
        except TimeoutError:
            raise self._too_late() from None
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise Unreachable(f"{self._where} broke off: {reason}", side="engine") from None
        except h2.exceptions.H2Error:
            raise ProtocolError(
                f"what answers at {self._where} does not speak gRPC",
                side="engine",
                hint="check the address",
            ) from None

    def _call(self, method: str, request: bytes) -> bytes:
        stream = self._http.get_next_available_stream_id()
        headers = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", method),
            (":authority", "localhost"),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
        ]
        self._http.send_headers(stream, headers)
        prefix = b"\x00" + len(request).to_bytes(_PREFIX_BYTES - 1)
        self._http.send_data(stream, prefix + request, end_stream=True)
        said: dict[str, str] = {}
        data = bytearray()
        for event in self._events(stream):
            if isinstance(event, h2.events.ResponseReceived | h2.events.TrailersReceived):
                said |= {_text(name): _text(value) for name, value in event.headers or ()}
            elif isinstance(event, h2.events.DataReceived):
                data += event.data or b""
                if len(data) > MOST_ANSWER_BYTES:
                    raise LimitExceeded(f"an answer of {self._where} is too large", side="engine")
                self._http.acknowledge_received_data(event.flow_controlled_length or 0, stream)
        if said.get("grpc-status") != "0":
            raise self._refusal(method, said)
        length = int.from_bytes(data[1:_PREFIX_BYTES])
        if data[:1] != b"\x00" or len(data) != _PREFIX_BYTES + length:
            raise ProtocolError(f"an answer of {self._where} is cut off", side="engine")
        return bytes(data[_PREFIX_BYTES:])

    def _events(self, stream: int) -> Iterator[h2.events.Event]:
        """Yield what happens on a stream, to its end; what is to be sent meanwhile is sent."""
        while True:
            if pending := self._http.data_to_send():
                self._line.settimeout(self._left())
                self._line.sendall(pending)
            buffer = memoryview(bytearray(_RECEIVE_BYTES))
            self._line.settimeout(self._left())
            count = self._line.recv_into(buffer)
            if count == 0:
                raise ConnectionResetError("it hung up")
            for event in self._http.receive_data(bytes(buffer[:count])):
                if isinstance(event, _ENDS):
                    raise ProtocolError(f"{self._where} broke off a call", side="engine")
                if getattr(event, "stream_id", None) == stream:
                    yield event
                if isinstance(event, h2.events.StreamEnded) and event.stream_id == stream:
                    return

    def _refusal(self, method: str, said: dict[str, str]) -> KillickError:
        code = said.get("grpc-status")
        reason = unquote(said.get("grpc-message", ""))[:_MOST_MESSAGE]
        message = f"{self._where} refuses {method.rpartition('/')[2]} ({reason or code})"
        if code == _NOT_FOUND:
            return NotFound(message, side="engine")
        if code in (_DENIED, _UNAUTHENTICATED):
            return Denied(message, side="engine")
        if code == _UNIMPLEMENTED or code is None:
            hint = "CRI has to be version 1 there, and not turned off"
            return ProtocolError(message, side="engine", hint=hint)
        return ProtocolError(message, side="engine")

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def _too_late(self) -> Unreachable:
        return Unreachable(
            f"{self._where} can't be reached: no answer within {self._seconds:g} seconds",
            side="engine",
        )


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
