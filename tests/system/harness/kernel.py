"""What the kernel knows of TCP over loopback: under load a segment may take its time even there."""
import ctypes
import socket
import struct

from .wait import DEADLINE, eventually

ESTABLISHED, SYN_RECV = "01", "03"
SO_ATTACH_FILTER, SO_DETACH_FILTER = 26, 27


def tcp(local, remote):
    """State and unread bytes of the socket with these ports; None: it is gone."""
    with open("/proc/net/tcp", encoding="ascii") as f:
        for line in f.readlines()[1:]:
            _, at, peer, state, queues = line.split()[:5]
            if int(at.split(":")[1], 16) == local and int(peer.split(":")[1], 16) == remote:
                return state, int(queues.split(":")[1], 16)
    return None


def ended(local, remote):
    """The peer's end, or its reset, has arrived at the socket with these ports."""
    found = tcp(local, remote)
    return found is None or found[0] != ESTABLISHED


def unread(local, remote):
    found = tcp(local, remote)
    return found[1] if found else 0


class OnTheWay:
    """A client that the server's kernel has answered, but that has not heard it yet."""

    def __init__(self, address):
        nothing = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0))  # a filter: keep 0 bytes of each segment
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("H6xQ", 1, ctypes.addressof(nothing)))
        self.sock.setblocking(False)
        self.sock.connect_ex(address)
        port = self.sock.getsockname()[1]
        eventually(lambda: tcp(address[1], port) == (SYN_RECV, 0), "the server's answer")

    def arrive(self):
        """It hears the next answer, which comes a second after the first. The socket, connected."""
        self.sock.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)
        self.sock.settimeout(DEADLINE)
        return self.sock

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.sock.close()
