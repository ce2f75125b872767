"""Provisioning templates that tests use."""

import json

CERTIFICATE_ID = "AWS::IoT::Certificate::Id"


def template_body(status: str = "ACTIVE", **sections) -> str:
    """A body that every type of template takes; further resources and sections are those given."""
    certificate = {
        "Type": "AWS::IoT::Certificate",
        "Properties": {"CertificateId": {"Ref": CERTIFICATE_ID}, "Status": status},
    }
    resources = {"certificate": certificate} | sections.pop("Resources", {})
    return json.dumps({"Resources": resources} | sections)


def provisioning_role(account, name: str = "provisioning") -> str:
    return f"arn:aws:iam::{account.credentials.account_id}:role/{name}"
