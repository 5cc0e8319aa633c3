import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))

pytest.register_assert_rewrite("conformance", "corpus.judge")

import corpus.summary  # noqa: E402
from harness import Blackhole, Certificate, EcKey, EdKey, H2Origin, HaProxy, Nginx, Origin, Redis, RsaKey, Secret, TlsOrigin, Weir, run_weir  # noqa: E402
from harness.daemon import BINARY  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "load: needs minutes of processor time under a sanitizer")
    config.addinivalue_line("markers", "workers: says something where several workers are under way at once; runs under ThreadSanitizer")
    if not os.access(BINARY, os.X_OK):
        raise pytest.UsageError(f"{BINARY} is missing: run ./runtests.sh, or say WEIR_BIN=/path/to/weir")


def pytest_terminal_summary(terminalreporter):
    corpus.summary.write(terminalreporter)


def pytest_make_parametrize_id(val):
    """Bytes on the wire make long names, and names go into the environment."""
    return repr(val)[:60] if isinstance(val, (bytes, str)) and len(val) > 60 else None


@pytest.fixture
def weir():
    """Starts daemons; each must end well when the test is over."""
    started = []

    def start(conf, **how):
        started.append(Weir(conf, **how))
        return started[-1]
    yield start
    failures = []
    for w in reversed(started):
        try:
            w.close()
        except AssertionError as e:
            failures.append(str(e))
    assert not failures, "\n".join(failures)


def many(make):
    """A fixture that makes as many of something as a test asks for, and closes them."""
    def fixture():
        made = []

        def one(*args, **kwargs):
            made.append(make(*args, **kwargs))
            return made[-1]
        yield one
        for m in made:
            m.close()
    return pytest.fixture(fixture)


make_origin = many(Origin)
h2_origin = many(H2Origin)
nginx = many(Nginx)
haproxy = many(HaProxy)
make_redis = many(Redis)


@pytest.fixture
def origin(make_origin):
    return make_origin()


@pytest.fixture(params=["plain", "tls"])
def any_origin(request, certificate):
    """One for each way to reach it; what an upstream has to say for that is in its .conf."""
    o = TlsOrigin(certificate) if request.param == "tls" else Origin()
    yield o
    o.close()


@pytest.fixture
def redis(make_redis):
    return make_redis()


@pytest.fixture
def blackhole():
    b = Blackhole()
    yield b
    b.close()


@pytest.fixture
def check(tmp_path):
    """Writes a configuration and runs `weir check` on it from where it lies: check(text, *words) -> finished process."""
    def run(text, *words, name="gateway.conf", env=None):
        (tmp_path / name).write_text(text)
        return run_weir("check", "-c", name, *words, cwd=tmp_path, env=env)
    return run


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    return Certificate(tmp_path_factory.mktemp("tls"), "weir.test", "127.0.0.1")


@pytest.fixture(scope="session")
def rsa():
    return RsaKey()


@pytest.fixture(scope="session")
def rsa2():
    return RsaKey("rsa2")


@pytest.fixture(scope="session")
def ec():
    return EcKey()


@pytest.fixture(scope="session")
def ed():
    return EdKey()


@pytest.fixture(scope="session")
def secret():
    return Secret()
