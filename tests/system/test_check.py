"""weir check: what it says of a bad configuration, and what it shows of a good one."""
import re

import pytest

from harness import run_weir

HEAD = re.compile(r"^(\S+):(\d+):(\d+): (error|warning): (.+)$")


def blocks(stderr):
    """[(file, line, column, kind, text, source line, caret column, what would be right)]"""
    found, lines = [], stderr.splitlines()
    at = [i for i, line in enumerate(lines) if HEAD.match(line)] + [len(lines)]
    assert at[0] == 0, stderr
    for begin, end in zip(at, at[1:]):
        m = HEAD.match(lines[begin])
        source, caret, right = lines[begin + 1], lines[begin + 2], lines[begin + 3:end]
        assert caret.strip() == "^" and caret[:-1].replace("\t", "").strip() == "", stderr
        found.append((m[1], int(m[2]), int(m[3]), m[4], m[5], source, len(caret), "\n".join(right).strip()))
    return found


def one(done):
    """The one error there is."""
    assert done.returncode == 1 and done.stdout == ""
    found = blocks(done.stderr)
    assert len(found) == 1, done.stderr
    return found[0]


def test_good(check):
    done = check("route / { respond 200 ok; }\nlistener l { bind 127.0.0.1:1; }")
    assert (done.returncode, done.stderr) == (0, "") and "good" in done.stdout


def test_the_form_of_a_diagnostic(check):
    text = 'route / {\n\tstripprefix /api;\n\trespond 200 ok;\n}\n'
    done = check(text)
    file, line, column, kind, said, source, caret, right = one(done)
    assert (file, line, column, kind) == ("gateway.conf", 2, 2, "error")
    assert "stripprefix" in said and source == "\tstripprefix /api;"
    # The caret's line repeats the tabs, so that it stands right however wide they are shown.
    assert "\n\t^\n" in done.stderr + "\n" and caret == 2
    assert "did you mean" in right and "strip_prefix" in right


def test_all_errors_in_one_run(check):
    done = check("""workrs 2;
listener l { bind 127.0.0.1:0.5; }
upstream u { endpoint 127.0.0.1:1; balance best; endpont 127.0.0.1:2; }
upstream u { endpoint 127.0.0.1:2; }
route / { methodes GET; respond 200; }
route /a { timeout fast; respond 200; }
access_log stdout;
access_log stderr;
route /b { max_body 1q; respond 200; respond 201; }
""")
    assert done.returncode == 1
    found = blocks(done.stderr)
    assert [b[1] for b in found] == sorted(b[1] for b in found)
    assert [b[1] for b in found] == [1, 2, 3, 3, 4, 5, 6, 8, 9, 9], done.stderr
    assert {b[3] for b in found} == {"error"}
    for b in found:  # each caret under what it speaks of
        assert b[5][b[6] - 1:].strip(), b


def test_all_errors_of_what_is_built(check):
    """Names that lead nowhere, expressions, variables: one run shows them all too."""
    done = check("""route /a { proxy v; }
route ~ ( { respond 200; }
route /b { respond 200 "${request.pth}"; }
upstream u { endpoint 127.0.0.1:1; }
route /c { respond 200; redirect 302 /x; }
route /d { match header x-a ~ "["; proxy u; }
route /e { proxy w; }
""")
    assert done.returncode == 1
    assert [b[1] for b in blocks(done.stderr)] == [1, 2, 3, 5, 6, 7], done.stderr


@pytest.mark.parametrize("text, near", [
    ("workrs 2;", "workers"),
    ("upstream u { endpoint 127.0.0.1:1; balance leest_request; } route / { proxy u; }", "least_request"),
    ("upstream orders { endpoint 127.0.0.1:1; } route / { proxy ordres; }", "orders"),
    ('route / { respond 200 "${request.pth}"; }', "request.path"),
    ("use rate_limits; route / { respond 200; }", "rate_limit"),
    ("use rate_limit; route / { rate_limit { rate 1/s; stoer x; } respond 200; }", "store"),
    ("use jwt; route / { jwt { audiense x; } respond 200; }", "audience"),
    ("upstream u { endpoint 127.0.0.1:1 wieght=2; } route / { proxy u; }", "weight"),
    ("policy slow { } route / { apply slwo; respond 200; }", "slow"),
])
def test_did_you_mean(check, text, near):
    done = check(text)
    assert done.returncode == 1
    assert any("did you mean" in b[7] and near in b[7] for b in blocks(done.stderr)), done.stderr


