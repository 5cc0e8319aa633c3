"""JSON Web Tokens and key sets, written by hand so that wrong ones can be made as easily as right ones."""
import base64
import hashlib
import hmac
import json
import time

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils


def b64(data):
    if isinstance(data, (dict, list)):
        data = json.dumps(data).encode()
    if isinstance(data, str):
        data = data.encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(n, size=None):
    return b64(n.to_bytes(size or (n.bit_length() + 7) // 8, "big"))


class Key:
    """Something that signs. claims: given members over the usual ones; None takes a member away."""

    alg = None

    def __init__(self, kid=None):
        self.kid = kid

    def claims(self, **given):
        now = int(time.time())
        base = {"iss": "https://idp.test/", "aud": "orders", "sub": "alice", "iat": now, "exp": now + 3600}
        return {k: v for k, v in {**base, **given}.items() if v is not None}

    def token(self, header=None, payload=None, **claims):
        head = {"alg": self.alg, "typ": "JWT"}
        if self.kid:
            head["kid"] = self.kid
        head = {k: v for k, v in {**head, **(header or {})}.items() if v is not None}
        signed = b64(head) + "." + b64(payload if payload is not None else self.claims(**claims))
        return signed + "." + b64(self.sign(signed.encode(), head.get("alg")))

    def bearer(self, *args, **kwargs):
        return {"Authorization": "Bearer " + self.token(*args, **kwargs)}

    def sign(self, data, alg):
        raise NotImplementedError

    def save(self, path):
        """The public key in PEM form."""
        path.write_bytes(self.private.public_key().public_bytes(serialization.Encoding.PEM,
                                                                serialization.PublicFormat.SubjectPublicKeyInfo))
        return path


class Secret(Key):
    alg = "HS256"

    def __init__(self, text="a secret that is long enough to be one", kid=None):
        super().__init__(kid)
        self.text = text

    def sign(self, data, alg):
        name = {"HS384": "sha384", "HS512": "sha512"}.get(alg, "sha256")
        return hmac.new(self.text.encode(), data, getattr(hashlib, name)).digest()

    def jwk(self, **more):
        return {"kty": "oct", "k": b64(self.text), "alg": self.alg, "kid": self.kid, **more}


class RsaKey(Key):
    alg = "RS256"

    def __init__(self, kid="rsa", bits=2048):
        super().__init__(kid)
        self.private = rsa.generate_private_key(65537, bits)

    def sign(self, data, alg):
        digest = {"384": hashes.SHA384, "512": hashes.SHA512}.get((alg or "")[2:], hashes.SHA256)()
        if (alg or "").startswith("PS"):
            return self.private.sign(data, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
        return self.private.sign(data, padding.PKCS1v15(), digest)

    def jwk(self, **more):
        n = self.private.public_key().public_numbers()
        return {"kty": "RSA", "kid": self.kid, "n": number(n.n), "e": number(n.e), **more}


class EcKey(Key):
    alg = "ES256"

    def __init__(self, kid="ec"):
        super().__init__(kid)
        self.private = ec.generate_private_key(ec.SECP256R1())

    def sign(self, data, alg):
        r, s = utils.decode_dss_signature(self.private.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def jwk(self, **more):
        n = self.private.public_key().public_numbers()
        return {"kty": "EC", "crv": "P-256", "kid": self.kid, "x": number(n.x, 32), "y": number(n.y, 32), **more}


class EdKey(Key):
    alg = "EdDSA"

    def __init__(self, kid="ed"):
        super().__init__(kid)
        self.private = ed25519.Ed25519PrivateKey.generate()

    def sign(self, data, alg):
        return self.private.sign(data)

    def jwk(self, **more):
        x = self.private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return {"kty": "OKP", "crv": "Ed25519", "kid": self.kid, "x": b64(x), **more}
