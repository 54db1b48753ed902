"""The settings: one table of name, environment variables, default and help, read by the commands and by the docs.

A flag wins over `TASKCOPILOT_<NAME>`, that over the original's variables, and those over the default.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from taskcopilot.errors import InvalidArgumentError
from taskcopilot.json_values import MAX_DEPTH
from taskcopilot.workspace import Workspace

__all__ = ["TABLE", "Address", "Setting", "Settings", "origins"]


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table. `also` are the original's environment variables."""

    name: str
    parse: Callable[[str], Any]
    default: Any
    help: str
    also: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()

    @property
    def flag(self) -> str:
        """The name as a command line option."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """The name as an environment variable."""
        return "TASKCOPILOT_" + self.name.upper()

    @property
    def is_switch(self) -> bool:
        """True when the flag takes no value."""
        return self.parse is _switch

    @property
    def is_secret(self) -> bool:
        """True when the value must never be shown."""
        return self.name.endswith("_secret")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a service is to listen; None for what the other settings say."""

    host: str | None
    port: int | None


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:  # noqa: PLR2004 - the range of TCP ports
        raise ValueError("expected a port from 0 to 65535")
    return port


def _count(text: str) -> int:
    if (count := int(text)) < 1:
        raise ValueError("expected a number above zero")
    return count


def _depth(text: str) -> int:
    if not 1 <= (depth := int(text)) <= MAX_DEPTH:
        raise ValueError(f"expected a number from 1 to {MAX_DEPTH}")
    return depth


def _switch(text: str) -> bool:
    try:
        return _SWITCHES[text.strip().lower()]
    except KeyError:
        raise ValueError("expected on or off") from None


_SWITCHES: Final = {
    "on": True,
    "true": True,
    "yes": True,
    "1": True,
    "off": False,
    "false": False,
    "no": False,
    "0": False,
}


def _rate(text: str) -> float:
    if not 0 < (rate := float(text)) < float("inf"):
        raise ValueError("expected a number above zero")
    return rate


def _seconds(text: str) -> float:
    if not 0 < (seconds := float(text)) < float("inf"):
        raise ValueError("expected seconds above zero")
    return seconds


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _some(text: str, known: tuple[str, ...]) -> tuple[str, ...]:
    chosen = _list(text)
    if unknown := set(chosen) - set(known):
        raise ValueError(f"no {min(unknown)!r}; there are {', '.join(known)}")
    return chosen


def _kinds(text: str) -> tuple[str, ...]:
    return () if text.strip() == "off" else _some(text, ("token", "jwt"))


def _algorithms(text: str) -> tuple[str, ...]:
    return _some(text, ("HS256", "RS256", "EdDSA"))


def _addresses(text: str) -> dict[str, Address]:
    return dict(map(_address, _list(text)))


def _address(text: str) -> tuple[str, Address]:
    name, equals, where = text.partition("=")
    host, _, port = where.rpartition(":")
    if not equals or not name:
        raise ValueError("expected name=port or name=host:port")
    return name, Address(host or None, _port(port))