@pytest.mark.parametrize("text, column, says", [
    ("route / { proxy u; } upstream u { }", 22, "endpoint"),
    ("route / { }", 1, "route"),
    ("upstream u { endpoint 127.0.0.1; } route / { proxy u; }", 23, "port"),
    ("upstream u { endpoint 127.0.0.1:1 weight=x; } route / { proxy u; }", 35, "whole number"),
    ("upstream u { endpoint 127.0.0.1:1; connect_timeout 0; } route / { proxy u; }", 52, "1ms"),
    ("upstream u { endpoint 127.0.0.1:1; health_check { interval 50ms; } } route / { proxy u; }", 60, "100ms"),
    ("route / { respond 99; }", 19, ""),
    ("route / { respond 200; timeout 5 m; }", None, ""),
    ("route / { respond 200 \"a\\x\"; }", None, ""),
    ("route / { respond 200 'unterminated; }", 23, ""),
    ("route / { respond 200;", None, "}"),
    ("route / { respond 200; } }", 26, "}"),
    ("route / { respond 200; respond 201; }", None, "respond"),
    ("bind 127.0.0.1:1;", 1, "listener"),
    ("route / { jwt { } respond 200; }", 11, "use jwt"),
    ("include nothing.conf;", 9, "nothing.conf"),
    ("listener l { bind 127.0.0.1:1; } listener l { bind 127.0.0.1:2; }", None, "l"),
    ("store s { url redis://h; } store s { url redis://h; }", None, "s"),
    ("policy p { } policy p { }", None, "p"),
    ("store s { url http://h; }", 15, "redis://"),
    ("route / { respond 200 ${env.WEIR_NOT_SET}; }", 23, "WEIR_NOT_SET"),
    ("route / { respond 200 ${file:/does/not/exist}; }", 23, "/does/not/exist"),
    ("use canary; upstream a { endpoint 127.0.0.1:1; } route / { canary { variant a 60%; } }", None, "100"),
    ("use canary; upstream a { endpoint 127.0.0.1:1; } route / { canary { variant a 100%; } proxy a; }", None, ""),
    ("use jwt; route / { jwt { issuer x; key secret:0123456789012345678901234567890123456789 alg=HS256; } respond 200; }", None, "audience"),
    ("use nothing; route / { respond 200; }", 5, "nothing"),
    ("modules ./none; use jwt; route / { respond 200; }", None, "jwt"),
])
def test_errors(check, text, column, says):
    done = check(text)
    assert done.returncode == 1 and done.stdout == ""
    found = [b for b in blocks(done.stderr) if b[3] == "error"]
    assert found and any(says in b[4] + b[7] for b in found), done.stderr
    if column:
        assert column in [b[2] for b in found], done.stderr


@pytest.mark.parametrize("text, line", [
    ("route / { respond 200; }\nroute / { respond 201; }", 2),
    ("route /a { match header x present; respond 200; }\nroute /a { match header x present; respond 201; }", 2),
    ("host h { route / { respond 200; } }\nhost h { route / { respond 201; } }", 2),
])
def test_a_route_that_can_never_match_is_a_warning(check, text, line):
    done = check(text)
    assert done.returncode == 0
    found = blocks(done.stderr)
    assert [(b[1], b[3]) for b in found] == [(line, "warning")], done.stderr


