"""What the tests are given. Every test of the shared server runs once per store named in GATEHOUSE_TEST_STORE."""

import contextlib
import os

# The device SDK brings the CRT; boto3 and the CLI sign by themselves all the same, as where there is none.
os.environ["BOTO_DISABLE_CRT"] = "true"

import pytest  # noqa: E402

from account import Account  # noqa: E402
from server import Database, Server  # noqa: E402


def stores() -> list:
    """`sqlite` and URLs of PostgreSQL servers, separated by commas, as parameters."""
    named = os.environ.get("GATEHOUSE_TEST_STORE", "sqlite").split(",")
    return [pytest.param(store, id=store.partition(":")[0]) for store in named]


@pytest.fixture(scope="session", params=stores())
def store(request) -> str:
    """The kind of store under test."""
    return request.param


@pytest.fixture(scope="session")
def shared_server(store, tmp_path_factory):
    """One server for all tests of a store. Tests share it, and so keep to things they made themselves."""
    with running(store, tmp_path_factory) as server:
        yield server


@pytest.fixture
def server(request, shared_server) -> Server:
    """The shared server; when the test fails, what it logged meanwhile is part of the report."""
    request.node.watched = (shared_server, shared_server.log_size())
    return shared_server


@pytest.fixture
def start_server(request, store, tmp_path_factory):
    """Starts servers of the test's own, with settings of its choice: `start_server(sni="strict")`."""
    with contextlib.ExitStack() as stack:

        def start(**settings: str) -> Server:
            own = stack.enter_context(running(store, tmp_path_factory, **settings))
            request.node.watched = (own, 0)
            return own

        yield start


@pytest.fixture(scope="module")
def start_module_server(request, store, tmp_path_factory):
    """As `start_server`, for servers that all tests of a module share."""
    with contextlib.ExitStack() as stack:

        def start(**settings: str) -> Server:
            own = stack.enter_context(running(store, tmp_path_factory, **settings))
            request.node.watched = (own, 0)
            return own

        yield start


@pytest.fixture(scope="session")
def shared_account(shared_server, tmp_path_factory) -> Account:
    """The first account, which owns the endpoint `localhost`."""
    return Account(shared_server, shared_server.first_account(), tmp_path_factory.mktemp("devices"))


@pytest.fixture
def account(server, shared_account) -> Account:
    """The first account."""
    return shared_account


@pytest.fixture(scope="session")
def account_of(tmp_path_factory):
    """The first account of a server that a test started: `account_of(start_server())`."""
    return lambda server: Account(server, server.first_account(), tmp_path_factory.mktemp("devices"))


@pytest.fixture
def second_account(server, tmp_path) -> Account:
    """An account that has nothing to do with the first."""
    return Account(server, server.create_account(), tmp_path)


@contextlib.contextmanager
def running(store: str, tmp_path_factory, **settings: str):
    """A running server with a data folder, and where needed a database, of its own."""
    with contextlib.ExitStack() as stack:
        if store != "sqlite":
            store = stack.enter_context(Database(store)).url
        server = Server(tmp_path_factory.mktemp("gatehouse"), store, **settings)
        server.start()
        try:
            yield server
        except BaseException:
            server.kill()
            raise
        server.stop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    watched = getattr(item, "watched", None) or getattr(item.getparent(pytest.Module), "watched", None)
    if report.failed and watched is not None:
        server, start = watched
        report.sections.append(("gatehouse's log", server.log_tail(start)))
    return report
