"""jwt: which tokens pass, what the others are told, and where the keys come from."""
import json
import threading
import time

import pytest

from harness import b64, eventually

pytestmark = pytest.mark.workers

BASE = """
use jwt;
route /o/ { jwt { @JWT@ } proxy o; }
upstream o { endpoint @O@; }
"""
COMMON = "issuer https://idp.test/; audience orders; algorithms HS256 RS256 ES256; leeway 60s; "


@pytest.fixture
def start(weir, origin, secret):
    def run(jwt, **values):
        return weir(BASE.replace("@JWT@", jwt), O=origin, SECRET=secret.text, **values)
    return run


@pytest.fixture
def w(start):
    return start(COMMON + 'key "secret:@SECRET@" alg=HS256;')


def refused(r, reason, status=401, error="invalid_token"):
    assert (r.status, r.reason) == (status, reason), r
    challenge = r.get("WWW-Authenticate")
    if status in (401, 403):
        assert challenge == ("Bearer" if error is None else f'Bearer error="{error}"')
    else:
        assert challenge is None
    return r


# ---- each row of the table ----

def test_a_good_token_passes(w, origin, secret):
    r = w.get("/o/x", secret.bearer())
    assert r.status == 200
    assert origin.request("/o/x").get("Authorization").startswith("Bearer ")
    assert any(d["subject"] == "jwt" and d["verdict"] == "pass" for d in w.logged(r)["why"])


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic eDp5"}, {"Authorization": "Bearerx y"}, {"Authorization": "Token x"}])
def test_missing(w, origin, headers):
    refused(w.get("/o/x", headers), "jwt_missing", error=None)
    assert origin.count("/o/x") == 0


def test_scheme_is_not_case_sensitive(w, secret):
    assert w.get("/o/x", {"Authorization": "bEaReR " + secret.token()}).status == 200


def test_repeated_authorization(w, secret):
    r = w.get("/o/x", [("Authorization", "Bearer " + secret.token())] * 2)
    assert (r.status, r.reason) == (400, "bad_request")


def malformed(secret):
    good = secret.token()
    head, body, signature = good.split(".")
    claims = secret.claims()
    raw = json.dumps(claims)
    sign = secret.token
    return {
        "empty": "", "one part": "abc", "two parts": head + "." + body, "four parts": good + ".x", "not base64": head + ".%%%." + signature,
        "padding": head + "=." + body + "." + signature,
        "no json": sign(payload="{nonsense"), "an array": sign(payload="[1]"),
        "repeated member": sign(payload=raw[:-1] + ', "sub": "root"}'),
        "repeated header member": b64('{"alg":"HS256","alg":"HS256"}') + "." + body + "." + signature,
        "crit": sign(header={"crit": ["b64"], "b64": False}),
        "alg is a number": sign(header={"alg": 1}), "kid is a number": sign(header={"kid": 1}),
        "exp is text": sign(exp="tomorrow"), "nbf is text": sign(nbf="now"), "sub is a number": sign(sub=5), "iss is a list": sign(iss=["x"]),
        "no exp": sign(exp=None), "oversize": sign(filler="x" * 20000), "nul": sign(payload='{"a":"\\u0000"}')[:-4] + "\x7f",
    }


@pytest.mark.parametrize("case", ["empty", "one part", "two parts", "four parts", "not base64", "padding", "no json", "an array",
                                  "repeated member", "repeated header member", "crit", "alg is a number", "kid is a number", "exp is text",
                                  "nbf is text", "sub is a number", "iss is a list", "no exp"])
def test_malformed(w, secret, case):
    refused(w.get("/o/x", {"Authorization": "Bearer " + malformed(secret)[case]}), "jwt_malformed")


def test_oversize(weir, origin, secret):
    w = weir("listener main { bind @LISTEN@; limits { field 64k; head 128k; } }\n" + BASE.replace("@JWT@", COMMON + 'key "secret:@SECRET@" alg=HS256;'),
             O=origin, SECRET=secret.text)
    refused(w.get("/o/x", {"Authorization": "Bearer " + malformed(secret)["oversize"]}), "jwt_malformed")