def test_included_files_have_their_own_places(check, tmp_path):
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "a.conf").write_text("route /a { respond 200; }\n")
    (tmp_path / "conf.d" / "b.conf").write_text("\nroute /b { respnd 200; }\n")
    done = run_good(tmp_path, "include conf.d/*.conf;\nlistener l { bind 127.0.0.1:1; }")
    assert done.returncode == 1
    file, line, column, *_ = one(done)
    assert (file, line, column) == ("conf.d/b.conf", 2, 12)
    # From elsewhere: the directory of the including file, as it was given, and the name.
    found = blocks(run_weir("check", "-c", str(tmp_path / "gateway.conf")).stderr)
    assert found[0][0] == str(tmp_path / "conf.d" / "b.conf")
    (tmp_path / "conf.d" / "b.conf").unlink()
    assert run_good(tmp_path, "include conf.d/*.conf;\ninclude none.d/*.conf;").returncode == 0
    # A file that includes itself ends.
    assert one(run_good(tmp_path, "include gateway.conf;"))[1] == 1


def run_good(tmp_path, text, *words, env=None):
    (tmp_path / "gateway.conf").write_text(text)
    return run_weir("check", "-c", "gateway.conf", *words, cwd=tmp_path, env=env)


FULL = """
workers 2;
use jwt rate_limit circuit_breaker canary;
access_log stdout format=json;
trusted_proxies 10.0.0.0/8 2001:db8::/32;
store main { url ${env.WEIR_TEST_REDIS}; timeout 5ms; }
admin { bind 127.0.0.1:9901; bind unix:/tmp/weir-none/admin.sock; }
listener public { bind 0.0.0.0:8080; limits { request_line 4k; connections=100; } timeouts { head 5s; } }
upstream one {
    endpoint 127.0.0.1:9001 weight=2;
    endpoint orders.internal:9001;
    balance least_request;
    limits connections=1024 pending=256 requests=1024;
    health_check { path /healthz; interval 10s; timeout 2s; healthy 2; unhealthy 3; expect 200-299; }
    outlier { consecutive 5; interval 10s; eject 30s; max_ejected 50%; }
    retry { attempts 2; on connect_failure reset 502 503 504; per_try_timeout 2s; budget 20%; }
    circuit_breaker { window 10s; min_requests 20; failure_rate 50%; slow 2s 80%; open 5s max=60s; probes 5; }
}
upstream two { endpoint 127.0.0.1:9003; }
policy known { jwt { issuer https://idp.example.com/; audience orders; key secret:${file:secret} alg=HS256; } }
host api.example.com *.api.example.com {
    route /orders/ {
        methods GET POST;
        apply known;
        rate_limit { rate 100/s burst=200; key ${jwt.sub}; store main; on_store_error local; }
        canary { variant one 95%; variant two 5%; sticky cookie weir_variant; force header x-canary = always to two; }
        timeout 30s;
        max_body 10m;
    }
}
route = /status name=status { respond 200 "ok \\"quoted\\" \\\\ back\\n\\ttab" type=text/plain; }
route ~ ^/v[0-9]+/legacy/ { redirect 308 https://${request.host}/new${request.path}; }
route /odd { match header x-a ~ '^[a-z ]+;{}#$'; respond 200 '${literal}'; }
route / { proxy one; strip_prefix /api; }
test "status" { request GET http://a/status; expect status 200; expect route status; }
"""
SECRETS = {"WEIR_TEST_REDIS": "redis://user:hunter2hunter2@127.0.0.1:6379"}


@pytest.fixture
def full(tmp_path):
    (tmp_path / "secret").write_text("a secret that nobody may read, ever\n")
    limits = FULL.replace("limits { request_line 4k; connections=100; }", "limits { request_line 4k; connections 100; }")
    limits = limits.replace("'${literal}'", "literal")

    def run(text=limits, *words):
        return run_good(tmp_path, text, *words, env=SECRETS)
    return run


def test_secrets_do_not_show(full):
    done = full()
    assert done.returncode == 0, done.stderr
    for words in ((), ("--dump",)):
        done = full(FULL.replace("connections=100", "connections 100").replace("'${literal}'", "x"), *words)
        assert "hunter2" not in done.stdout + done.stderr and "nobody may read" not in done.stdout + done.stderr
    assert "***" in done.stdout
    # Nor in what is said of a mistake on their line.
    for line, wrong in (("timeout 5ms;", "timeot 5ms;"), ("timeout 5ms;", "timeout 5ms"), ("alg=HS256", "alg=HS257")):
        done = full(FULL.replace(line, wrong))
        assert done.returncode == 1
        assert "hunter2" not in done.stderr and "nobody may read" not in done.stderr, done.stderr


