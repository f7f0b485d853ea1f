"""Messages on a stream socket: four bytes of length, little-endian, and so many bytes."""

import socket

from .values import MAX_BYTES

HEAD_BYTES = 4


class Frames:
    """One end of a stream of messages, inside a sandbox."""

    def __init__(self, channel: socket.socket) -> None:
        self.channel = channel

    def send(self, message: bytes) -> None:
        """Raises EOFError if there is nobody to read it, or the code that runs here closed the connection."""
        try:
            self.channel.sendall(len(message).to_bytes(HEAD_BYTES, "little") + message)
        except OSError as error:
            raise EOFError(str(error)) from None

    def receive(self) -> bytes:
        """The next message. Raises EOFError when the other end is closed, and for what is longer than a message."""
        length = int.from_bytes(self.exactly(HEAD_BYTES), "little")
        if length > MAX_BYTES:
            raise EOFError(f"a message of {length} bytes; at most {MAX_BYTES} are read")
        return self.exactly(length)

    def exactly(self, count: int) -> bytes:
        parts = bytearray()
        while len(parts) < count:
            try:
                part = self.channel.recv(min(count - len(parts), 1 << 20))
            except OSError as error:
                raise EOFError(str(error)) from None
            if not part:
                raise EOFError("the other end is closed")
            parts += part
        return bytes(parts)
