"""A hundred reloads of ten thousand routes under load: no request fails, and the memory comes back."""
import pytest

from harness import Wrk, eventually, sanitized

ROUTES = 10000
RELOADS = 100

ORIGIN = 'access_log off;\nworkers 1;\nroute / { respond 200 "fine\\n"; }\n'


def routes(n):
    """Of every kind; some proxy, some answer, some are new with each reload, some have a policy."""
    text = [f"use rate_limit circuit_breaker;\naccess_log off;\nupstream o {{ endpoint @O@; circuit_breaker {{ }} }}"]
    for i in range(ROUTES // 4):
        text.append(f'route /api/v{i}/items/ {{ proxy o; }}\nroute = /exact/{i} {{ respond 200 "exact\\n"; }}')
        text.append(f'route ~ ^/re{i}/[a-z]+$ {{ respond 200 "regex\\n"; }}\nroute /changing/{n if i == 0 else 0}/{i}/ {{ respond 200; }}')
    text.append("host limited.example { route / { rate_limit { rate 1000000/s; } proxy o; } }")
    return "\n".join(text)


@pytest.mark.load
@pytest.mark.timeout(900)
@pytest.mark.skipif(sanitized(), reason="a sanitized binary's time and memory are no measure")
def test_a_hundred_reloads(weir, tmp_path, capfd):
    origin = weir(ORIGIN)
    w = weir(routes(0), O=origin.port)
    paths = ["/api/v1/items/1", f"/api/v{ROUTES // 4 - 1}/items/1", "/exact/7", "/re5/abc", f"/re{ROUTES // 4 - 1}/z"]
    with Wrk(tmp_path, w.port, paths, 8, connections=32) as run:
        steady_requests, answers = run.result()
        steady = run.p99
    assert {what for what in answers} <= {"200 fine", "200 exact", "200 regex"}, answers
    seen = {}
    with Wrk(tmp_path, w.port, paths, 800, connections=32) as run:
        for n in range(1, RELOADS + 1):
            before = w.view("status")["requests_total"]
            status, body = w.reload(routes(n))
            assert status == 200, body
            eventually(lambda: w.view("status")["requests_total"] > before + 20, "requests after the reload")
            if n in (10, RELOADS):
                eventually(lambda: len(w.view("generations")) == 1, "the old generations to go", 60)
                seen[n] = w.resident()
        assert run.running()
        run.stop()
        requests, answers = run.result()
        p99 = run.p99
    assert {what for what in answers} <= {"200 fine", "200 exact", "200 regex"}, answers
    assert sum(answers.values()) >= requests * 0.99  # what was on its way at the end is not counted
    assert w.view("status")["generation"] == RELOADS + 1
    with capfd.disabled():
        print(f"\n{RELOADS} reloads of {ROUTES} routes: {requests} requests, none failed ({steady_requests} before); p99 {p99 * 1000:.1f} ms, steady "
              f"{steady * 1000:.1f} ms, ratio {p99 / steady:.2f}; resident {seen[10] >> 10} KiB after 10, {seen[RELOADS] >> 10} KiB after {RELOADS}")
    assert seen[RELOADS] < seen[10] * 1.1 + (2 << 20), seen
