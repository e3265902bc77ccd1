"""The servers that tests run on are real, separate and fit for the application."""

import pytest
from celery import current_app
from django.conf import settings
from django.db import connection


@pytest.mark.django_db
def test_application_is_an_ordinary_role_with_vectors():
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, rolsuper FROM pg_roles WHERE rolname = current_user")
        assert cursor.fetchone() == ("queenright", False)
        cursor.execute("SELECT '[1,2]'::vector <=> '[1,2]'::vector")
        assert cursor.fetchone() == (0.0,)


@pytest.mark.django_db
def test_test_database_is_not_the_applications():
    assert connection.settings_dict["NAME"].startswith("test_")


def test_broker_is_this_process_own_redis_database(redis_client):
    with current_app.connection_for_write() as broker:
        broker.default_channel.client.set("from", "celery")
    assert redis_client.get("from") == b"celery"
    assert str(redis_client.connection_pool.connection_kwargs["db"]) in settings.CELERY_BROKER_URL
