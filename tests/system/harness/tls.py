"""Certificates made on the spot, what their authorities revoke, and OpenSSL's own client."""
import os
import ssl
import subprocess
import tempfile

KEYS = {"ec": ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"], "rsa": ["rsa:2048"], "ed25519": ["ed25519"]}


def openssl(*words, **how):
    done = subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True, timeout=60, **how)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Certificate:
    """A certificate for names: self-signed (and then good as a CA), or signed by issuer (good as a CA if authority says so). A name is a host, an address, or has its kind
    in front ("URI:spiffe://a/b")."""

    def __init__(self, directory, *names, key="ec", days=2, password=None, issuer=None, subject=None, file=None, authority=False):
        base = f"{directory}/{file or names[0].replace('*', 'wild')}" + ("" if key == "ec" else f"-{key}")
        self.file, self.key = base + ".crt", base + ".key"
        self.names, self.issuer = names, issuer
        kinds = ",".join(n if ":" in n else ("IP:" if n.replace(".", "").isdigit() else "DNS:") + n for n in names)
        openssl("req", "-x509", "-newkey", *KEYS[key], "-days", days, "-subj", subject or f"/CN={names[0]}",
                "-addext", f"subjectAltName={kinds}", "-keyout", self.key, "-out", self.file,
                *(["-passout", "pass:" + password] if password else ["-nodes"]),
                *(["-CA", issuer.file, "-CAkey", issuer.key, "-extensions", "v3_ca" if authority else "usr_cert"] if issuer else []))

    def client(self, certificate=None):
        """A client context that trusts it alone; certificate: the client's own."""
        context = ssl.create_default_context(cafile=self.file)
        if certificate:
            context.load_cert_chain(certificate.file, certificate.key)
        return context

    def server(self, clients=None):
        """clients: the CA of those that may come."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.file, self.key)
        if clients:
            context.load_verify_locations(clients.file)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


def make_crl(issuer, file, *revoked, ended=False, form="PEM"):
    """The list of what issuer has revoked; ended: one that ran out long ago."""
    with tempfile.TemporaryDirectory() as d:
        with open(d + "/conf", "w", encoding="ascii") as f:
            f.write(f"[ca]\ndefault_ca = one\n[one]\ndatabase = {d}/index\ndefault_md = sha256\ndefault_crl_days = 2\n")
        with open(d + "/index", "w", encoding="ascii"):
            pass
        words = ["ca", "-config", d + "/conf", "-cert", issuer.file, "-keyfile", issuer.key]
        for c in revoked:
            openssl(*words, "-revoke", c.file)
        openssl(*words, "-gencrl", "-out", d + "/crl", *(["-crl_lastupdate", "20200101000000Z", "-crl_nextupdate", "20200201000000Z"] if ended else []))
        openssl("crl", "-in", d + "/crl", "-outform", form, "-out", d + "/new")
        os.replace(d + "/new", file)
    return file


def s_client(port, *words, send=""):
    """What `openssl s_client` says of a handshake with a port of weir, and gets for what it sends."""
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port.number}", *map(str, words)], input=send,
                          capture_output=True, text=True, errors="replace", timeout=60)
    return done.stdout + done.stderr
