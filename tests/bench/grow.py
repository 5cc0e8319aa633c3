#!/usr/bin/python3
"""Writes a gateway.conf of a given shape and size, to see how cost grows with it.

    grow.py SHAPE N [--port P] [--admin SOCKET] [--origin HOST:PORT] [--round K] > gateway.conf

Shapes: prefix, exact, regex (with a literal beginning), wild (regexes without one), hosts (N routes over N/10 hosts),
policies (prefix routes with a rate limit and a canary), jwt, upstreams (one for each route),
endpoints (N in one upstream; --balance says how they are chosen).
--round K goes into every name, for tests of churn.
"""
import argparse


def head(a, use=""):
    yield "workers 1; access_log off;"
    if use:
        yield f"use {use};"
    if a.admin:
        yield f"admin {{ bind {a.admin}; }}"
    yield f"listener main {{ bind 127.0.0.1:{a.port}; limits {{ connections 20000; }} timeouts {{ idle 10m; }} }}"
    if a.shape not in ("upstreams", "endpoints"):
        yield f"upstream app {{ endpoint {a.origin}; }}"
    if a.shape == "policies":
        yield f"upstream other {{ endpoint {a.origin}; }}"


def routes(a):
    k = f"/r{a.round}" if a.round else ""
    for i in range(a.n):
        yield {
            "prefix": f"route {k}/api/v{i}/items/ {{ proxy app; }}",
            "exact": f"route = {k}/api/v{i}/items {{ proxy app; }}",
            "regex": f"route ~ ^{k}/api/v{i}/[a-z]+$ {{ proxy app; }}",
            "wild": f"route ~ ^{k}/[a-z]+/v{i}/items$ {{ proxy app; }}",
            "hosts": f"host h{i // 10}.example{a.round}.com {{ route /p{i % 10}/ {{ proxy app; }} }}",
            "policies": f"route {k}/api/v{i}/items/ {{ rate_limit {{ rate 1000000/s burst=1000000; }} "
                        f"canary {{ variant app 95%; variant other 5%; }} }}",
            "jwt": f"route {k}/api/v{i}/items/ {{ jwt {{ issuer https://idp{i}.example; audience any; "
                   f"key secret:0123456789abcdef0123456789abcdef alg=HS256; algorithms HS256; }} proxy app; }}",
            "upstreams": f"upstream u{a.round}-{i} {{ endpoint {a.origin}; }} "
                         f"route {k}/api/v{i}/items/ {{ proxy u{a.round}-{i}; }}",
        }[a.shape]


def endpoints(a):
    host = a.origin.rsplit(":", 1)[1]
    yield "upstream app {"
    yield f"balance {a.balance};"
    for i in range(a.n):
        yield f"endpoint 127.{1 + i // 62500}.{i // 250 % 250}.{1 + i % 250}:{host} weight={1 + i % 3};"
    yield "}"
    yield "route / { proxy app; }"


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("shape", choices=["prefix", "exact", "regex", "wild", "hosts", "policies", "jwt", "upstreams",
                                     "endpoints"])
    p.add_argument("n", type=int)
    p.add_argument("--port", type=int, default=8080)
    p.add_argument("--admin", default="")
    p.add_argument("--origin", default="127.0.0.1:9001")
    p.add_argument("--balance", default="round_robin")
    p.add_argument("--round", default="")
    a = p.parse_args()
    use = {"policies": "rate_limit canary", "jwt": "jwt"}.get(a.shape, "")
    for line in head(a, use):
        print(line)
    for line in endpoints(a) if a.shape == "endpoints" else routes(a):
        print(line)


if __name__ == "__main__":
    main()
