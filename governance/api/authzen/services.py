"""What the decision API works with: where it reads from, where it records, and how it names itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from django.conf import settings
from django.http.request import split_domain_port, validate_host

from governance.api.authzen.messages import Request
from governance.enforcement.services.recording import Recorder
from governance.enforcement.sources import PooledSource, Source, from_django_settings
from governance.runtime.admission import SEARCHES, Places


@dataclass(frozen=True)
class Services:
    """``searching`` is a source of its own: a search over everybody never takes a connection from decisions."""

    source: Source
    searching: Source
    recorder: Recorder
    public_url: str
    secret: str
    allowed_hosts: tuple[str, ...]
    places: Places = field(default_factory=lambda: Places(SEARCHES))  # for searches

    def address(self, request: Request) -> str:
        """The address of this decision point: ``PUBLIC_URL``, else as the caller sees it (CONTRACTS.md).

        Empty when the caller names a host that is not ours (``ALLOWED_HOSTS``): no answer repeats such a name.
        """
        return self.public_url or _own(request.address, self.allowed_hosts)

    def help_url(self, request: Request) -> str:
        """Where a person reads about their own access; without a host where there is none to be trusted."""
        return f"{self.address(request)}/my-access"


_LONGEST_NAME = 253  # of a host (RFC 1035); longer ones would only fill memory


@lru_cache(maxsize=256)
def _own(address: str, allowed: tuple[str, ...]) -> str:
    domain, _ = split_domain_port(address.partition("://")[2])
    return address if 0 < len(domain) <= _LONGEST_NAME and validate_host(domain, allowed) else ""


def from_settings() -> Services:
    """The services of a web process. Connections are opened when the first question comes."""
    conninfo = from_django_settings(settings.DATABASES["default"])
    return Services(
        source=PooledSource(conninfo, size=settings.DECISION_CONNECTIONS, limit=1.0, title="decisions"),
        searching=PooledSource(conninfo, size=2, limit=20.0, title="searches"),
        recorder=Recorder(conninfo),
        public_url=settings.PUBLIC_URL,
        secret=settings.SECRET_KEY,
        allowed_hosts=tuple(settings.ALLOWED_HOSTS),
    )
