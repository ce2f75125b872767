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


def lamp_policy(account) -> dict:
    """A device may connect as its thing and publish below its thing's name."""
    prefix = f"arn:aws:iot:{account.region}:{account.credentials.account_id}"
    thing = "${iot:Connection.Thing.ThingName}"
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "iot:Connect", "Resource": f"{prefix}:client/{thing}"},
            {"Effect": "Allow", "Action": "iot:Publish", "Resource": f"{prefix}:topic/lamps/{thing}"},
        ],
    }
