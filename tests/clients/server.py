"""The binary under test: started on free ports over a store of its own, stopped the way an operator stops it."""

import configparser
import json
import os
import secrets
import selectors
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

READY_WITHIN_S = 60
STOPPED_WITHIN_S = 30

# Ports of the operating system's choice, on loopback, so that servers run side by side.
FREE_PORTS = {
    "GATEHOUSE_LISTEN_API": "127.0.0.1:0",
    "GATEHOUSE_LISTEN_MQTT": "127.0.0.1:0",
    "GATEHOUSE_LISTEN_HTTPS": "127.0.0.1:0",
    "GATEHOUSE_LISTEN_ALPN": "127.0.0.1:0",
}

# Tests are faster than devices may be; those of the rates set them.
NO_RATES = {
    f"GATEHOUSE_LIMITS_{rate}": "0"
    for rate in (
        "CONNECT_RATE",
        "CLIENT_CONNECT_RATE",
        "PUBLISH_RATE",
        "CONNECTION_PUBLISH_RATE",
        "CONNECTION_DELIVERY_RATE",
        "CONNECTION_BYTE_RATE",
        "SUBSCRIBE_RATE",
        "QUEUE_RATE",
        "RETAIN_RATE",
        "TOPIC_RETAIN_RATE",
        "CREATE_KEYS_AND_CERTIFICATE_RATE",
        "CREATE_CERTIFICATE_FROM_CSR_RATE",
        "REGISTER_THING_RATE",
    )
}


@dataclass(frozen=True)
class Credentials:
    """What signs control calls of one account."""

    account_id: str
    access_key_id: str
    secret_access_key: str = field(repr=False)


class Server:
    """One `gatehouse serve` and the commands beside it."""

    def __init__(self, data: Path, store: str, **settings: str):
        """`settings` are configuration keys, e.g. `sni="strict"`, `listen_alpn="off"`; `config` is a file of them."""
        config = settings.pop("config", None)
        self.options = ["--config", config] if config else []
        self.data = data
        self.log = data.with_name(data.name + ".log")
        chosen = {f"GATEHOUSE_{key.upper()}": value for key, value in settings.items()}
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("GATEHOUSE_", "AWS_"))}
        self.environment = inherited | FREE_PORTS | NO_RATES | chosen | {"GATEHOUSE_STORE": store}
        self._process: subprocess.Popen | None = None
        self._addresses: dict[str, str | None] = {}

    def start(self) -> "Server":
        """Starts, and returns once everything listens."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [binary(), "serve", "--ready-json", "--data", self.data, *self.options],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        try:
            self._addresses = json.loads(self._ready_line())
        except BaseException:
            self.kill()
            raise
        return self

    def stop(self) -> None:
        """SIGTERM drains; the exit code must be 0. A server that a test has stopped or killed already is left alone."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(STOPPED_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"gatehouse did not drain within {STOPPED_WITHIN_S} s:\n{self.log_tail()}") from None
        finally:
            process.stdout.close()
        assert code == 0, f"gatehouse ended with {code}:\n{self.log_tail()}"

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            process.stdout.close()

    def command(self, *arguments: str) -> str:
        """Runs another command of the binary on the same data; answers its stdout."""
        done = subprocess.run(
            [binary(), *arguments, "--data", self.data, *self.options],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, f"gatehouse {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr}"
        return done.stdout

    @property
    def api_url(self) -> str:
        return f"http://{self._addresses['api']}"

    @property
    def mqtt_port(self) -> int:
        return self._port("mqtt")

    @property
    def https_port(self) -> int:
        return self._port("https")

    @property
    def alpn_port(self) -> int:
        return self._port("alpn")

    @property
    def root_ca(self) -> Path:
        """The root that devices trust."""
        return self.data / "root-ca.pem"

    def first_account(self) -> Credentials:
        """The account that the first start made, as it stands in the files for AWS tools."""
        files = configparser.ConfigParser()
        files.read(self.data / "aws" / "credentials")
        profile = files["default"]
        return Credentials("000000000000", profile["aws_access_key_id"], profile["aws_secret_access_key"])

    def create_account(self) -> Credentials:
        """Another account, made beside the running server."""
        made = json.loads(self.command("account", "create"))
        return Credentials(made["accountId"], made["accessKeyId"], made["secretAccessKey"])

    def log_size(self) -> int:
        return self.log.stat().st_size if self.log.exists() else 0

    def log_tail(self, start: int = 0, limit: int = 20_000) -> str:
        """The log from byte `start` on, at most its last `limit` bytes."""
        text = self.log.read_bytes()[start:] if self.log.exists() else b""
        return text[-limit:].decode(errors="replace")

    def _port(self, name: str) -> int:
        address = self._addresses[name]
        assert address, f"this server does not listen for {name}"
        return int(address.rpartition(":")[2])

    def _ready_line(self) -> bytes:
        deadline = time.monotonic() + READY_WITHIN_S
        line = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                assert selector.select(deadline - time.monotonic()), f"not ready in {READY_WITHIN_S} s:\n{self.log_tail()}"
                read = os.read(self._process.stdout.fileno(), 65536)
                assert read, f"gatehouse ended before it was ready:\n{self.log_tail()}"
                line += read
        return line


def binary() -> str:
    """The binary under test."""
    path = os.environ.get("GATEHOUSE_BIN")
    assert path, "GATEHOUSE_BIN names the binary under test; `cargo xtask test --only clients` sets it"
    return path


class Database:
    """A database of its own on a PostgreSQL server."""

    def __init__(self, server_url: str):
        self._server_url = server_url
        self._name = f"clients_{secrets.token_hex(8)}"
        self.url = urlunsplit(urlsplit(server_url)._replace(path=f"/{self._name}"))

    def __enter__(self) -> "Database":
        self._run(f"CREATE DATABASE {self._name}")
        return self

    def __exit__(self, *_) -> None:
        self._run(f"DROP DATABASE {self._name} WITH (FORCE)")

    def _run(self, statement: str) -> None:
        arguments = ["psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--command", statement, self._server_url]
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
