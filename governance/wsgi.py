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

_decisions = DecisionApi(from_settings())

# What was loaded so far stays for good: the garbage collector need not walk through it in the middle of a request.
gc.collect()
gc.freeze()


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    handle = _decisions if environ["PATH_INFO"].startswith(PREFIXES) else _django
    return handle(environ, start_response)
