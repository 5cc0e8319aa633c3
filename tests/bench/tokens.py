"""Keys and tokens for the JWT scenarios."""
import base64
import json
import time

from cryptography.hazmat.primitives import hashes, hmac, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

SECRET = "0123456789abcdef0123456789abcdef"


def b64(b):
    return base64.urlsafe_b64encode(b).rstrip(b"=")


def mac(text):
    h = hmac.HMAC(SECRET.encode(), hashes.SHA256())
    h.update(text)
    return h.finalize()


class Tokens:
    """Signs with one algorithm. The public key stands in `path` (the secret itself is the key of HS256)."""

    def __init__(self, alg, directory):
        self.alg, self.path = alg, f"{directory}/{alg}.pem"
        self.exp = int(time.time()) + 86400
        if alg == "HS256":
            self.sign = mac
            return
        if alg == "RS256":
            key = rsa.generate_private_key(65537, 2048)
            self.sign = lambda text: key.sign(text, padding.PKCS1v15(), hashes.SHA256())
        else:
            key = ec.generate_private_key(ec.SECP256R1())
            self.sign = lambda text: self.raw(key.sign(text, ec.ECDSA(hashes.SHA256())))
        with open(self.path, "wb") as f:
            f.write(
                key.public_key().public_bytes(
                    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
                )
            )

    @staticmethod
    def raw(der):
        r, s = utils.decode_dss_signature(der)
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def token(self, subject="ada"):
        claims = {"iss": "bench", "aud": "bench", "sub": subject, "exp": self.exp}
        text = b64(json.dumps({"alg": self.alg, "typ": "JWT"}).encode()) + b"." + b64(json.dumps(claims).encode())
        return (text + b"." + b64(self.sign(text))).decode()

    def lua(self, n):
        """A script for wrk: one token, or n in turn."""
        if n == 1:
            return f'wrk.headers["Authorization"] = "Bearer {self.token()}"\n'
        with open(f"{self.path}.tokens", "w") as f:
            f.writelines(self.token(f"user-{i}") + "\n" for i in range(n))
        return f"""local requests, at = {{}}, 0
            function init(args)
              for token in io.lines("{self.path}.tokens") do
                wrk.headers["Authorization"] = "Bearer " .. token
                requests[#requests + 1] = wrk.format()
              end
            end
            function request() at = at % #requests + 1; return requests[at] end"""

    def weir(self, more=""):
        key = f"secret:{SECRET}" if self.alg == "HS256" else f"file:{self.path}"
        return f"jwt {{ issuer bench; audience bench; key {key} alg={self.alg}; {more} }}"

    def haproxy(self):
        """The same checks: signature, algorithm, issuer, audience, expiry."""
        key = SECRET if self.alg == "HS256" else self.path
        return f"""
    http-request set-var(txn.bearer) http_auth_bearer
    http-request deny unless {{ var(txn.bearer),jwt_header_query('$.alg') -m str {self.alg} }}
    http-request deny unless {{ var(txn.bearer),jwt_payload_query('$.iss') -m str bench }}
    http-request deny unless {{ var(txn.bearer),jwt_payload_query('$.aud') -m str bench }}
    http-request set-var(txn.now) date()
    http-request deny if {{ var(txn.bearer),jwt_payload_query('$.exp','int'),sub(txn.now) -m int lt 0 }}
    http-request deny unless {{ var(txn.bearer),jwt_verify("{self.alg}","{key}") 1 }}
"""
