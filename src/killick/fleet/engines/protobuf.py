"""The little of Protocol Buffers' wire format that CRI's answers and questions need.

A message is read into its fields by number, each with its values in the order in which they came;
what a number means is up to whoever asks for it. https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterator

from killick.errors import ProtocolError
from killick.inventory import MOST_CHARACTERS

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MOST_VARINT_BYTES = 10
_INT64, _UINT64 = 1 << 63, 1 << 64


class Message:
    """A message as it came. Fields that it does not have are empty, or zero.

    Raises:
        ProtocolError: it is none.
    """

    def __init__(self, data: bytes = b"") -> None:
        self._fields: dict[int, list[int | bytes]] = {}
        for number, value in _parsed(data):
            self._fields.setdefault(number, []).append(value)

    def text(self, number: int) -> str:
        """Return a text; one that is too long, or not UTF-8, counts as absent."""
        return next(reversed(self.texts(number)), "")

    def texts(self, number: int) -> list[str]:
        """Return the texts of a repeated field."""
        found = [_text(value) for value in self._values(number)]
        return [text for text in found if 0 < len(text) <= MOST_CHARACTERS]

    def document(self, number: int) -> dict[str, bytes]:
        """Return a map of texts to bytes."""
        entries = map(Message, self._values(number))
        return {entry.text(1): b"".join(entry._values(2)[-1:]) for entry in entries}

    def labels(self, number: int) -> dict[str, str]:
        """Return a map of texts to texts."""
        return {key: _text(value) for key, value in self.document(number).items()}

    def number(self, number: int) -> int:
        """Return a signed integer."""
        value = next((v for v in reversed(self._fields.get(number, [])) if isinstance(v, int)), 0)
        return value - _UINT64 if value >= _INT64 else value

    def message(self, number: int) -> Message:
        """Return a message within this one."""
        return Message(b"".join(self._values(number)))  # as the format says of repeated ones

    def messages(self, number: int) -> list[Message]:
        """Return the messages of a repeated field."""
        return [Message(value) for value in self._values(number)]

    def _values(self, number: int) -> list[bytes]:
        return [v for v in self._fields.get(number, []) if isinstance(v, bytes)]


def text_field(number: int, text: str) -> bytes:
    """Return a text as a field of a message."""
    return bytes_field(number, text.encode())


def bytes_field(number: int, data: bytes) -> bytes:
    """Return bytes, or a message, as a field of a message."""
    return _varint(number << 3 | _BYTES) + _varint(len(data)) + data


def true_field(number: int) -> bytes:
    """Return the truth as a field of a message."""
    return _varint(number << 3 | _VARINT) + b"\x01"


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return ""


def _parsed(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(data):
        key, at = _read_varint(data, at)
        kind = key & 7
        if kind == _VARINT:
            value, at = _read_varint(data, at)
            yield key >> 3, value
            continue
        if kind == _BYTES:
            length, at = _read_varint(data, at)
        elif kind in (_FIXED32, _FIXED64):
            length = 4 if kind == _FIXED32 else 8
        else:
            raise _broken()
        if at + length > len(data):
            raise _broken()
        if kind == _BYTES:
            yield key >> 3, data[at : at + length]
        at += length


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for position, byte in enumerate(data[at : at + _MOST_VARINT_BYTES]):
        value |= (byte & 0x7F) << 7 * position
        if byte < 0x80:
            return value % _UINT64, at + position + 1
    raise _broken()


def _broken() -> ProtocolError:
    return ProtocolError("an answer is no Protocol Buffers message", side="engine")
