"""The table, and the targets that it is held against. Nothing is asserted: the figures of a busy machine are what they
are."""

COLUMNS = (
    ("scenario", 22),
    ("proxy", 17),
    ("us/req", 8),
    ("user", 6),
    ("x floor", 7),
    ("x peer", 7),
    ("x beside", 8),
    ("req/s", 8),
    ("p50 ms", 8),
    ("p99 ms", 8),
    ("RSS MiB", 8),
    ("bad", 5),
)

# Of weir's row: (what, at most, what it is called). Where there is a peer weir is to be ahead of it, too.
FLOOR = ("to_floor", 1.2, "floor")
RELOAD_TIME = 1.0
TLS = ("tls", "tls_full_handshake", "tls_resumed")
HTTP2 = ("h2_100_streams", "h2_8_connections", "h2_tls_100_streams", "h2_tls_8_connections")
TARGETS = {
    "plain": [FLOOR],
    "browser_heads": [FLOOR],
    "log_on": [FLOOR],
    "jwt_rs256_one_token": [("to_beside", 1.1, "plain")],
    "rate_limit_memory": [("to_beside", 1.03, "plain")],
    "rate_limit_redis_1": [("reads_per_request", 1.01, "round trips per request")],
    "rate_limit_redis_16": [("reads_per_request", 1.0, "round trips per request")],
    "rate_limit_redis_256": [("reads_per_request", 1.0, "round trips per request")],
    "routes_10000": [("to_beside", 1.05, "one route")],
    "routes_10000_one_path": [("to_beside", 1.05, "one route")],
    "regex_routes_10000": [("to_beside", 1.05, "one route")],
    "endpoints_1000": [("to_beside", 1.1, "one endpoint")],
    "generations_50": [("to_beside", 1.1, "one generation")],
    **{name: [("to_nginx", 1.05, "nginx")] for name in TLS},
    **{name: [("to_nginx", 1.0, "nginx")] for name in HTTP2},
    "idle_tls_2000": [("to_nginx", 1.0, "nginx's bytes")],
    "idle_10000": [("bytes_each", 700, "bytes")],
    "start": [("rss_kib", 8 * 1024, "KiB")],
    "start_10000": [("ready_s", RELOAD_TIME, "s"), ("peak_ratio", 2, "memory")],
    "reload_10000": [
        ("took_s", RELOAD_TIME, "s"),
        ("peak_ratio", 2, "memory"),
        ("p99_ratio", 2, "p99"),
        ("bad", 0, "failures"),
    ],
}
NOT_AHEAD = (*TLS, *HTTP2)  # of nginx alone


def verdict(name, row):
    """PASS or MISS with what was missed; nothing where there is no target."""
    targets = list(TARGETS.get(name, []))
    if row.get("to_best_peer") and name not in NOT_AHEAD:
        targets.append(("to_best_peer", 1.0, "best peer"))
    targets = [t for t in targets if row.get(t[0]) is not None]
    missed = [f"{row[key]:.4g} > {bound:g} {what}" for key, bound, what in targets if row[key] > bound]
    return ("MISS " + ", ".join(missed) if missed else "PASS") if targets else ""


def cell(row, key, form, scale=1):
    return "-" if row.get(key) is None else form.format(row[key] / scale)


def line(name, proxy, row, note):
    cells = (
        name,
        proxy,
        cell(row, "cpu_us", "{:.2f}"),
        cell(row, "user_us", "{:.2f}"),
        cell(row, "to_floor", "{:.2f}"),
        cell(row, "to_best_peer", "{:.2f}"),
        cell(row, "to_beside", "{:.3f}"),
        cell(row, "rps", "{:.0f}"),
        cell(row, "p50", "{:.2f}"),
        cell(row, "p99", "{:.2f}"),
        cell(row, "rss_kib", "{:.1f}", 1024),
        cell(row, "bad", "{:.0f}"),
    )
    padded = [c.ljust(w) if i < 2 else c.rjust(w) for i, (c, (_, w)) in enumerate(zip(cells, COLUMNS))]
    said = "; ".join(
        t
        for t in (verdict(name, row) if proxy == "weir" else "", row.get("note", ""), note if proxy == "weir" else "")
        if t
    )
    return " ".join([*padded, " ", said]).rstrip()


def heading():
    return " ".join(n.ljust(w) if i < 2 else n.rjust(w) for i, (n, w) in enumerate(COLUMNS)) + "   target; notes"


def table(name, rows, note=""):
    """The lines of one scenario."""
    return "\n".join(line(name, proxy, row, note) for proxy, row in rows.items())