def test_bad_signature(w, secret):
    head, body, signature = secret.token().split(".")
    refused(w.get("/o/x", {"Authorization": f"Bearer {head}.{b64(secret.claims(sub='root'))}.{signature}"}), "jwt_bad_signature")
    refused(w.get("/o/x", {"Authorization": f"Bearer {head}.{body}."}), "jwt_bad_signature")


def test_times(w, secret):
    now = int(time.time())
    refused(w.get("/o/x", secret.bearer(exp=now - 70)), "jwt_expired")
    refused(w.get("/o/x", secret.bearer(nbf=now + 120)), "jwt_not_yet_valid")
    # Within the leeway of 60 s.
    assert w.get("/o/x", secret.bearer(exp=now - 30)).status == 200
    assert w.get("/o/x", secret.bearer(nbf=now + 30)).status == 200
    assert w.get("/o/x", secret.bearer(exp=now + 100.5)).status == 200


def test_issuer_and_audience(w, secret):
    refused(w.get("/o/x", secret.bearer(iss="https://other/")), "jwt_bad_issuer")
    refused(w.get("/o/x", secret.bearer(iss=None)), "jwt_bad_issuer")
    refused(w.get("/o/x", secret.bearer(aud="other")), "jwt_bad_audience")
    refused(w.get("/o/x", secret.bearer(aud=None)), "jwt_bad_audience")
    assert w.get("/o/x", secret.bearer(aud=["x", "orders"])).status == 200


@pytest.mark.parametrize("header", [{"alg": "none"}, {"alg": "NONE"}, {"alg": "HS512"}, {"alg": "XX"}, {"alg": "PS256"}])
def test_algorithms_that_are_not_accepted(w, secret, header):
    refused(w.get("/o/x", secret.bearer(header=header)), "jwt_alg_refused")


def test_a_public_key_is_no_secret(start, rsa, tmp_path):
    """The classic confusion: HS256 signed with the bytes of the RSA public key."""
    from harness import Secret
    pem = rsa.save(tmp_path / "k.pem")
    w = start(COMMON + "key file:@PEM@ alg=RS256 kid=rsa;", PEM=pem)
    assert w.get("/o/x", rsa.bearer()).status == 200
    refused(w.get("/o/x", Secret(pem.read_text(), kid="rsa").bearer()), "jwt_alg_refused")


def test_unknown_key(start, rsa, rsa2, tmp_path):
    w = start(COMMON + "key file:@PEM@ alg=RS256 kid=rsa;", PEM=rsa.save(tmp_path / "k.pem"))
    refused(w.get("/o/x", rsa2.bearer()), "jwt_unknown_key")
    # The kid of another key's owner.
    refused(w.get("/o/x", rsa2.bearer(header={"kid": "rsa"})), "jwt_bad_signature")


def test_claims_that_are_asked_for(start, secret):
    w = start(COMMON + 'key "secret:@SECRET@" alg=HS256; require scope orders:read orders:write; require any role admin ops; require level 5;')

    def ask(**claims):
        return w.get("/o/x", secret.bearer(**claims))
    good = {"scope": "orders:write x orders:read", "role": ["dev", "ops"], "level": 5}
    assert ask(**good).status == 200
    for bad in ({"scope": "orders:read"}, {"scope": None}, {"scope": "orders:readorders:write"}, {"role": ["dev"]}, {"role": "admins"}, {"level": 6}):
        refused(ask(**{**good, **bad}), "jwt_claim_refused", 403, "insufficient_scope")
    assert ask(**{**good, "scope": ["orders:read", "orders:write"], "role": "ops dev"}).status == 200


def test_forward(start, origin, secret):
    w = start(COMMON + 'key "secret:@SECRET@" alg=HS256; forward sub as X-User-Id; forward level as X-Level; forward gone as X-Gone;')
    spoof = {"X-User-Id": "root", "X-Gone": "spoofed", "x-level": "9"}
    assert w.get("/o/x", {**secret.bearer(sub="alice", level=3), **spoof}).status == 200
    got = origin.request("/o/x")
    assert got.headers.all("X-User-Id") == ["alice"] and got.headers.all("X-Level") == ["3"] and not got.headers.has("X-Gone")


