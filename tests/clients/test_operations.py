"""Every operation of AWS's model is answered: what exists does its work, what does not says so by name."""

import re

import pytest

from api import call


def placeholders(text: str) -> str:
    """A path with something in the place of every name."""
    return re.sub(r"\{[^}]*\}", "x", text)


def test_every_operation_of_the_model_does_its_work_or_says_by_name_that_it_does_not_exist_yet(second_account):
    account = second_account
    model, missing = account.iot.meta.service_model, 0
    for name in model.operation_names:
        operation = model.operation_model(name)
        answer = call(account, operation.http["method"], placeholders(operation.http["requestUri"]))
        if answer.error == "NotImplementedException":
            assert answer.status == 501
            assert name in answer.message.split(), answer.message
            missing += 1
        else:
            modelled = {shape.name for shape in operation.error_shapes}
            assert answer.error is None or answer.error in modelled, f"{name}: {answer.error} {answer.body}"
            assert answer.status < 500, name
    assert missing <= len(model.operation_names) - 51, "what existed once has gone"


def test_boto3_raises_not_implemented_by_its_name(account):
    with pytest.raises(account.iot.exceptions.ClientError) as refused:
        account.iot.list_jobs()
    assert refused.value.response["Error"]["Code"] == "NotImplementedException"
    assert "ListJobs" in refused.value.response["Error"]["Message"]


def test_a_path_of_no_operation_is_unknown(account):
    for method, path in [("GET", "/nope"), ("PATCH", "/certificates"), ("GET", "/"), ("GET", "/things/a/b/c")]:
        answer = call(account, method, path)
        assert (answer.status, answer.error) == (404, "UnknownOperationException"), path
