"""Ports that nobody else gets."""
import socket


class Port:
    """A TCP port held by a socket that is bound but does not listen. With SO_REUSEADDR and SO_REUSEPORT on it a server may bind the
    same port, while the kernel gives it to nobody who asks for any port, so that tests in parallel never meet."""

    def __init__(self, host="127.0.0.1"):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.host = host
        self.holder = socket.socket(family, socket.SOCK_STREAM)
        self.holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self.holder.bind((host, 0))
        self.number = self.holder.getsockname()[1]

    def __str__(self):
        return f"[{self.host}]:{self.number}" if ":" in self.host else f"{self.host}:{self.number}"

    @property
    def address(self):
        return self.host, self.number

    def close(self):
        self.holder.close()
