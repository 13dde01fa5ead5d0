import os

import pytest

from tests.cli.conftest import command, elsewhere  # noqa: F401 - fixtures
from tests.editing.language_server import MISSING, LanguageServer, is_there


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """The real yaml-language-server; where CI runs, it has to be there."""
    if not is_there():
        if os.environ.get("CI"):
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    started = LanguageServer(tmp_path_factory.mktemp("editor"))
    yield started
    started.close()