def test_dump_parses_back_to_the_same(full, tmp_path):
    done = full()
    assert done.returncode == 0, done.stderr
    first = run_weir("check", "-c", "gateway.conf", "--dump", cwd=tmp_path, env=SECRETS)
    assert first.returncode == 0 and first.stderr == ""
    # Defaults are there, included files in place; what was a secret is put back by hand.
    text = first.stdout
    assert "balance round_robin" in text and "max_body 1m" in text
    text = text.replace("url ***", "url " + SECRETS["WEIR_TEST_REDIS"])
    text = re.sub(r'"?secret:\*\*\*"?', "'secret:a secret that nobody may read, ever'", text)
    (tmp_path / "again.conf").write_text(text)
    second = run_weir("check", "-c", "again.conf", "--dump", cwd=tmp_path, env=SECRETS)
    assert second.returncode == 0, second.stderr
    strip = (lambda s: re.sub(r'"?(url|secret:)\s*\S*.*', r"\1", s))
    assert strip(second.stdout) == strip(first.stdout)


def test_a_dump_serves_like_the_original(weir, origin, check):
    conf = f"""
upstream o {{ endpoint {origin}; }}
host h.test {{ route /a {{ match header x-a ~ '^[a-z;]+$'; respond 200 "first\\n"; }} }}
route ~ "^/[0-9]{{3}}$" {{ respond 201 '"two"'; }}
route / {{ proxy o; strip_prefix /api; }}
"""
    w = weir(conf)
    with open(w.path) as f:
        dump = check(f.read(), "--dump").stdout
    assert w.reload(dump)[0] == 200, dump
    assert w.get("/a", {"X-A": "x;y"}, host="h.test").body == b"first\n"
    r = w.get("/123")
    assert (r.status, r.body) == (201, b'"two"')
    assert w.get("/api/x").json["target"] == "/x"


def test_tests_of_the_file(check):
    conf = """use jwt;
upstream o { endpoint 127.0.0.1:1; }
host api.test {
    route /orders { jwt { issuer https://i.test/; audience any; key "secret:0123456789012345678901234567890123456789" alg=HS256;
                          forward sub as X-User; } proxy o; }
}
route /here { match client 10.0.0.0/8; respond 200 "inside\\n"; }
route /here { respond 403 "outside\\n"; }
route /to { redirect 308 https://${request.host}/new; }
test "anonymous" { request GET http://api.test/orders; expect status 401; expect reason jwt_missing; expect route api.test/orders; }
test "known" {
    request GET http://api.test/orders;
    claims '{"sub": "alice"}';
    expect upstream o;
    expect header X-User alice;
}
test "inside" { request GET http://a/here; client 10.1.2.3; expect body "inside\\n"; }
test "outside" { request GET http://a/here; expect status 403; }
test "moved" { request GET http://a/to; expect status 308; expect header Location https://a/new; }
test "nothing" { request GET http://a/; expect reason no_route; }
"""
    done = check(conf)
    assert (done.returncode, done.stderr) == (0, "")
    done = check(conf.replace("respond 403", "respond 404").replace("sub as X-User;", "sub as X-Who;"))
    found = blocks(done.stderr)
    assert done.returncode == 1 and [b[3] for b in found] == ["error", "error"]
    assert 'test "known"' in found[0][4] and "X-User" in found[0][4] + found[0][5] and found[0][1] == 15
    assert 'test "outside"' in found[1][4] and "403" in found[1][4] and "404" in found[1][4]


@pytest.mark.parametrize("words, code", [(["--what"], 2), (["-c"], 2), (["more"], 2), (["-c", "none.conf"], 1), (["-c", "/"], 1)])
def test_wrong_words(tmp_path, words, code):
    done = run_weir("check", *words, cwd=tmp_path)
    assert done.returncode == code and done.stdout == "" and done.stderr
    if code == 1:
        assert len(done.stderr.splitlines()) == 1 and words[-1] in done.stderr


