"""Every operation of AWS's model is answered: what exists does its work, what does not says so by name."""

import re

import pytest

from api import call

# The operations that exist, as `cargo xtask coverage` lists them. A new one is added here and, where it lists pages, to
# the paginators in test_paginators.py.
IMPLEMENTED = set(
    """
    AttachPolicy AttachPrincipalPolicy AttachThingPrincipal CreateCertificateFromCsr CreateKeysAndCertificate CreatePolicy
    CreatePolicyVersion CreateThing DeleteCertificate DeletePolicy DeletePolicyVersion DeleteThing DescribeCertificate
    DescribeEndpoint DescribeThing DetachPolicy DetachPrincipalPolicy DetachThingPrincipal GetEffectivePolicies GetPolicy
    GetPolicyVersion ListAttachedPolicies ListCertificates ListPolicies ListPolicyPrincipals ListPolicyVersions
    ListPrincipalPolicies ListPrincipalThings ListPrincipalThingsV2 ListTagsForResource ListTargetsForPolicy
    ListThingPrincipals ListThingPrincipalsV2 ListThings RegisterCertificateWithoutCA SetDefaultPolicyVersion TagResource
    TestAuthorization UntagResource UpdateCertificate UpdateThing
    """.split()
)


def test_an_operation_that_does_not_exist_yet_says_so_by_its_name(account):
    model = account.iot.meta.service_model
    missing = sorted(set(model.operation_names) - IMPLEMENTED)
    assert len(missing) > 200
    for name in missing:
        http = model.operation_model(name).http
        answer = call(account, http["method"], re.sub(r"\{[^}]*\}", "x", http["requestUri"].partition("?")[0]))
        assert (answer.status, answer.error) == (501, "NotImplementedException"), name
        assert name in answer.message.split(), answer.message


def test_boto3_raises_not_implemented_by_its_name(account):
    with pytest.raises(account.iot.exceptions.ClientError) as refused:
        account.iot.get_registration_code()
    assert refused.value.response["Error"]["Code"] == "NotImplementedException"
    assert "GetRegistrationCode" in refused.value.response["Error"]["Message"]


def test_every_operation_that_exists_answers_the_model(account):
    """Each is called with nothing but placeholders: whatever comes of it is one of the operation's own answers."""
    model = account.iot.meta.service_model
    for name in sorted(IMPLEMENTED - {"CreateKeysAndCertificate"}):
        operation = model.operation_model(name)
        answer = call(account, operation.http["method"], re.sub(r"\{[^}]*\}", "x", operation.http["requestUri"]))
        modelled = {shape.name for shape in operation.error_shapes}
        assert answer.error is None or answer.error in modelled, f"{name}: {answer.error} {answer.body}"
        assert answer.status < 500, name


def test_a_path_of_no_operation_is_unknown(account):
    for method, path in [("GET", "/nope"), ("PATCH", "/certificates"), ("GET", "/"), ("GET", "/things/a/b/c")]:
        answer = call(account, method, path)
        assert (answer.status, answer.error) == (404, "UnknownOperationException"), path
