"""Bulk registration through boto3: a file of devices, their certificates out of the report, and one of them connects."""

import json
import subprocess
import time
import urllib.error
import urllib.request

import pytest

from account import ALLOW_ALL, Device
from mqtt import Client
from provisioning import provisioning_role

ACCOUNT = "000000000000"
BUCKET = "fleet-input"
DONE_WITHIN_S = 90

TEMPLATE = json.dumps(
    {
        "Parameters": {"Name": {"Type": "String"}, "CSR": {"Type": "String"}},
        "Resources": {
            "thing": {
                "Type": "AWS::IoT::Thing",
                "Properties": {"ThingName": {"Ref": "Name"}, "AttributePayload": {"batch": "7"}},
            },
            "certificate": {
                "Type": "AWS::IoT::Certificate",
                "Properties": {"CertificateSigningRequest": {"Ref": "CSR"}, "Status": "ACTIVE"},
            },
            "policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyDocument": json.dumps(ALLOW_ALL)}},
        },
    }
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder that is the bucket."""
    return tmp_path_factory.mktemp("input")


@pytest.fixture(scope="module")
def house(start_module_server, account_of, tmp_path_factory, folder):
    """The first account of a server that knows the bucket."""
    config = tmp_path_factory.mktemp("buckets") / "gatehouse.toml"
    config.write_text(f'[buckets.{BUCKET}]\naccount = "{ACCOUNT}"\npath = "{folder}"\n')
    return account_of(start_module_server(config=config))


def start(house, key: str) -> str:
    started = house.iot.start_thing_registration_task(
        templateBody=TEMPLATE, inputFileBucket=BUCKET, inputFileKey=key, roleArn=provisioning_role(house)
    )
    return started["taskId"]


def ended(house, task: str) -> dict:
    """The task as it is described once it has ended."""
    deadline = time.monotonic() + DONE_WITHIN_S
    while (told := house.iot.describe_thing_registration_task(taskId=task))["status"] in ("InProgress", "Cancelling"):
        assert time.monotonic() < deadline, f"not within {DONE_WITHIN_S} s: {told}"
        time.sleep(0.05)
    return told


def links(house, task: str, report_type: str) -> list[str]:
    listed = house.iot.list_thing_registration_task_reports(taskId=task, reportType=report_type)
    assert listed["reportType"] == report_type
    return listed["resourceLinks"]


def lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_devices_of_a_file_are_registered_and_connect(house, folder):
    requests = [house.new_request(f"/CN=lamp-{number}") for number in range(3)]
    given = [json.dumps({"Name": f"lamp-{number}", "CSR": csr}) for number, (_, csr) in enumerate(requests)]
    given.insert(1, json.dumps({"Name": "no-request"}))
    (folder / "2027").mkdir(exist_ok=True)
    (folder / "2027" / "lamps.json").write_text("\r\n".join(given))

    task = start(house, "2027/lamps.json")
    told = ended(house, task)
    assert (told["status"], told["successCount"], told["failureCount"]) == ("Completed", 3, 1)
    assert (told["percentageProgress"], told["inputFileKey"]) == (100, "2027/lamps.json")
    assert task in house.iot.list_thing_registration_tasks(status="Completed")["taskIds"]

    # The links need no signature; AWS's are fetched with whatever speaks HTTP.
    [errors] = links(house, task, "ERRORS")
    fetched = subprocess.run(["curl", "-sSf", errors], capture_output=True, text=True, timeout=30, check=True)
    [error] = lines(fetched.stdout)
    assert (error["lineId"], error["errorCode"]) == (2, "InvalidRequestException")
    assert "CSR" in error["errorMessage"]

    [results] = links(house, task, "RESULTS")
    with urllib.request.urlopen(results, timeout=30) as answer:
        assert answer.headers["Content-Type"] == "application/json"
        made = lines(answer.read().decode())
    assert [line["lineId"] for line in made] == [1, 3, 4]
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(results.replace("/results?", "/errors?"), timeout=30)
    assert refused.value.code == 403

    arn = made[0]["response"]["ResourceArns"]["certificate"]
    assert house.iot.describe_thing(thingName="lamp-0")["attributes"] == {"batch": "7"}
    assert house.iot.list_thing_principals(thingName="lamp-0")["principals"] == [arn]
    key = requests[0][0]
    certificate = key.with_suffix(".pem")
    certificate.write_text(made[0]["response"]["certificatePem"])
    with Client(house, Device(arn.rpartition("/")[2], arn, certificate, key), "lamp-0") as client:
        client.subscribe("a")


def test_a_file_that_is_not_there_is_told(house):
    told = ended(house, start(house, "2027/nothing.json"))
    assert told["status"] == "Failed"
    assert "2027/nothing.json" in told["message"]


def test_a_bucket_of_nobody_and_a_key_that_leads_out_are_refused(house):
    for bucket, key, word in [("another", "a", "bucket"), (BUCKET, "../secret", "inputFileKey")]:
        with pytest.raises(house.iot.exceptions.InvalidRequestException) as refused:
            house.iot.start_thing_registration_task(
                templateBody=TEMPLATE, inputFileBucket=bucket, inputFileKey=key, roleArn=provisioning_role(house)
            )
        assert word in str(refused.value)


def test_a_task_is_stopped_and_another_may_begin(house, folder):
    _, csr = house.new_request()
    (folder / "long.json").write_text("".join(json.dumps({"Name": f"l{n}", "CSR": csr}) + "\n" for n in range(20_000)))
    task = start(house, "long.json")
    with pytest.raises(house.iot.exceptions.InvalidRequestException) as refused:
        start(house, "long.json")
    assert task in str(refused.value)
    house.iot.stop_thing_registration_task(taskId=task)
    told = ended(house, task)
    assert told["status"] == "Cancelled"
    assert told["successCount"] < 20_000
    pages = house.iot.get_paginator("list_thing_registration_tasks").paginate(PaginationConfig={"PageSize": 1})
    listed = [task_id for page in pages for task_id in page["taskIds"]]
    assert listed[0] == task
    assert len(set(listed)) == len(listed) >= 2


def test_whatever_is_killed_on_the_way_each_line_is_registered_once(start_server, account_of, tmp_path):
    config = tmp_path / "gatehouse.toml"
    input_folder = tmp_path / "input"
    input_folder.mkdir()
    config.write_text(f'[buckets.{BUCKET}]\naccount = "{ACCOUNT}"\npath = "{input_folder}"\n')
    server = start_server(config=config)
    house = account_of(server)
    _, csr = house.new_request()
    count = 2_000
    (input_folder / "all.json").write_text("".join(json.dumps({"Name": f"t{n}", "CSR": csr}) + "\n" for n in range(count)))
    task = start(house, "all.json")
    deadline = time.monotonic() + DONE_WITHIN_S
    while house.iot.describe_thing_registration_task(taskId=task)["successCount"] == 0:
        assert time.monotonic() < deadline
    server.kill()
    server.start()
    house = account_of(server)
    assert house.iot.describe_thing_registration_task(taskId=task)["status"] == "InProgress"
    told = ended(house, task)
    assert (told["status"], told["successCount"], told["failureCount"]) == ("Completed", count, 0)
    [results] = links(house, task, "RESULTS")
    with urllib.request.urlopen(results, timeout=60) as answer:
        made = lines(answer.read().decode())
    assert [line["lineId"] for line in made] == list(range(1, count + 1))
    certificates = {line["response"]["ResourceArns"]["certificate"] for line in made}
    assert len(certificates) == count
    pages = house.iot.get_paginator("list_certificates").paginate(PaginationConfig={"PageSize": 250})
    assert sum(len(page["certificates"]) for page in pages) == count