def test_forward_of_control_bytes(start, origin, secret):
    w = start(COMMON + 'key "secret:@SECRET@" alg=HS256; forward sub as X-User-Id;')
    r = w.get("/o/x", secret.bearer(sub="a\r\nX-Admin: 1"))
    if r.status == 200:
        assert not origin.request("/o/x").headers.has("X-Admin")
        assert "\r" not in (origin.request("/o/x").get("X-User-Id") or "")


def test_audience_any_and_exp_off(start, secret):
    w = start('audience any; require_exp off; key "secret:@SECRET@" alg=HS256;')
    assert w.get("/o/x", secret.bearer(aud=None, exp=None, iss=None)).status == 200


def test_variables_of_claims(weir, secret):
    w = weir("""
use jwt;
route / { jwt { audience any; key "secret:@SECRET@" alg=HS256; } respond 200 "${jwt.sub}|${jwt.level}|${jwt.gone}"; }
""", SECRET=secret.text)
    assert w.get("/", secret.bearer(sub="alice", level=7)).text == "alice|7|"


# ---- algorithms ----

def test_rs_ps_es_ed_from_a_key_set(start, rsa, ec, ed, tmp_path):
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [rsa.jwk(), ec.jwk(), ed.jwk(), {"kty": "new-kind", "kid": "z"}]}))
    w = start("audience orders; jwks file:@KEYS@; algorithms RS256 RS384 RS512 PS256 PS384 PS512 ES256 EdDSA;", KEYS=tmp_path / "keys.json")
    for alg in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"):
        assert w.get("/o/x", rsa.bearer(header={"alg": alg})).status == 200, alg
    assert w.get("/o/x", ec.bearer()).status == 200
    assert w.get("/o/x", ed.bearer()).status == 200
    # A kid whose key is of another kind.
    refused(w.get("/o/x", ec.bearer(header={"kid": "rsa"})), "jwt_alg_refused")
    refused(w.get("/o/x", rsa.bearer(header={"kid": "nobody"})), "jwt_unknown_key")
    # Without a kid every key of the kind is tried.
    assert w.get("/o/x", rsa.bearer(header={"kid": None})).status == 200


def test_a_key_that_names_its_algorithm(start, rsa, tmp_path):
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [rsa.jwk(alg="RS256", use="sig")]}))
    w = start("audience orders; jwks file:@KEYS@;", KEYS=tmp_path / "keys.json")
    assert w.get("/o/x", rsa.bearer()).status == 200
    refused(w.get("/o/x", rsa.bearer(header={"alg": "RS512"})), "jwt_alg_refused")


def test_a_forged_ecdsa_signature(start, ec, tmp_path):
    """r = s = 0 was accepted by more than one library (CVE-2022-21449)."""
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [ec.jwk()]}))
    w = start("audience orders; jwks file:@KEYS@;", KEYS=tmp_path / "keys.json")
    head, body, _ = ec.token().split(".")
    for forged in (b"\0" * 64, b"\0" * 63, b"\xff" * 64, b""):
        refused(w.get("/o/x", {"Authorization": f"Bearer {head}.{body}.{b64(forged)}"}), "jwt_bad_signature")


# ---- keys by URL ----

class Idp:
    """Serves a key set that can change, fail or hang."""

    def __init__(self, origin, *keys):
        self.origin, self.keys, self.mode = origin, list(keys), "good"
        origin.on("/jwks.json", self.serve)

    @property
    def url(self):
        return f"http://{self.origin}/jwks.json"

    @property
    def fetches(self):
        return self.origin.count("/jwks.json")

    def serve(self, conn, _):
        if self.mode == "good":
            conn.answer(200, json.dumps({"keys": [k.jwk() for k in self.keys]}).encode(), [("Content-Type", "application/json")])
        elif self.mode == "hang":
            self.origin.releases.acquire(timeout=20)
            conn.answer(500)
        elif self.mode == "bad":
            conn.answer(200, b"this is not a key set")
        else:
            conn.answer(500)


@pytest.fixture
def idp(make_origin, rsa):
    return Idp(make_origin("idp"), rsa)


def test_jwks_by_url(start, idp, rsa):
    w = start(COMMON + "jwks @IDP@ ttl=10m;", IDP=idp.url)
    for _ in range(5):
        assert w.get("/o/x", rsa.bearer()).status == 200
    assert idp.fetches == 1


