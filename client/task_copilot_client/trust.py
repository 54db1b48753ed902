"""Which bridge is believed to be the one: its certificate is checked against authorities, always."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from task_copilot_client.errors import CertificateError, UnreachableError

if TYPE_CHECKING:
    import ssl

__all__ = ["trusting", "unreachable"]


def trusting(ca_file: str | None) -> ssl.SSLContext:
    """Return what checks certificates: by the authorities in a file (PEM), or by those of the system.

    Reads the file. ValueError that names `ca_file` when it holds none.
    """
    import ssl  # noqa: PLC0415 - only for addresses that are secure

    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise ValueError(f"ca_file: cannot use {ca_file!r}: {error.strerror or error}") from error


def unreachable(where: str, error: BaseException) -> UnreachableError:
    """Return the error for a request that failed; one of its own when that was for the certificate."""
    import ssl  # noqa: PLC0415 - only when something failed

    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError) and hasattr(cause, "verify_message"):
            return CertificateError(
                f"{where}: the certificate is not trusted: {cause.verify_message.rstrip('.')}. Where it is signed by "
                "itself or by an authority of its own, name the file of that with ca_file"
            )
    return UnreachableError(f"{where}: {error if str(error) else repr(error)}")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the error and what led to it, the libraries' wrappers included."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
