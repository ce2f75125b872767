"""`gatehouse connections` beside a running server: who is connected, everything about a client, and the end of one."""

import json
import os
import socket
import stat
import subprocess

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from eventually import eventually
from mqtt import V311, Client
from server import binary


def connections(server, *arguments) -> subprocess.CompletedProcess:
    return subprocess.run(
        [binary(), "connections", *arguments, "--data", server.data, *server.options],
        env=server.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def shown(server, *arguments) -> list[dict]:
    done = connections(server, *arguments)
    assert (done.returncode, done.stderr) == (0, ""), done
    return [json.loads(line) for line in done.stdout.splitlines()]


def refused(done: subprocess.CompletedProcess, *told: str) -> None:
    assert (done.returncode, done.stdout) == (2, ""), done
    (sentence,) = done.stderr.strip().splitlines()
    for words in told:
        assert words in sentence, sentence


def lasting(seconds: int) -> dict:
    properties = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = seconds
    return {"clean_start": False, "properties": properties}


def test_list_shows_who_is_connected_of_the_scopes_asked_for(account, second_account):
    server, device, stranger = account.server, account.new_device(), second_account.new_device()
    with Client(account, device, "conn-a", connect_options=lasting(600)) as client, Client(second_account, stranger, "conn-b"):
        listed = {each["clientId"]: each for each in shown(server, "list")}
        one = listed["conn-a"]
        assert one["account"] == "000000000000" and one["region"] == "us-east-1"
        assert one["principal"] == device.certificate_id
        assert (one["sourceIp"], one["sourcePort"]) == client.paho.socket().getsockname()
        assert (one["keepAlive"], one["cleanSession"], one["sessionExpiry"]) == (60, False, 600)
        assert one["connectedSince"].endswith("Z") and "thingName" not in one
        assert listed["conn-b"]["account"] == second_account.credentials.account_id

        own = shown(server, "list", "--account", second_account.credentials.account_id)
        assert [each["clientId"] for each in own] == ["conn-b"]
        assert shown(server, "list", "--region", "eu-west-1") == []
    eventually(lambda: "conn-a" not in {each["clientId"] for each in shown(server, "list")}, "the client is gone")


def test_show_tells_the_connection_and_then_the_session_that_waits(account):
    server, device = account.server, account.new_device()
    account.iot.create_thing(thingName="conn-show")
    account.iot.attach_thing_principal(thingName="conn-show", principal=device.certificate_arn, thingPrincipalType="EXCLUSIVE_THING")
    with Client(account, device, "conn-show", connect_options=lasting(600)) as client:
        client.subscribe("conn/show/#", qos=1)
        (one,) = shown(server, "show", "conn-show")
        assert one["connected"] is True and one["thingName"] == "conn-show"
        assert one["subscriptions"] == [{"topicFilter": "conn/show/#", "qos": 1}]
        assert one["queuedMessages"] == 0
        client.drop()
    eventually(lambda: not shown(server, "show", "conn-show")[0]["connected"], "the connection is gone")
    with Client(account, account.new_device(), "conn-sender") as sender:
        sender.publish("conn/show/1", b"x")
        sender.publish("conn/show/2", b"x")
    (one,) = shown(server, "show", "conn-show")
    assert one["disconnectReason"] == "CONNECTION_LOST"
    assert one["disconnectedSince"] < one["sessionEndsAt"]
    assert one["queuedMessages"] == 2
    assert one["subscriptions"] == [{"topicFilter": "conn/show/#", "qos": 1}]
    assert "principal" not in one


def test_show_remembers_a_client_without_a_session(account):
    with Client(account, account.new_device(), "conn-gone"):
        pass
    eventually(lambda: not shown(account.server, "show", "conn-gone")[0]["connected"], "the client is gone")
    (one,) = shown(account.server, "show", "conn-gone")
    assert one["disconnectReason"] == "CLIENT_INITIATED_DISCONNECT"
    assert "subscriptions" not in one


@pytest.mark.parametrize("options", [[], ["--clean-session"]])
def test_close_ends_a_connection_and_its_session_where_asked_for(account, options):
    server, device = account.server, account.new_device()
    with Client(account, device, "conn-close", connect_options=lasting(600)) as client:
        client.subscribe("conn/close", qos=1)
        assert shown(server, "close", "conn-close", *options) == []
        client.wait_closed()
        assert client.close_reason.value == 0x98
    (one,) = eventually(lambda: shown(server, "show", "conn-close"), "the client is gone")
    assert (one["connected"], one["disconnectReason"]) == (False, "API_INITIATED_DISCONNECT")
    assert ("sessionEndsAt" in one) == (not options)
    with Client(account, device, "conn-close", connect_options=lasting(0)) as client:
        assert client.connack[0].session_present == (not options)


@pytest.mark.parametrize("options", [[], ["--prevent-will"]])
def test_a_will_is_published_unless_it_is_prevented(account, options):
    server, device = account.server, account.new_device()
    with Client(account, account.new_device(), "conn-listener") as listener:
        listener.subscribe("conn/will", "conn/end")
        client = Client(account, device, "conn-will", protocol=V311)
        client.paho.will_set("conn/will", b"gone")
        client.connect()
        shown(server, "close", "conn-will", *options)
        client.wait_closed()
        eventually(lambda: not shown(server, "show", "conn-will")[0]["connected"], "the client is gone")
        listener.publish("conn/end", b"", qos=1)
        topics = [listener.receive().topic]
        while topics[-1] != "conn/end":
            topics.append(listener.receive().topic)
        assert topics == (["conn/end"] if options else ["conn/will", "conn/end"])
        client.disconnect()


def test_a_client_id_of_two_accounts_is_not_closed_by_chance(account, second_account):
    server = account.server
    with Client(account, account.new_device(), "conn-twice"), Client(second_account, second_account.new_device(), "conn-twice"):
        assert len(shown(server, "show", "conn-twice")) == 2
        refused(connections(server, "close", "conn-twice"), "--account")
        assert len([each for each in shown(server, "list") if each["clientId"] == "conn-twice"]) == 2
        shown(server, "close", "conn-twice", "--account", second_account.credentials.account_id)
        eventually(lambda: sum(each["clientId"] == "conn-twice" for each in shown(server, "list")) == 1, "one is closed")


def test_a_client_that_sent_no_id_can_be_closed(account):
    with Client(account, account.new_device(), "") as client:
        client_id = client.connack[2].AssignedClientIdentifier
        assert client_id.startswith("$GEN/")
        assert shown(account.server, "show", client_id)[0]["connected"] is True
        shown(account.server, "close", client_id)
        assert client.wait_closed().value == 0x98


def test_an_unknown_client_and_an_impossible_one_are_told(account):
    for command in ("show", "close"):
        refused(connections(account.server, command, "$x"), "must not begin with $")
        refused(connections(account.server, command, "conn-nobody"), "conn-nobody")
        refused(connections(account.server, command, "x" * 200), "128")
    refused(connections(account.server, "show", "conn-nobody", "--account", "999999999999"), "conn-nobody")


def test_without_a_server_a_sentence_says_so_and_a_killed_servers_socket_is_replaced(start_server):
    server = start_server()
    path = server.data / "control.sock"
    assert stat.S_ISSOCK(path.stat().st_mode) and stat.S_IMODE(path.stat().st_mode) == 0o600
    server.kill()
    assert path.exists()
    refused(connections(server, "list"), "no server runs", "gatehouse serve")
    server.start()
    assert shown(server, "list") == []
    server.stop()
    assert not path.exists()
    refused(connections(server, "list"), "no server runs")


def test_strange_requests_are_answered_in_words_and_do_no_harm(server):
    for given, told in [
        (b"{}\n", "not a request"),
        (b'"List"\n', "not a request"),
        (b'{"list":{"account":"1; drop","region":null}}\n', "not a request"),
        (b'{"list":{"account":null,"region":null,"more":1}}\n', "not a request"),
        (b"\xff\n", "utf-8"),
        (b"x" * 5000 + b"\n", "4096"),
        (b"no end", "ended early"),
    ]:
        with socket.socket(socket.AF_UNIX) as plain:
            plain.settimeout(30)
            plain.connect(os.fspath(server.data / "control.sock"))
            plain.sendall(given)
            plain.shutdown(socket.SHUT_WR)
            (answer,) = plain.makefile().read().splitlines()
            assert told in json.loads(answer)["refused"], given
    shown(server, "list")


def test_commands_that_say_nothing_do_not_keep_others_for_ever(server):
    idle = [socket.socket(socket.AF_UNIX) for _ in range(8)]
    try:
        for plain in idle:
            plain.connect(os.fspath(server.data / "control.sock"))
        waiting = subprocess.Popen(
            [binary(), "connections", "list", "--data", server.data], env=server.environment, stdout=subprocess.DEVNULL
        )
        for plain in idle[:1]:
            plain.close()
        assert waiting.wait(30) == 0
    finally:
        for plain in idle:
            plain.close()