def test_rotation_is_noticed_by_an_unknown_kid(start, idp, rsa, rsa2):
    w = start(COMMON + "jwks @IDP@ ttl=10m refetch=100ms;", IDP=idp.url)
    assert w.get("/o/x", rsa.bearer()).status == 200
    refused(w.get("/o/x", rsa2.bearer()), "jwt_unknown_key")
    idp.keys = [rsa2]
    eventually(lambda: w.get("/o/x", rsa2.bearer()).status == 200, "the new key")
    # The old key is gone with the set that held it, also for tokens that were remembered.
    refused(w.get("/o/x", rsa.bearer()), "jwt_unknown_key")


def test_unknown_kids_cannot_flood_the_idp(start, idp, rsa, rsa2):
    w = start(COMMON + "jwks @IDP@ ttl=10m refetch=10m;", IDP=idp.url)
    assert w.get("/o/x", rsa.bearer()).status == 200
    with w.connect() as c:
        for i in range(30):
            refused(c.get("/o/x", rsa2.bearer(header={"kid": f"k{i}"})), "jwt_unknown_key")
    assert idp.fetches <= 2


def test_idp_down_from_the_start(start, idp, rsa):
    """Missing keys are 503, never 401, and never change /ready."""
    idp.mode = "down"
    w = start(COMMON + "jwks @IDP@ ttl=10m refetch=100ms timeout=300ms;", IDP=idp.url)
    r = refused(w.get("/o/x", rsa.bearer()), "jwt_keys_unavailable", 503)
    assert int(r.get("Retry-After")) >= 1
    assert w.admin("GET", "/ready")[0] == 200
    refused(w.get("/o/x"), "jwt_missing", error=None)
    idp.mode = "good"
    eventually(lambda: w.get("/o/x", rsa.bearer()).status == 200, "the keys")


@pytest.mark.parametrize("mode", ["down", "bad", "hang"])
def test_idp_down_later(start, idp, rsa, mode):
    """The last good set is kept."""
    w = start(COMMON + "jwks @IDP@ ttl=1s refetch=100ms timeout=200ms;", IDP=idp.url)
    assert w.get("/o/x", rsa.bearer()).status == 200
    idp.mode = mode
    n = idp.fetches
    eventually(lambda: idp.fetches >= n + 2, "two more fetches")
    assert w.get("/o/x", rsa.bearer(sub="new token")).status == 200
    idp.origin.release(100)


def test_requests_wait_for_the_first_keys_together(start, idp, rsa):
    idp.mode = "hang"
    idp.origin.on("/jwks.json", lambda conn, r: idp.origin.releases.acquire(timeout=20) and setattr(idp, "mode", "good") or idp.serve(conn, r))
    w = start(COMMON + "jwks @IDP@ ttl=10m refetch=100ms;", IDP=idp.url, ready=False)
    clients = [w.connect() for _ in range(10)]
    for c in clients:
        c.write("GET", "/o/x", rsa.bearer())
    idp.origin.request("/jwks.json")
    idp.origin.release()
    answers = [c.response().status for c in clients]
    assert set(answers) <= {200, 503} and 200 in answers
    assert idp.fetches == 1
    for c in clients:
        c.close()


def test_keys_survive_a_reload(start, idp, rsa):
    w = start(COMMON + "jwks @IDP@ ttl=10m;", IDP=idp.url)
    assert w.get("/o/x", rsa.bearer()).status == 200
    idp.mode = "down"
    assert w.reload()[0] == 200
    assert w.get("/o/x", rsa.bearer(sub="another")).status == 200


def test_tokens_in_parallel(w, secret):
    """Remembered tokens and new ones, from several threads, never take each other's place."""
    wrong = []

    def client(n):
        with w.connect() as c:
            for i in range(50):
                good = c.get("/o/x", secret.bearer(sub=f"u{n % 3}"))
                bad = c.get("/o/x", secret.bearer(sub=f"u{n % 3}", iss="https://other/"))
                if (good.status, bad.status) != (200, 401):
                    wrong.append((good, bad))
    threads = [threading.Thread(target=client, args=(n,)) for n in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert wrong == []
