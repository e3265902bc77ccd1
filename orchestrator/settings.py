"""Django's settings, made from the environment."""

from typing import Any

from csp.constants import NONE, SELF
from psycopg.conninfo import conninfo_to_dict

from orchestrator.env import BASE_DIR, environment, mail_server
from orchestrator.secret import secret_key

env = environment()

SECRET_KEY = secret_key(env)
DEBUG = env.debug
ALLOWED_HOSTS = list(env.allowed_hosts)
CSRF_TRUSTED_ORIGINS = [f"https://{host}" for host in env.allowed_hosts if env.https and host != "*"]
ROOT_URLCONF = "orchestrator.urls"
ASGI_APPLICATION = "orchestrator.asgi.application"
AUTH_USER_MODEL = "agents.User"
EMBEDDER_THREADS = env.embedder_threads
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "channels",
    "csp",
    "django_htmx",
    "template_partials",
    "agents",
    "memory",
    "orchestrator",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "orchestrator.web.errors.DomainErrors",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "orchestrator.web.chrome.surroundings",
            ],
            "builtins": ["template_partials.templatetags.partials", "orchestrator.web.tags"],
        },
    }
]


def _database() -> dict[str, Any]:
    given = conninfo_to_dict(env.database_dsn)
    # Not Django's assume_role: composing its statement takes a connection, and a pool that is making its first
    # one waits for itself for ever.
    session = {"role": env.database_role} if env.database_role else {}
    if env.idle_in_transaction_seconds:
        timeout = f"{int(env.idle_in_transaction_seconds * 1000)}"
        session |= {"idle_in_transaction_session_timeout": timeout, "lock_timeout": timeout}
    options: dict[str, Any] = {"prepare_threshold": 5}
    set_at_start = [str(given.pop("options", "")), *(f"-c {name}={value}" for name, value in session.items())]
    if any(set_at_start):
        options["options"] = " ".join(set_at_start).strip()
    if env.pool_size:
        options["pool"] = {"min_size": 1, "max_size": env.pool_size, "timeout": 10}
    return {
        "ENGINE": "orchestrator.postgresql",
        # After PostgreSQL has died a pool is full of dead connections. Met one by one, each cost an agent its lease.
        "CONN_HEALTH_CHECKS": True,
        "NAME": given.pop("dbname", "queenright"),
        "USER": given.pop("user", ""),
        "PASSWORD": given.pop("password", ""),
        "HOST": given.pop("host", ""),
        "PORT": given.pop("port", ""),
        "OPTIONS": options | given,
    }


DATABASES = {"default": _database()}

CSRF_FAILURE_VIEW = "orchestrator.web.errors.csrf"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "now"
LOGOUT_REDIRECT_URL = "login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = env.https
SECURE_HSTS_SECONDS = 31_536_000 if env.https else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.https else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        "manifest-src": [SELF],
        "worker-src": [SELF],
    }
}

EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.email_from
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
if env.email_url:
    server = mail_server(env.email_url.get_secret_value())
    EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    EMAIL_HOST, EMAIL_PORT, EMAIL_HOST_USER, EMAIL_HOST_PASSWORD, _ = server
    EMAIL_USE_TLS, EMAIL_USE_SSL = server.security == "tls", server.security == "ssl"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

STATIC_URL = "/static/"
STATIC_ROOT = env.data / "static"
STATICFILES_DIRS = [BASE_DIR / "static" / "queenright"]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "orchestrator.web.packages.PackageFinder",
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 5000  # in one form: a choice for each side effect behind a state
DATA_UPLOAD_MAX_NUMBER_FILES = 300  # in one form; a mission takes fewer, and says so
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024

CELERY_BROKER_URL = env.broker_url
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 3600}
CELERY_TASK_CREATE_MISSING_QUEUES = True
CELERY_BEAT_SCHEDULE = {
    "tidy": {"task": "queenright.tidy", "schedule": 3600, "options": {"queue": "worker", "expires": 3600}},
    "prune": {"task": "queenright.prune", "schedule": 600, "options": {"queue": "worker", "expires": 600}},
    "snapshot": {"task": "queenright.snapshot", "schedule": 600, "options": {"queue": "worker", "expires": 600}},
    "precedents": {"task": "queenright.precedents", "schedule": 5, "options": {"queue": "worker", "expires": 5}},
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{levelname:<7} {name} {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.log_level},
    "loggers": {
        "daphne": {"level": "WARNING"},
        "httpx": {"level": "WARNING"},
        "httpx2": {"level": "WARNING"},
        "pypdf": {"level": "ERROR"},
    },
}
