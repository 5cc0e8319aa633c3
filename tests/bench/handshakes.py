"""A client that makes TLS 1.3 connections one after the other, with one request each:

    handshakes.py PORT COUNT full|resume

Prints how many were resumed, and the median and 99th percentile of the time to the answer in ms."""
import socket
import ssl
import sys
import time


def main(port, count, resume):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    session, reused, times = None, 0, []
    for _ in range(count):
        began = time.monotonic()
        with socket.create_connection(("127.0.0.1", port)) as plain:
            s = context.wrap_socket(plain, session=session)
            s.sendall(b"GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
            answer = b""
            while piece := s.recv(65536):
                answer += piece
            if not answer.startswith(b"HTTP/1.1 200"):
                sys.exit(f"not the origin's answer: {answer[:200]}")
            reused += s.session_reused
            if resume:
                session = s.session
        times.append((time.monotonic() - began) * 1000)
    times.sort()
    print(reused, times[count // 2], times[count * 99 // 100])


main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "resume")
