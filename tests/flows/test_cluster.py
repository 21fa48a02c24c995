"""The cluster: what cannot work is said at once."""

import socket

import pytest

from contracts.errors import SetupError
from flows import cluster


def test_an_address_where_nothing_listens_is_refused_at_once():
    """Ray itself would try for minutes; the message says what to do."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for address in (f"127.0.0.1:{port}", f"ray://127.0.0.1:{port}"):
        with pytest.raises(SetupError, match=rf"no Ray cluster answers at '{address}'.*leave --ray out"):
            cluster._reach(address)
    cluster._reach("auto")  # Ray finds that one itself
