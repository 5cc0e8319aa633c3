"""How an endpoint is chosen."""
from collections import Counter

import pytest

from harness import eventually


@pytest.fixture
def three(make_origin):
    return [make_origin(n) for n in "abc"]


def conf(balance, weights=("", "", "")):
    return ("workers 1;\nroute / { proxy o; }\nupstream o { balance " + balance + "; " +
            " ".join(f"endpoint @{n}@{w};" for n, w in zip("ABC", weights)) + " }")


def origins(w, n, headers=lambda i: {}):
    with w.connect() as c:
        return [c.get("/x", headers(i)).get("X-Origin") for i in range(n)]


def start(weir, three, text):
    return weir(text, A=three[0], B=three[1], C=three[2])


def test_round_robin(weir, three):
    got = origins(start(weir, three, conf("round_robin")), 30)
    assert Counter(got) == {"a": 10, "b": 10, "c": 10}
    assert all(set(got[i:i + 3]) == {"a", "b", "c"} for i in range(0, 30, 3))


def test_round_robin_with_weights_is_smooth(weir, three):
    got = origins(start(weir, three, conf("round_robin", (" weight=4", " weight=2", " weight=1"))), 70)
    assert Counter(got) == {"a": 40, "b": 20, "c": 10}
    assert "aaa" not in "".join(got)


def test_weight_0(weir, three):
    assert Counter(origins(start(weir, three, conf("round_robin", ("", "", " weight=0"))), 20)) == {"a": 10, "b": 10}


def test_random(weir, three):
    got = Counter(origins(start(weir, three, conf("random", (" weight=2", "", ""))), 1000))
    # Four standard deviations around 500, 250, 250.
    assert 437 < got["a"] < 563 and 195 < got["b"] < 305 and 195 < got["c"] < 305


def test_least_request(weir, three):
    w = start(weir, three, conf("least_request"))
    with w.connect() as busy:
        busy.write("GET", "/hold")
        holder = eventually(lambda: next((o for o in three if o.count("/hold")), None), "a busy origin")
        got = Counter(origins(w, 40))
        assert holder.name not in got and len(got) == 2
        holder.release()
        assert busy.response().status == 200


def test_hash_keeps_a_key_on_one_endpoint(weir, three):
    w = start(weir, three, conf("hash ${request.header.x-key}"))
    first = origins(w, 100, lambda i: {"X-Key": f"k{i}"})
    assert origins(w, 100, lambda i: {"X-Key": f"k{i}"}) == first
    assert all(n > 10 for n in Counter(first).values()) and len(set(first)) == 3
    # When one goes, only its keys move; when it is back, they return.
    w.admin("PATCH", f"/api/v1/upstreams/o/endpoints/{three[1]}", {"state": "down"})
    without = origins(w, 100, lambda i: {"X-Key": f"k{i}"})
    assert all(x == y for x, y in zip(first, without) if x != "b") and "b" not in without
    w.admin("PATCH", f"/api/v1/upstreams/o/endpoints/{three[1]}", {"state": "up"})
    assert origins(w, 100, lambda i: {"X-Key": f"k{i}"}) == first


def test_hash_is_the_same_in_every_process(weir, three):
    """Replicas with the same file send a key to the same endpoint."""
    w1, w2 = (start(weir, three, conf("hash ${request.header.x-key}")) for _ in range(2))
    assert origins(w1, 50, lambda i: {"X-Key": f"k{i}"}) == origins(w2, 50, lambda i: {"X-Key": f"k{i}"})


def test_a_name_of_several_addresses(weir, make_origin):
    """localhost: resolved, and each request served."""
    a = make_origin()
    w = weir("route / { proxy o; }\nupstream o { endpoint localhost:@P@; }", P=a.port.number, ready=False)
    eventually(lambda: w.get("/x").status == 200, "an answer from a name")
    assert w.access(status=200)["endpoint"].endswith(str(a.port.number))
