"""An origin that keeps every byte it gets, connection by connection, and answers requests as soon as they are whole."""
import selectors
import socket
import threading

from .strict import Incomplete, Malformed, parse_request

ANSWER = "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nX-Answer: %s\r\n\r\n"


class Connection:
    def __init__(self, sock):
        self.sock = sock
        self.data = bytearray()
        self.at = 0        # where the last complete request ends
        self.wrong = None  # why what is behind it is not HTTP
        self.later = None
        self.ended = False

    def rest(self):
        """What came behind the last complete request: a Message that is cut, None, or why it is nothing of the kind."""
        if self.wrong:
            return self.wrong
        if self.at == len(self.data):
            return None
        try:
            return parse_request(self.data, self.at)[0]
        except Incomplete:
            return f"not a whole head: {bytes(self.data[self.at:self.at + 80])!r}"
        except Malformed as e:
            return str(e)


class Recorder:
    """One thread serves all connections. The lock is held while all that was ready is served, so that who has seen the
    answer to a later request sees all that came before it on other connections too."""

    def __init__(self):
        self.lock = threading.Lock()
        self.connections = []
        self.requests = []  # all that were complete, in the order of their ends
        self.answers = {}
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.listener.setblocking(False)
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.waker, self.wakes = socket.socketpair()
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.selector.register(self.wakes, selectors.EVENT_READ)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def __str__(self):
        return self.address

    def close(self):
        self.waker.close()
        self.thread.join()
        for c in self.connections:
            c.sock.close()
        self.listener.close()
        self.wakes.close()

    def answer(self, target, pieces, close=False, later=None):
        """What a request for this target is answered with, instead of its own method and target. later: the rest, sent
        by go_on()."""
        with self.lock:
            self.answers[target] = pieces, close, later

    def go_on(self):
        with self.lock:
            for c in self.connections:
                if c.later and not c.ended:
                    self.try_send(c, *c.later)

    def begin(self):
        """Forgets what is over: connections that ended, and requests that were answered."""
        with self.lock:
            self.answers.clear()
            self.requests.clear()
            self.connections = [c for c in self.connections if not c.ended]
            for c in self.connections:
                del c.data[:c.at]
                c.at = 0

    def snapshot(self, look):
        with self.lock:
            return look(self.connections)

    # ---- serving ----

    def run(self):
        while True:
            ready = self.selector.select()
            with self.lock:
                for key, _ in ready:
                    if key.fileobj is self.wakes:
                        return
                    if key.fileobj is self.listener:
                        self.accept()
                    else:
                        self.read(key.data)

    def accept(self):
        sock, _ = self.listener.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        c = Connection(sock)
        self.connections.append(c)
        self.selector.register(sock, selectors.EVENT_READ, c)

    def end(self, c):
        if c.ended:
            return
        c.ended = True
        self.selector.unregister(c.sock)
        c.sock.close()

    def read(self, c):
        try:
            got = c.sock.recv(1 << 20)
        except OSError:
            got = b""
        if not got:
            self.end(c)
            return
        c.data += got
        try:
            while not c.ended and self.serve(c):
                pass
        except Incomplete:
            pass
        except Malformed as e:
            c.wrong = str(e)
            self.end(c)
        except OSError:
            self.end(c)

    def try_send(self, c, *how):
        try:
            self.send(c, *how)
        except OSError:
            self.end(c)

    def serve(self, c):
        """Answers the next request; False: it is not complete."""
        if c.at == len(c.data):
            return False
        request, end = parse_request(c.data, c.at)
        if not request.complete:
            return False
        c.at = end
        self.requests.append(request)
        text = request.target.encode()
        own = (ANSWER % (len(text), f"{request.method} {request.target}")).encode()
        pieces, close, later = self.answers.get(request.target,
                                                ([own if request.method == "HEAD" else own + text], False, None))
        self.send(c, pieces, close, later)
        return True

    def send(self, c, pieces, close, later=None):
        c.sock.settimeout(10)
        c.later = None if later is None else (later, close)
        for piece in pieces:
            c.sock.sendall(piece)
        if close and later is None:
            self.end(c)
