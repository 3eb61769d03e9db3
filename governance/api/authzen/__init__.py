"""OpenID AuthZEN Authorization API 1.0: the decision API, as a thin WSGI application of its own (docs/decisions/0007)."""