def test_odd_files(check, tmp_path):
    for text, code in (("", 0), ("# only a comment", 0), ("\ufeffworkers 1;", None), ("workers 1;\r\nroute / { respond 200; }\r\n", None)):
        done = check(text)
        if code is not None:
            assert done.returncode == code, (text, done.stderr)
        assert done.returncode in (0, 1)
    (tmp_path / "binary.conf").write_bytes(bytes(range(256)) * 64)
    done = run_weir("check", "-c", "binary.conf", cwd=tmp_path)
    assert done.returncode == 1 and all(c.isprintable() or c in "\n\t" for c in done.stderr)
    (tmp_path / "deep.conf").write_text("route / {" * 10000)
    assert run_weir("check", "-c", "deep.conf", cwd=tmp_path).returncode == 1
    (tmp_path / "long.conf").write_text("route / { respond 200 '" + "x" * 3_000_000 + "'; }")
    assert run_weir("check", "-c", "long.conf", cwd=tmp_path).returncode in (0, 1)


def test_help(tmp_path):
    done = run_weir("help", "rate_limit")
    assert done.returncode == 0 and "rate" in done.stdout
    done = run_weir("help", "workrs")
    assert done.returncode == 1 and "workers" in done.stderr
    done = run_weir("help")
    assert done.returncode == 0 and all(word in done.stdout for word in ("weir run", "weir check", "weir explain", "upstream"))
    done = run_weir("version")
    assert done.returncode == 0 and re.match(r"weir \d+\.\d+", done.stdout)
    done = run_weir("nonsense")
    assert done.returncode == 2 and "nonsense" in done.stderr


def test_it_opens_nothing(check, weir, tmp_path):
    """Neither its ports, nor its sockets and logs, nor the rights that these take."""
    w = weir("route / { respond 200 x; }")  # its port and admin socket are taken
    text = (f"access_log {tmp_path}/new.log;\nadmin {{ bind unix:{w.admin_path}; bind unix:/nowhere/a.sock; }}\n"
            f"listener l {{ bind {w.port}; bind 127.0.0.1:1; bind 192.0.2.1:8080; }}\nroute / {{ respond 200 x; }}\n")
    done = check(text)
    assert (done.returncode, done.stderr) == (0, "")
    assert check(text.replace(f"{tmp_path}/new.log", "/nowhere/new.log")).returncode == 0
    assert run_weir("explain", "-c", "gateway.conf", "GET", "http://a/", cwd=tmp_path).returncode == 0
    assert sorted(f.name for f in tmp_path.iterdir()) == ["gateway.conf"]
    assert w.get("/").status == 200


def test_a_variable_of_a_policy_that_runs_later_is_a_warning(check):
    """A limit that replaces one of the top keeps its place, before the jwt of its route: all its callers would share one bucket."""
    jwt = "jwt { audience a; key secret:0123456789012345678901234567890123456789 alg=HS256; }"
    done = check(f"""use jwt rate_limit;
rate_limit {{ key ${{client.ip}}; rate 10/s; }}
route /a {{
    rate_limit {{ key ${{jwt.sub}}; rate 10/s; }}
    {jwt}
    respond 200;
}}
""")
    assert done.returncode == 0
    found = blocks(done.stderr)
    assert [(b[1], b[3]) for b in found] == [(4, "warning")], done.stderr
    assert "${jwt.sub}" in found[0][4] and "gateway.conf:5" in found[0][4] and "gateway.conf:3" in found[0][4]
    assert "write `jwt` before the outermost `rate_limit`" in found[0][7]
    assert not check(f"use jwt rate_limit; {jwt} rate_limit {{ rate 10/s; }} route /a {{ rate_limit {{ key ${{jwt.sub}}; rate 1/s; }} respond 200; }}").stderr


def test_one_line_is_warned_of_once_for_all_its_routes(check):
    routes = "\n".join(f"route /{i} {{ respond 200; }}" for i in range(500))
    done = check(f"use jwt rate_limit;\nrate_limit {{ key ${{jwt.sub}}; rate 10/s; }}\n{routes}")
    assert done.returncode == 0
    found = blocks(done.stderr)
    assert [(b[1], b[3]) for b in found] == [(2, "warning")], done.stderr
    assert "no policy of module `jwt`" in found[0][4] and "gateway.conf:3" in found[0][4]
