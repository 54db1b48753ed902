"""Who is let in: the matrix of origins and hosts (promise C2)."""

from __future__ import annotations

import pytest

from taskcopilot.config import Settings
from taskcopilot.errors import InvalidArgumentError
from taskcopilot.web.guard import Claims, Guard

PORT = 9090


def verdict(guard: Guard | None = None, **claims: object) -> str:
    """Return the code of the refusal, or `welcome`."""
    request = {"method": "GET", "target": "/health", "hosts": ["127.0.0.1:9090"], "origins": []} | claims
    refusal = (guard or Guard()).refusal(Claims(**request), PORT)
    return "welcome" if refusal is None else refusal.code


@pytest.mark.parametrize(
    "host", ["127.0.0.1:9090", "localhost:9090", "LocalHost:9090", "[::1]:9090"], ids=lambda host: host
)
def test_loopback_names_with_our_port_are_ours(host: str) -> None:
    """C2."""
    assert verdict(hosts=[host]) == "welcome"


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:9090",
        "evil.example",
        "localhost",
        "localhost:80",
        "localhost:9091",
        "localhost.:9090",
        "localhost.evil.example:9090",
        "evil-localhost:9090",
        "127.0.0.1.evil.example:9090",
        "127.0.0.2:9090",
        "127.1:9090",
        "0.0.0.0:9090",
        "[::]:9090",
        "::1:9090",
        "user@localhost:9090",
        "localhost:9090@evil.example",
        "localhost:09090",
        "localhost:9090 ",
        " localhost:9090",
        "localhost:\u0669\u0660\u0669\u0660",
        "localhost:9090/x",
        "localhost:",
        ":9090",
        "",
    ],
    ids=repr,
)
def test_a_foreign_host_is_refused(host: str) -> None:
    """C2: a name that was made to point here (DNS rebinding) is not ours."""
    assert verdict(hosts=[host]) == "FOREIGN_HOST"


def test_a_request_without_a_host_is_refused() -> None:
    """C2."""
    assert verdict(hosts=[]) == "FOREIGN_HOST"


def test_of_two_hosts_both_must_be_ours() -> None:
    """C2: who knows which of them the next one reads."""
    assert verdict(hosts=["localhost:9090", "evil.example:9090"]) == "FOREIGN_HOST"


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("http://127.0.0.1:9090/health", "welcome"),
        ("HTTP://LOCALHOST:9090/health?x=http://evil.example/", "welcome"),
        ("http://evil.example:9090/health", "FOREIGN_HOST"),
        ("http://evil.example/http://localhost:9090/", "FOREIGN_HOST"),
        ("http://localhost:9090@evil.example/", "FOREIGN_HOST"),
        ("http://user@localhost:9090/", "FOREIGN_HOST"),
        ("http://evil.example#localhost:9090/", "FOREIGN_HOST"),
        ("http://evil.example?localhost:9090/", "FOREIGN_HOST"),
        ("http:///health", "FOREIGN_HOST"),
        ("ws://evil.example:9090/ws", "FOREIGN_HOST"),
        ("evil.example:443", "FOREIGN_HOST"),
        ("/health?next=http://evil.example/", "welcome"),
        ("*", "welcome"),
    ],
)
def test_the_host_of_an_absolute_target_counts_too(target: str, expected: str) -> None:
    """C2: a good Host header does not cover for a foreign target."""
    assert verdict(target=target) == expected


@pytest.mark.parametrize(
    "origin", ["http://127.0.0.1:9090", "http://localhost:9090", "HTTP://LocalHost:9090", "http://[::1]:9090"]
)
def test_our_own_pages_are_welcome(origin: str) -> None:
    """C2; the client library of the original sends the target as its origin."""
    assert verdict(origins=[origin]) == "welcome"


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "null",
        "",
        "http://localhost.evil.example",
        "http://localhost.evil.example:9090",
        "http://127.0.0.1:9091",
        "http://localhost",
        "http://localhost.:9090",
        "https://localhost:9090",
        "ws://localhost:9090",
        "file://",
        "http://user@localhost:9090",
        "http://localhost:9090@evil.example",
        "http://localhost:9090/",
        "http://localhost:9090#",
        "http://localhost:9090, http://localhost:9090",
        "http://localhost:9090 http://evil.example",
        "localhost:9090",
        "http:\\\\localhost:9090",
        "http://localhost:909\u0660",
        "http://\u212aocalhost:9090",
    ],
    ids=repr,
)
def test_a_foreign_origin_is_refused(origin: str) -> None:
    """C2: no web page but ours may read or write, and none may open the socket."""
    assert verdict(origins=[origin]) == "FOREIGN_ORIGIN"


def test_two_origins_are_refused_even_when_both_are_ours() -> None:
    """C2: browsers send one."""
    assert verdict(origins=["http://localhost:9090", "http://localhost:9090"]) == "FOREIGN_ORIGIN"


@pytest.mark.parametrize(
    ("method", "site", "expected"),
    [
        ("POST", "cross-site", "FOREIGN_ORIGIN"),
        ("DELETE", "Cross-Site", "FOREIGN_ORIGIN"),
        ("GET", "cross-site", "welcome"),
        ("HEAD", "cross-site", "welcome"),
        ("POST", "same-origin", "welcome"),
        ("POST", "none", "welcome"),
        ("POST", None, "welcome"),
    ],
)
def test_a_page_of_another_site_changes_nothing(method: str, site: str | None, expected: str) -> None:
    """C2: browsers that send no Origin still say where the request comes from."""
    assert verdict(method=method, fetch_site=site) == expected


