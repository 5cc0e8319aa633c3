"""Certificates made on the spot."""
import ssl
import subprocess


class Certificate:
    """A self-signed certificate for names, and a client context that trusts it alone."""

    def __init__(self, directory, *names):
        self.file = str(directory / f"{names[0]}.crt")
        self.key = str(directory / f"{names[0]}.key")
        kinds = ",".join(("IP:" if n.replace(".", "").isdigit() else "DNS:") + n for n in names)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                        "-subj", f"/CN={names[0]}", "-addext", f"subjectAltName={kinds}", "-keyout", self.key, "-out", self.file],
                       check=True, capture_output=True)

    def client(self):
        return ssl.create_default_context(cafile=self.file)

    def server(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.file, self.key)
        return context
