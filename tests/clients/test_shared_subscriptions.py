"""Shared subscriptions with strangers' clients."""

import collections
import queue

import pytest

from mqtt import V5, V311, Client
from test_sessions import lasting


@pytest.fixture(scope="module")
def device(shared_account):
    return shared_account.new_device()


def drain(client: Client) -> list[bytes]:
    found = []
    while True:
        try:
            found.append(client.messages.get(timeout=0.3).payload)
        except queue.Empty:
            return found


@pytest.mark.parametrize("protocol", [V311, V5], ids=["3.1.1", "5"])
def test_each_message_goes_to_one_member(account, device, protocol):
    name = f"workers-{protocol}"
    members = [Client(account, device, f"{name}-{n}", protocol=protocol) for n in range(3)]
    for member in members:
        member.connect()
        assert not member.subscribe(f"$share/{name}/jobs/+", qos=1)[0].is_failure
    with Client(account, device, f"{name}-boss", protocol=protocol) as boss:
        for number in range(60):
            boss.publish("jobs/x", str(number))
    received = [drain(member) for member in members]
    for member in members:
        member.disconnect()
    counts = collections.Counter(payload for some in received for payload in some)
    assert counts == {str(number).encode(): 1 for number in range(60)}
    assert all(received), "every member has a share"


def test_work_waits_for_a_member_that_comes_back(account, device):
    with lasting(account, device, "worker", V311) as worker:
        worker.subscribe("$share/patient/work", qos=1)
    with Client(account, device, "boss") as boss:
        for number in range(20):
            boss.publish("work", str(number))
    with lasting(account, device, "worker", V311) as worker:
        assert [worker.receive().payload for _ in range(20)] == [str(number).encode() for number in range(20)]
    with lasting(account, device, "worker", V311, clean=True):
        pass


def test_the_policy_is_asked_for_the_filter_as_it_was_written(account):
    allowed = "arn:aws:iot:us-east-1:000000000000:topicfilter/$share/mine/*"
    device = account.new_device(
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": ["iot:Connect", "iot:Publish", "iot:Receive"], "Resource": "*"},
                {"Effect": "Allow", "Action": "iot:Subscribe", "Resource": allowed},
            ],
        }
    )
    with Client(account, device, "scoped") as client:
        codes = client.subscribe("$share/mine/a", "$share/other/a", "a", qos=1)
        assert [code.value for code in codes] == [1, 0x87, 0x87]
