"""The binary as an operator meets it: ready line, exit codes, signals, files, and the commands beside a running server."""

import json
import os
import re
import shlex
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from account import Account
from mqtt import Client
from raw_mqtt import CONNACK_311_ACCEPTED, Wire, connect
from server import FREE_PORTS, Credentials, Server, binary

ENDED_WITHIN_S = 60


def run(*arguments, **variables: str) -> subprocess.CompletedProcess:
    """A command of the binary that is to end by itself, on free ports unless told otherwise."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("GATEHOUSE_", "AWS_"))}
    return subprocess.run(
        [binary(), *map(str, arguments)],
        env=inherited | FREE_PORTS | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=ENDED_WITHIN_S,
    )


def refused_as_configuration(done: subprocess.CompletedProcess, *told: str) -> None:
    """Exit code 2, nothing on stdout, and one sentence for the operator that names what is wrong."""
    assert (done.returncode, done.stdout) == (2, ""), done
    (sentence,) = done.stderr.strip().splitlines()
    for words in told:
        assert words in sentence, sentence
    assert "panicked" not in sentence


def test_the_ready_line_is_one_json_object_and_everything_listens_by_then(start_server):
    server = start_server()
    ready = server._addresses
    assert set(ready) == {"api", "mqtt", "https", "alpn"}
    for name in ("api", "mqtt", "https", "alpn"):
        host, _, port = ready[name].rpartition(":")
        socket.create_connection((host, int(port)), timeout=20).close()


def test_the_alpn_and_https_ports_can_be_off(start_server):
    addresses = start_server(listen_alpn="off", listen_https="off")._addresses
    assert (addresses["alpn"], addresses["https"]) == (None, None)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("nonsense = 1", "nonsense"),
        ("[listen]\nmqqt = '127.0.0.1:0'", "mqqt"),
        ("sni = 'perhaps'", "perhaps"),
        ("refusals = 'loud'", "loud"),
        ("regions = []", "regions"),
        ("regions = ['Mars']", "Mars"),
        ("domain = 'UPPER'", "UPPER"),
        ("domain = ''", "domain"),
        ("store = 'mysql://x'", "store"),
        ("this is no toml", "gatehouse.toml"),
        ("[tls]\nresumption = 'yes'", "boolean"),
        ("[log]\nformat = 'xml'", "xml"),
        ("[api]\ncertificate = '/nowhere.pem'", "api.key"),
    ],
)
def test_a_wrong_configuration_is_one_sentence_and_exit_code_2(tmp_path, text, told):
    (tmp_path / "gatehouse.toml").write_text(text)
    done = run("serve", "--config", tmp_path / "gatehouse.toml", "--data", tmp_path / "data")
    refused_as_configuration(done, told)
    assert not (tmp_path / "data").exists(), "nothing was touched"


def test_a_configuration_that_is_missing_is_told(tmp_path):
    refused_as_configuration(run("serve", "--config", tmp_path / "nowhere.toml", "--data", tmp_path / "data"), "nowhere.toml")


def test_a_wrong_variable_is_told(tmp_path):
    refused_as_configuration(run("serve", "--data", tmp_path / "data", GATEHOUSE_NONSENSE="1"), "nonsense")


def test_plain_http_for_the_world_is_refused_unless_it_is_allowed(tmp_path):
    done = run("serve", "--data", tmp_path / "data", GATEHOUSE_LISTEN_API="0.0.0.0:0")
    refused_as_configuration(done, "plain HTTP", "api.allow_plain")


@pytest.mark.parametrize("which", ["API", "MQTT", "ALPN"])
def test_a_busy_port_is_told_and_ends_with_2(tmp_path, which):
    with socket.create_server(("127.0.0.1", 0)) as busy:
        address = f"127.0.0.1:{busy.getsockname()[1]}"
        done = run("serve", "--data", tmp_path / "data", **{f"GATEHOUSE_LISTEN_{which}": address})
    refused_as_configuration(done, address, f"listen.{which.lower()}")


def test_a_second_server_on_the_same_folder_ends_with_2(start_server):
    server = start_server()
    variables = {"GATEHOUSE_STORE": server.environment["GATEHOUSE_STORE"]}
    done = run("serve", "--data", server.data, **variables)
    refused_as_configuration(done, str(server.data))
    with Client(account := first(server), account.new_device()):
        pass


def first(server: Server) -> Account:
    return Account(server, server.first_account(), server.data)


@pytest.mark.parametrize("command", [["serve"], ["account", "list"]])
def test_a_folder_that_cannot_be_written_ends_with_2(tmp_path, command):
    # Root may write everywhere, but not below a file.
    (tmp_path / "file").touch()
    refused_as_configuration(run(*command, "--data", tmp_path / "file" / "data"), str(tmp_path / "file"))


def test_a_store_that_cannot_be_reached_ends_with_2_and_shows_no_password(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    url = f"postgres://gatehouse:hush-hush@127.0.0.1:{port}/nothing"
    done = run("serve", "--data", tmp_path / "data", "--store", url)
    assert done.returncode == 2
    assert "hush-hush" not in done.stderr + done.stdout


def test_a_folder_with_a_wrong_passphrase_is_refused(tmp_path):
    (tmp_path / "right").write_text("open sesame\n")
    (tmp_path / "wrong").write_text("open barley\n")
    done = run("account", "list", "--data", tmp_path / "data", GATEHOUSE_PASSPHRASE_FILE=str(tmp_path / "right"))
    assert done.returncode == 0, done.stderr
    for variables in [{"GATEHOUSE_PASSPHRASE_FILE": str(tmp_path / "wrong")}, {}]:
        refused_as_configuration(run("account", "list", "--data", tmp_path / "data", **variables), "passphrase")
    keys = list((tmp_path / "data" / "keys").iterdir())
    assert not [path for path in keys if b"BEGIN PRIVATE KEY" in path.read_bytes() or b"BEGIN EC PRIVATE" in path.read_bytes()]


def test_sigterm_ends_with_0_while_devices_are_connected(start_server):
    server = start_server()
    account = first(server)
    device = account.new_device()
    with Client(account, device, "said-goodbye-to") as client, Wire(account, device) as quiet:
        quiet.send(connect("quiet"))
        assert quiet.read(4) == CONNACK_311_ACCEPTED
        server.stop()
        assert client.wait_closed().value == 0x8B
        assert quiet.read_to_end() == b""


def test_sigterm_is_not_held_up_by_who_is_half_way_in(start_server):
    server = start_server()
    account = first(server)
    with (
        socket.create_connection(("127.0.0.1", server.mqtt_port)),
        socket.create_connection(("127.0.0.1", int(server.api_url.rpartition(":")[2]))) as half,
        Wire(account, account.new_device()),
    ):
        half.sendall(b"POST /things/x HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
        server.stop()


def test_env_prints_shell_lines_that_lead_the_aws_cli_here(server, account):
    credentials = server.create_account()
    aws = Path(sys.executable).with_name("aws")
    for account_id in ["000000000000", credentials.account_id]:
        lines = server.command("env", "--account", account_id)
        assert all(line.startswith("export AWS_") for line in lines.splitlines())
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        done = subprocess.run(
            ["sh", "-ec", f"{lines}\n{shlex.quote(str(aws))} iot create-thing --thing-name from-env --query thingArn --output text"],
            env=inherited | {"AWS_PAGER": ""},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.stdout.strip() == f"arn:aws:iot:us-east-1:{account_id}:thing/from-env", done.stderr


@pytest.mark.parametrize("command", [["env"], ["access-key", "list"], ["access-key", "create"]])
def test_an_account_that_does_not_exist_is_told(server, command):
    with pytest.raises(AssertionError, match=r"(?s)ended with 2.*account 123456789012 does not exist"):
        server.command(*command, "--account", "123456789012")


def test_hosts_names_every_endpoint(server, account, second_account):
    lines = server.command("hosts")
    for each in (account, second_account):
        kinds = ["iot:Data-ATS", "iot:Data", "iot:Jobs", "iot:CredentialProvider"]
        hosts = {each.iot.describe_endpoint(endpointType=kind)["endpointAddress"] for kind in kinds}
        (line,) = [line for line in lines.splitlines() if each.credentials.account_id in line]
        address, *names = line.partition("#")[0].split()
        assert (address, set(names)) == ("127.0.0.1", hosts)


def test_accounts_are_made_and_listed(server):
    made = json.loads(server.command("account", "create", "--id", "424242424242"))
    assert made["accountId"] == "424242424242"
    listed = [each["accountId"] for each in json.loads(server.command("account", "list"))]
    assert {"000000000000", "424242424242"} <= set(listed)
    with pytest.raises(AssertionError, match=r"(?s)ended with 2.*exists already"):
        server.command("account", "create", "--id", "424242424242")
    for wrong in ["42", "42424242424x", "4242424242424"]:
        with pytest.raises(AssertionError, match="ended with 2"):
            server.command("account", "create", "--id", wrong)


def test_accounts_made_at_once_are_all_there(start_server):
    server = start_server()
    made: list[Credentials] = []
    threads = [threading.Thread(target=lambda: made.append(server.create_account())) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 6
    credentials = (server.data / "aws" / "credentials").read_text()
    for each in made:
        assert each.access_key_id in credentials


def test_keys_and_credentials_are_readable_by_their_owner_alone(start_server, account_of, tmp_path):
    server = start_server()
    account_of(server).new_device()
    server.create_account()
    secret = [*(server.data / "keys").rglob("*"), *(server.data / "aws").rglob("*")]
    assert secret
    for path in secret:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode & 0o077 == 0, f"{path} {mode:o}"
        assert path.is_dir() or mode == 0o600, f"{path} {mode:o}"
    for folder in ("keys", "aws"):
        assert stat.S_IMODE((server.data / folder).stat().st_mode) & 0o077 == 0


def test_the_demo_tells_its_story_and_leaves_nothing_behind(tmp_path):
    done = run("demo", TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    steps = [line for line in done.stdout.splitlines() if re.match(r" *\d+\. \[", line)]
    for number, words in enumerate(
        ["server", "CreateKeysAndCertificate", "too early", "AttachPolicy", "connects over mutual TLS", "publishes", "REVOKED", "is cut", "tries again"], 1
    ):
        assert steps[number - 1].startswith(f"{number:>2}."), done.stdout
        assert words in steps[number - 1], done.stdout
    assert "0x87" in steps[-1]
    assert list(tmp_path.iterdir()) == []


def test_help_and_version_are_there():
    for arguments in [["--help"], ["serve", "--help"], ["--version"]]:
        done = run(*arguments)
        assert done.returncode == 0
        assert "gatehouse" in done.stdout


def test_a_command_that_does_not_exist_is_told():
    done = run("servce")
    assert done.returncode == 2
    assert "servce" in done.stderr


def test_the_api_speaks_tls_when_it_has_a_certificate(start_server, tmp_path, account):
    key, pem = account.new_self_signed("/CN=localhost")
    certificate = tmp_path / "api.pem"
    certificate.write_text(pem)
    server = start_server(api_certificate=str(certificate), api_key=str(key))
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--noproxy", "*", "--max-time", "20", "--cacert", certificate]
        + ["--connect-to", f"localhost:443:127.0.0.1:{server.api_url.rpartition(':')[2]}", "https://localhost/_gatehouse/health"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == '{"status":"ok"}', done.stderr