def test_an_origin_that_is_ours_outweighs_the_site() -> None:
    """A page of http://localhost that writes to http://127.0.0.1 is of another site, and ours."""
    assert verdict(method="POST", fetch_site="cross-site", origins=["http://localhost:9090"]) == "welcome"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("bridge.example", "welcome"),
        ("Bridge.Example:9090", "welcome"),
        ("bridge.example:9091", "FOREIGN_HOST"),
        ("other.example:8443", "welcome"),
        ("other.example", "FOREIGN_HOST"),
        ("sub.bridge.example", "FOREIGN_HOST"),
    ],
)
def test_allowed_hosts_are_let_in(host: str, expected: str) -> None:
    """A bare name is allowed on our port and on the default one, a name with a port on that only."""
    assert verdict(Guard(hosts=["bridge.example", "other.example:8443"]), hosts=[host]) == expected


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("https://app.example", "welcome"),
        ("https://app.example:443", "welcome"),
        ("http://app.example", "FOREIGN_ORIGIN"),
        ("https://app.example:8443", "FOREIGN_ORIGIN"),
        ("https://sub.app.example", "FOREIGN_ORIGIN"),
        ("chrome-extension://abcdef", "welcome"),
        ("http://bridge.example:9090", "welcome"),
        ("https://bridge.example", "welcome"),
        ("https://bridge.example:9091", "FOREIGN_ORIGIN"),
    ],
)
def test_allowed_origins_are_let_in(origin: str, expected: str) -> None:
    """An allowed origin is that origin and nothing near it; the pages of an allowed host are ours."""
    guard = Guard(hosts=["bridge.example"], origins=["https://App.example", "chrome-extension://abcdef"])
    assert verdict(guard, origins=[origin]) == expected


@pytest.mark.parametrize("host", ["https://bridge.example", "*", "bridge.example:0", "a b", "bridge.example."])
def test_an_allowed_host_that_is_none_is_an_error(host: str) -> None:
    """A typing error must not quietly allow nothing."""
    with pytest.raises(InvalidArgumentError) as caught:
        Guard(hosts=[host])
    assert caught.value.field == "--allow-hosts"


@pytest.mark.parametrize("origin", ["app.example", "*", "null", "https://app.example/", "https://*.example"])
def test_an_allowed_origin_that_is_none_is_an_error(origin: str) -> None:
    """A typing error must not quietly allow nothing."""
    with pytest.raises(InvalidArgumentError) as caught:
        Guard(origins=[origin])
    assert caught.value.field == "--allow-origins"


@pytest.mark.parametrize(
    ("listen", "host", "expected"),
    [
        ("192.168.1.5", "192.168.1.5:9090", "welcome"),
        ("192.168.1.5", "evil.example:9090", "FOREIGN_HOST"),
        ("fd00::5", "[fd00::5]:9090", "welcome"),
        ("127.0.0.1", "127.0.0.1", "FOREIGN_HOST"),
        ("0.0.0.0", "0.0.0.0:9090", "FOREIGN_HOST"),
        ("::", "[::]:9090", "FOREIGN_HOST"),
        ("0.0.0.0", "localhost:9090", "welcome"),
    ],
)
def test_the_address_that_we_listen_on_is_a_name_of_ours(listen: str, host: str, expected: str) -> None:
    """Whoever says --host 192.168.1.5 need not say it twice; a wildcard is nobody's name."""
    assert verdict(Guard.of(Settings.load({"host": listen}, {})), hosts=[host]) == expected


def test_a_port_with_an_address_of_its_own_has_both_names() -> None:
    """That of the bridge stays one; a wildcard adds none."""
    settings = Settings.load({"host": "192.168.1.5"}, {})
    for listening, host in (("192.168.1.6", "192.168.1.6"), ("192.168.1.6", "192.168.1.5"), ("0.0.0.0", "192.168.1.5")):
        assert verdict(Guard.of(settings, listening), hosts=[f"{host}:9090"]) == "welcome"
    assert verdict(Guard.of(settings, "0.0.0.0"), hosts=["0.0.0.0:9090"]) == "FOREIGN_HOST"


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"origins": ["https://localhost:9090"]}, "welcome"),
        ({"origins": ["http://localhost:9090"]}, "FOREIGN_ORIGIN"),
        ({"origins": ["wss://localhost:9090"]}, "FOREIGN_ORIGIN"),
        ({"origins": ["https://localhost"]}, "FOREIGN_ORIGIN"),
        ({"hosts": ["localhost"]}, "FOREIGN_HOST"),
    ],
)
def test_over_tls_pages_come_over_tls_too(claims: dict[str, list[str]], expected: str) -> None:
    """C2: what was loaded in plain HTTP could be anybody's."""
    assert verdict(scheme="https", **claims) == expected


@pytest.mark.parametrize(("scheme", "port"), [("http", 80), ("https", 443)])
def test_the_port_of_the_scheme_need_not_be_named(scheme: str, port: int) -> None:
    """Browsers leave it out."""
    claims = {"method": "GET", "target": "/", "hosts": ["localhost"], "origins": [f"{scheme}://localhost"]}
    assert Guard().refusal(Claims(**claims, scheme=scheme), port) is None
    assert Guard().refusal(Claims(**claims, scheme=scheme), 8080) is not None
