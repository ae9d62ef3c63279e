"""What the tests of the API share: one app, which each test finds empty."""

from __future__ import annotations

import pytest

from tests.web.api_services import Api


@pytest.fixture(scope="session")
def one_api(tmp_path_factory):
    made = Api(tmp_path_factory.mktemp("api"))
    yield made
    made.close()


@pytest.fixture
def api(one_api):
    yield one_api
    one_api.clear()
