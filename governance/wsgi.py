"""The WSGI application that the web server runs: the decision API on its own thin path, Django for everything else."""

import gc
import os
from collections.abc import Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "governance.settings")
_django = get_wsgi_application()

from governance.api.authzen.application import PREFIXES, DecisionApi  # noqa: E402  # needs the apps to be loaded
from governance.api.authzen.services import from_settings  # noqa: E402
from governance.runtime.admission import PAGES, Places  # noqa: E402

_decisions = DecisionApi(from_settings())

# What was loaded so far stays for good: the garbage collector need not walk through it in the middle of a request.
gc.collect()
gc.freeze()


_pages = Places(PAGES)
_BUSY = b"Too many pages are being asked for at this moment. Nothing was changed; try again in a few seconds.\n"


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    path = environ["PATH_INFO"]
    if path.startswith(PREFIXES):
        return _decisions(environ, start_response)
    if path.startswith("/healthz/"):  # a process that is busy is not a process that is ill
        return _django(environ, start_response)
    if not _pages.take():
        start_response(
            "503 Service Unavailable",
            [("Content-Type", "text/plain"), ("Content-Length", str(len(_BUSY))), ("Retry-After", "3")],
        )
        return (_BUSY,)
    try:
        return _django(environ, start_response)
    finally:
        _pages.give_back()
