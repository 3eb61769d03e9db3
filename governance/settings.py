"""Settings, all from the environment (README, *Configuration*). What cannot be used fails at once, in one line."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from environs import Env

from governance.runtime import database, paths, secrets

env = Env()
BASE_DIR = Path(__file__).resolve().parent.parent
TESTING = "pytest" in sys.modules

_default_data = BASE_DIR / "var"
if TESTING:
    # Tests never touch the data of a running copy.
    _mark = hashlib.sha256(str(BASE_DIR).encode()).hexdigest()[:10]
    _default_data = Path(tempfile.gettempdir()) / f"portcullis-test-{os.getuid()}-{_mark}"
DATA_DIR = paths.data_dir(env.str("TEST_DATA_DIR" if TESTING else "DATA_DIR", str(_default_data)))

PUBLIC_URL = env.str("PUBLIC_URL", "").rstrip("/")
PORT = env.int("PORT", 8000)
DEMO = env.str("DEMO", "1")
if DEMO not in ("0", "1", "accounts"):
    raise paths.Unusable("DEMO must be 1, accounts or 0.")
DEMO_PASSWORD = secrets.from_environment("DEMO_PASSWORD")
SECRET_KEY = secrets.from_environment("SECRET_KEY") or secrets.kept(DATA_DIR, "secret-key")
DEBUG = False
# Connections of the decision API in each web process; one for each thread that the server may put to work.
DECISION_CONNECTIONS = env.int("DECISION_CONNECTIONS", 4)
METRICS_TOKEN = secrets.from_environment("METRICS_TOKEN")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", ["*"] if not PUBLIC_URL else ["localhost", "127.0.0.1", "[::1]"])
if PUBLIC_URL:
    _host = PUBLIC_URL.partition("://")[2].split("/")[0].split(":")[0]
    ALLOWED_HOSTS = [*ALLOWED_HOSTS, _host]
    CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
DISPLAY_TIME_ZONE = env.str("DISPLAY_TIME_ZONE", "America/New_York")

INSTALLED_APPS = [
    "governance.ledger",
    "governance.accounts",
    "governance.catalog",
    "governance.people",
    "governance.approvals",
    "governance.directives",
    "governance.waivers",
    "governance.enforcement",
    "governance.communications",
    "governance.notifications",
    "governance.web",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "guardian",
    "pgtrigger",
    "django_htmx",
    "axes",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "governance.web.middleware.RequestIdMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "governance.web.middleware.SignedInMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "governance.web.middleware.ActorMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "governance.urls"
WSGI_APPLICATION = "governance.wsgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "governance.web.context.shell",
            ],
            "builtins": ["governance.web.templatetags.portcullis", "governance.web.templatetags.lists"],
        },
    },
]

# -- database ----------------------------------------------------------------------------------------------------------
_database_url = secrets.from_environment("DATABASE_URL")
if _database_url:
    _urls = database.Urls(_database_url, secrets.from_environment("DATABASE_OWNER_URL") or _database_url)
    if not TESTING and "collectstatic" not in sys.argv:
        database.check(_database_url)
else:
    _urls = database.embedded(DATA_DIR)
DATABASE_URL = _urls.program
# Tests make their own database, so they run as the owner, as migrations do.
_database_url = _urls.owner if TESTING or "migrate" in sys.argv else _urls.program
PROGRAM_ROLE = database.settings_for(_urls.program)["USER"]
DATABASES = {"default": database.settings_for(_database_url)}
DATABASES["default"]["CONN_MAX_AGE"] = 600
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DATABASES["default"]["DISABLE_SERVER_SIDE_CURSORS"] = True
DATABASES["default"]["OPTIONS"].setdefault("options", "-c jit=off -c work_mem=64MB")
DATABASES["default"]["OPTIONS"].setdefault("connect_timeout", 5)
DATABASES["default"]["TEST"] = {"NAME": "test_portcullis" + env.str("TEST_DB_SUFFIX", "")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# -- accounts and sessions ---------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
if TESTING:
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "sign-in"
# Permissions on one object are asked of accounts/objects.py alone, and nobody is anonymous here: neither guardian's backend nor its
# anonymous user is wanted.
ANONYMOUS_USER_NAME = None
GUARDIAN_MONKEY_PATCH_USER = False
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 3600
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PUBLIC_URL.startswith("https://")
SESSION_COOKIE_NAME = f"portcullis_session_{PORT}"
CSRF_COOKIE_NAME = f"portcullis_csrf_{PORT}"
CSRF_FAILURE_VIEW = "governance.web.views.errors.csrf_failure"
if SESSION_COOKIE_SECURE:
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# Guessing passwords: ten failures for an account from one address lock that pair for fifteen minutes.
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_LOCKOUT_CALLABLE = "governance.web.views.account.locked_out"
AXES_RESET_ON_SUCCESS = True
AXES_ENABLED = not TESTING
AXES_VERBOSE = False
SILENCED_SYSTEM_CHECKS = ["guardian.W001"]

_NONE, _SELF = "'none'", "'self'"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [_NONE],
        "style-src": [_SELF],
        "font-src": [_SELF],
        "img-src": [_SELF],
        "script-src": [_SELF],
        "connect-src": [_SELF],
        "form-action": [_SELF],
        "base-uri": [_NONE],
        "frame-ancestors": [_NONE],
    }
}

# -- static files and uploads ------------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
STATIC_ROOT.mkdir(exist_ok=True)
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True
WHITENOISE_MAX_AGE = 3600
MEDIA_ROOT = DATA_DIR / "media"
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024

# -- queue -------------------------------------------------------------------------------------------------------------
# Messages are hints, rows are the truth (docs/decisions/0001): no results, short time-outs, nothing lost with the broker.
_broker_socket = paths.socket_path(DATA_DIR, "broker.sock")
CELERY_BROKER_URL = secrets.from_environment("CELERY_BROKER_URL") or f"redis+socket://{_broker_socket}"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_TIMEOUT = 2
CELERY_BROKER_TRANSPORT_OPTIONS = (
    {"visibility_timeout": 60, "socket_connect_timeout": 2, "socket_timeout": 10}
    if CELERY_BROKER_URL.startswith("redis")
    else {}
)
CELERY_TASK_DEFAULT_QUEUE = "portcullis"
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "beat-schedule")
CELERY_BEAT_SCHEDULE = {
    "sweep": {"task": "enforcement.sweep", "schedule": 5.0, "options": {"expires": 5}},
    "tell": {"task": "notifications.tell", "schedule": 5.0, "options": {"expires": 5}},
    "messages": {"task": "communications.tell", "schedule": 5.0, "options": {"expires": 5}},
    "seal": {"task": "ledger.seal", "schedule": 2.0, "options": {"expires": 2}},
}
CELERY_WORKER_HIJACK_ROOT_LOGGER = False

# -- e-mail: written to files until a server is named --------------------------------------------------------------------
EMAIL_HOST = env.str("EMAIL_HOST", "")
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if EMAIL_HOST else 'filebased'}.EmailBackend"
EMAIL_FILE_PATH = str(DATA_DIR / "mail")
EMAIL_PORT = env.int("EMAIL_PORT", 587)
EMAIL_USE_TLS = env.bool("EMAIL_USE_TLS", True)
EMAIL_HOST_USER = env.str("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = secrets.from_environment("EMAIL_HOST_PASSWORD") or ""
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.str("EMAIL_FROM", "portcullis@localhost")

# -- language, time, logs ----------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en-us"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        "governance": {"level": "INFO"},
        "axes": {"level": "ERROR"},
        "django.request": {"level": "ERROR"},
    },
}
