"""The time of a database server, in the words of each engine; an engine without a server has none."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction


class server_us(GenericFunction[int]):  # noqa: N801 - a function in SQL
    """Microseconds since 1970 on the server's clock, at the moment the row is read; NULL without a server."""

    type = BigInteger()
    inherit_cache = True


@compiles(server_us)
def _without(_element: server_us, _compiler: Any, **_options: Any) -> str:
    return "NULL"


@compiles(server_us, "postgresql")
def _postgresql(_element: server_us, _compiler: Any, **_options: Any) -> str:
    # clock_timestamp() and not now(), which stands still from the beginning of a transaction that may wait for a lock.
    return "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)"
