"""The server's entry: HTTP to Django, the live feed's sockets to Channels."""

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from channels.sessions import CookieMiddleware
from django.core.asgi import get_asgi_application
from django.urls import path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestrator.settings")
http = get_asgi_application()

from orchestrator.realtime.consumer import LiveFeed  # noqa: E402  # models need the apps that the line above loads

application = ProtocolTypeRouter(
    {
        "http": http,
        "websocket": AllowedHostsOriginValidator(
            CookieMiddleware(URLRouter([path("live/<uuid:project_id>/", LiveFeed.as_asgi())]))
        ),
    }
)