TABLE: Final = (
    Setting("db", Path, None, "database file; by default <base>/<workspace>/tasks.db under ~/.claude/tasks"),
    Setting("base", Path, None, "directory that holds the workspaces", ("TASK_DB_PATH",)),
    Setting("workspace", str, None, "workspace id; by default a hash of the working directory", ("WORKSPACE_ID",)),
    Setting("host", str, "127.0.0.1", "address to listen on", ("HTTP_API_HOST",)),
    Setting("port", _port, 9090, "port of HTTP and WebSocket; 0 picks a free one", ("HTTP_API_PORT",)),
    Setting(
        "log_level",
        str.lower,
        "info",
        "least severe level that is logged",
        ("LOG_LEVEL",),
        ("debug", "info", "warning", "error"),
    ),
    Setting(
        "log_format",
        str.lower,
        "auto",
        "shape of the log: text, json (an object a line), or auto: text on a terminal, else json",
        (),
        ("auto", "text", "json"),
    ),
    Setting(
        "durability",
        str.lower,
        "full",
        "full: every commit survives a power cut; normal: every crash",
        (),
        ("full", "normal"),
    ),
    Setting("busy_timeout", _seconds, 5.0, "seconds to wait while another process holds the database"),
    Setting("allow_origins", _list, (), "further origins that browsers may connect from, as a comma list"),
    Setting("allow_hosts", _list, (), "further names that this server is reached by, as a comma list"),
    Setting("ping_interval", _seconds, 30.0, "seconds between two pings to a client"),
    Setting("max_patterns", _count, 50, "patterns that one client may subscribe to"),
    Setting("max_message", _count, 65_536, "bytes of the largest WebSocket message that is accepted"),
    Setting("max_body", _count, 1_048_576, "bytes of the largest HTTP body that is accepted"),
    Setting("max_header", _count, 8_190, "bytes of the longest request line and header line that are accepted"),
    Setting("max_json_depth", _depth, MAX_DEPTH, "levels of arrays and objects in an HTTP body"),
    Setting("header_timeout", _seconds, 10.0, "seconds for the headers of a request, and between two requests"),
    Setting("body_timeout", _seconds, 10.0, "seconds for the body of a request"),
    Setting("max_connections", _count, 20_000, "connections at once, on all ports together"),
    Setting("max_connections_per_address", _count, 10_000, "connections at once from one address"),
    Setting("max_message_rate", _rate, 100.0, "messages a second of one WebSocket client, half as many more at once"),
    Setting("max_write_rate", _rate, 10_000.0, "HTTP requests a second from one address that may change something"),
    Setting("max_outstanding_events", _count, 1_000, "events that may wait for a slow client before it reads the log"),
    Setting(
        "max_outstanding_bytes", _count, 1_048_576, "bytes that may wait for a slow client before it reads the log"
    ),
    Setting("retention_events", _count, 100_000, "events that the log keeps"),
    Setting("retention_days", _seconds, 7.0, "days that the log keeps an event"),
    Setting("sweep_interval", _seconds, 30.0, "seconds between two looks for expired checkpoints"),
    Setting("services", _list, (), "services that get a port of their own: `all`, or a comma list of their names"),
    Setting("services_host", str, "127.0.0.1", "address that the services listen on"),
    Setting(
        "service_addresses",
        _addresses,
        {},
        "addresses of single services, as a comma list of `name=port` or `name=host:port`; port 0 picks a free one",
    ),
    Setting(
        "services_busy",
        str.lower,
        "skip",
        "when the port of a service is taken: skip that service, or refuse to start",
        (),
        ("skip", "refuse"),
    ),
    Setting(
        "skills_db",
        Path,
        None,
        "a skills.db of session-buddy whose metrics are shown, read-only; by default those that skill_record keeps",
    ),
    Setting("skills_tick", _seconds, 1.0, "seconds between two ticks of the metrics of skills"),
    Setting(
        "services_secret", str, None, "secret of the tokens (JWT, HS256) that clients of the services have to show"
    ),
    Setting("tls_cert", Path, None, "file with the certificate (PEM) of all ports, and those that lead to its root"),
    Setting("tls_key", Path, None, "file with the private key (PEM) of the certificate, readable by its owner only"),
    Setting("tls_key_password_file", Path, None, "file with the password of the private key"),
    Setting(
        "tls_client_ca", Path, None, "file with the authorities (PEM) by one of which clients have to be certified"
    ),
    Setting("tls_self_signed", _switch, False, "make a certificate for this machine, and keep it by the database"),
    Setting("tls_handshake_timeout", _seconds, 10.0, "seconds for the TLS handshake"),
    Setting("auth", _kinds, (), "tokens that clients have to show: off, token, jwt, or token,jwt"),
    Setting("auth_timeout", _seconds, 5.0, "seconds for a socket to show its token"),
    Setting("jwt_algorithms", _algorithms, (), "algorithms of JWTs, as a comma list of HS256, RS256, EdDSA"),
    Setting("jwt_secret", str, None, "secret of JWTs signed with HS256, 32 bytes or more"),
    Setting("jwt_key", Path, None, "file with the public key (PEM) of JWTs signed with RS256 or EdDSA"),
    Setting("jwt_jwks", str, None, "file or https address of the public keys (JWKS) of JWTs"),
    Setting("jwt_issuer", str, None, "what a JWT has to name as its issuer"),
    Setting("jwt_audience", str, None, "what a JWT has to name among its audience"),
)
"""Every setting there is, in the order of the help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The values in force. Fields are the names of TABLE."""

    db: Path | None
    base: Path | None
    workspace: str | None
    host: str
    port: int
    log_level: str
    log_format: str
    durability: str
    busy_timeout: float
    allow_origins: tuple[str, ...]
    allow_hosts: tuple[str, ...]
    ping_interval: float
    max_patterns: int
    max_message: int
    max_body: int
    max_header: int
    max_json_depth: int
    header_timeout: float
    body_timeout: float
    max_connections: int
    max_connections_per_address: int
    max_message_rate: float
    max_write_rate: float
    max_outstanding_events: int
    max_outstanding_bytes: int
    retention_events: int
    retention_days: float
    sweep_interval: float
    services: tuple[str, ...]
    services_host: str
    service_addresses: Mapping[str, Address]
    services_busy: str
    skills_db: Path | None
    skills_tick: float
    services_secret: str | None
    auth: tuple[str, ...]
    auth_timeout: float
    jwt_algorithms: tuple[str, ...]
    jwt_secret: str | None
    jwt_key: Path | None
    jwt_jwks: str | None
    jwt_issuer: str | None
    jwt_audience: str | None
    tls_cert: Path | None
    tls_key: Path | None
    tls_key_password_file: Path | None
    tls_client_ca: Path | None
    tls_self_signed: bool
    tls_handshake_timeout: float

    @property
    def wants_tls(self) -> bool:
        """True when any setting asks for TLS: then every port speaks it, or none is opened."""
        files = (self.tls_cert, self.tls_key, self.tls_key_password_file, self.tls_client_ca)
        return self.tls_self_signed or any(file is not None for file in files)

    @classmethod
    def load(cls, flags: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> Settings:
        """Combine flags (None means: not given) with the environment.

        Raises InvalidArgumentError that names the variable or flag whose value cannot be used.
        """
        return cls(**{name: value for name, (value, _) in origins(flags, environ).items()})

    def resolve_workspace(self, directory: Path | None = None) -> Workspace:
        """Return the workspace that these settings name, seen from a working directory."""
        if self.db is not None:
            return Workspace.at(self.db, self.workspace)
        return Workspace.of(directory or Path.cwd(), self.base, self.workspace)


def origins(flags: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> dict[str, tuple[Any, str]]:
    """Return each setting's value, and where it comes from: a flag, a variable, or `default`; raises as `load`."""
    env = os.environ if environ is None else environ
    return {setting.name: _value(setting, flags.get(setting.name), env) for setting in TABLE}


def _value(setting: Setting, flag: Any, env: Mapping[str, str]) -> tuple[Any, str]:
    if flag is not None:
        return (_parse(setting, flag, setting.flag) if isinstance(flag, str) else flag), setting.flag
    for variable in (setting.variable, *setting.also):
        if text := env.get(variable, "").strip():
            return _parse(setting, text, variable), variable
    return setting.default, "default"


def _parse(setting: Setting, text: str, source: str) -> Any:
    try:
        value = setting.parse(text)
    except ValueError as error:
        shown = "" if setting.is_secret else f"={text!r}"
        raise InvalidArgumentError(f"{source}{shown}: {error}", field=source) from error
    if setting.choices and value not in setting.choices:
        raise InvalidArgumentError(f"{source}={text!r}: expected one of {', '.join(setting.choices)}", field=source)
    return value
