"""Who holds which token: checks what is shown, notices revocations, and ends conversations whose token has ended."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from taskcopilot.auth import tokens
from taskcopilot.auth.identity import Identity, unauthorized
from taskcopilot.auth.jwt import JwtVerifier
from taskcopilot.auth.lease import Lease, Step
from taskcopilot.auth.tokens import StaticToken
from taskcopilot.clock import Clock, iso
from taskcopilot.core import background
from taskcopilot.errors import BridgeError
from taskcopilot.store import access_tokens
from taskcopilot.store.database import Database
from taskcopilot.store.transaction import ReadTx

__all__ = ["Doorkeeper", "Tenant"]

_log: Final = logging.getLogger(__name__)

LOOK: Final = 1.0
"""Seconds between two looks at who is revoked or has expired."""


@dataclass(frozen=True, slots=True, eq=False)
class Tenant:
    """A conversation that goes on under a lease: how it is warned, and how it is ended."""

    lease: Lease
    warn: Callable[[Lease], None]
    end: Callable[[Lease], None]


class Doorkeeper:
    """One per application with authentication. Used from the event loop only."""

    def __init__(self, database: Database, clock: Clock, *, static: bool, jwt: JwtVerifier | None) -> None:
        self._database = database
        self._clock = clock
        self._static = static
        self._jwt = jwt
        self._known: dict[str, StaticToken] = {}
        self._revoked: frozenset[str] = frozenset()
        self._tenants: set[Tenant] = set()
        self.looks = 0
        """How often it looked at who is revoked or has expired."""

    @contextlib.asynccontextmanager
    async def at_work(self) -> AsyncIterator[Doorkeeper]:
        """Look at the stored tokens now, and then once a second."""
        await self._look()
        async with background(self._watch(), "doorkeeper"):
            yield self

    async def identify(self, token: str) -> Identity:
        """Return whom a token stands for; raises RefusedError (UNAUTHORIZED), which does not say why."""
        if tokens.is_static(token):
            identity = await self._static_identity(token) if self._static else None
        else:
            identity = None if self._jwt is None else await self._jwt.verify(token)
        if identity is None or not self.is_good(identity):
            raise unauthorized()
        return identity

    def is_good(self, identity: Identity) -> bool:
        """Tell whether a token that was valid when it was shown still is."""
        return not identity.is_expired(self._clock.now()) and not self._is_revoked(identity)

    def lease(self, identity: Identity | None, patience: timedelta) -> Lease:
        """Return the lease of a conversation that begins now, and may go on for so long without a token."""
        return Lease(identity, self._clock.now() + patience)

    @contextlib.contextmanager
    def watching(self, tenant: Tenant) -> Iterator[None]:
        """Warn and end the conversation when it is time, while the block runs."""
        self._tenants.add(tenant)
        try:
            yield
        finally:
            self._tenants.discard(tenant)

    async def _static_identity(self, text: str) -> Identity | None:
        presented = tokens.split(text)
        if presented is None:
            return None
        if presented.id not in self._known:
            await self._look()  # it may have been made a moment ago
        token = self._known.get(presented.id)
        if token is None or not token.matches(presented) or not token.is_good(iso(self._clock.now())):
            return None
        expires = None if token.expires_at is None else datetime.fromisoformat(token.expires_at)
        return Identity(access=token.access, expires_at=expires, token_id=token.id, user=token.name or None)

    def _is_revoked(self, identity: Identity) -> bool:
        return identity.token_id in self._revoked

    async def _watch(self) -> None:
        while True:
            await self._clock.sleep(LOOK)
            try:
                await self._look()
            except BridgeError as error:
                _log.warning("cannot look for revoked tokens: %s", error)
            now = self._clock.now()
            for tenant in tuple(self._tenants):
                _attend(tenant, tenant.lease.step(now, self._is_revoked))
            self.looks += 1

    async def _look(self) -> None:
        known, self._revoked = await self._database.read(_stored)
        self._known = {token.id: token for token in known}


def _attend(tenant: Tenant, step: Step) -> None:
    if step is Step.WARN:
        tenant.warn(tenant.lease)
    elif step is Step.END:
        tenant.end(tenant.lease)


def _stored(tx: ReadTx) -> tuple[list[StaticToken], frozenset[str]]:
    return access_tokens.listing(tx), access_tokens.revoked_ids(tx)
