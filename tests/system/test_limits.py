"""Limits of an upstream hold for the process, over all workers."""
import threading

import pytest

from harness import eventually

pytestmark = pytest.mark.workers


def test_requests_over_all_workers(weir, origin):
    w = weir("workers 4;\nroute / { proxy o; }\nupstream o { endpoint @O@; limits requests=5; }", O=origin)
    clients = [w.connect() for _ in range(20)]
    for c in clients:
        c.write("GET", "/hold")
    eventually(lambda: w.metric("weir_requests_total", code="503") == 15, "15 refusals")
    eventually(lambda: origin.count("/hold") == 5, "5 requests at the origin")
    origin.release(5)
    answers = [c.response() for c in clients]
    assert [r.status for r in answers].count(200) == 5
    assert {r.reason for r in answers if r.status == 503} == {"overflow_requests"}
    line = w.access(reason="overflow_requests")
    limit = next(d for d in line["why"] if d["reason"] == "overflow_requests")
    assert (limit["step"], limit["at"]) == ("limits", "gateway.conf:3")
    for c in clients:
        c.close()


def test_connections_over_all_workers(weir, origin):
    w = weir("workers 4;\nroute / { proxy o; }\nupstream o { endpoint @O@; connect_timeout 20s; limits connections=3 pending=100; }",
             O=origin)
    clients = [w.connect() for _ in range(20)]
    for c in clients:
        c.write("GET", "/hold")
    eventually(lambda: origin.count("/hold") == 3, "three requests")
    for n in range(20):
        origin.release()
    assert [c.response().status for c in clients] == [200] * 20
    assert origin.connections <= 20
    for c in clients:
        c.close()


def test_the_origin_never_sees_more_connections(weir, make_origin):
    origin, lock, now, most = make_origin(), threading.Lock(), [0], [0]

    def script(conn, _):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        threading.Event().wait(0.01)
        with lock:
            now[0] -= 1
        conn.answer(200)
    origin.on("/n", script)
    w = weir("workers 2;\nroute / { proxy o; }\nupstream o { endpoint @O@; connect_timeout 20s; limits connections=4 pending=200; }", O=origin)
    statuses = []

    def client():
        with w.connect() as c:
            for _ in range(10):
                statuses.append(c.get("/n").status)
    threads = [threading.Thread(target=client) for _ in range(20)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert statuses == [200] * 200
    assert most[0] <= 4
