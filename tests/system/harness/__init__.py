"""The system tests' harness: a real weir, origins that do as they are told, a real Redis, and a client that sees every byte."""
from .client import Conn, one_line
from .daemon import Weir, run_weir, sanitized
from .h2 import H2
from .h2_origin import H2Origin
from .message import Request, Response
from .origin import Blackhole, Origin, TlsOrigin
from .peers import HaProxy, Nginx
from .ports import Port
from .redis import FakeRedis, Redis
from .tls import Certificate, make_crl, openssl, s_client
from .tokens import EcKey, EdKey, RsaKey, Secret, b64
from .wait import DEADLINE, eventually
from .wrk import Wrk

__all__ = ["Blackhole", "Certificate", "Conn", "DEADLINE", "EcKey", "EdKey", "FakeRedis", "H2", "H2Origin", "HaProxy", "Nginx", "Origin", "Port",
           "Redis", "Request", "Response", "RsaKey", "Secret", "TlsOrigin", "Weir", "Wrk", "b64", "eventually", "make_crl", "one_line", "openssl",
           "run_weir", "s_client", "sanitized"]
