from tests.cli.conftest import command, elsewhere, made, shop  # noqa: F401 - fixtures
