//! DescribeProvisioningTemplateVersion.

use serde_json::json;

use crate::client::Api;
use crate::harness::on_both_engines;
use crate::samples::{TEMPLATE, TEMPLATE_INACTIVE};

on_both_engines!(a_version_tells_its_body);

async fn a_version_tells_its_body(api: Api) {
    let path = "/provisioning-templates/t/versions";
    api.get(format!("{path}/1")).refused(404, "ResourceNotFoundException").await;
    api.template("t", "JITP").await;
    api.clock().advance_ms(1_500);
    api.post(path).json(json!({ "templateBody": TEMPLATE_INACTIVE })).quietly().ok().await;
    for (version, body, created, is_default) in [
        (1, TEMPLATE, json!(1_800_000_000), true),
        (2, TEMPLATE_INACTIVE, json!(1_800_000_001.5), false),
    ] {
        assert_eq!(
            api.get(format!("{path}/{version}")).ok().await,
            json!({
                "versionId": version,
                "creationDate": created,
                "templateBody": body,
                "isDefaultVersion": is_default,
            })
        );
    }
    for unknown in ["0", "3", "-1", "2147483647"] {
        api.get(format!("{path}/{unknown}")).refused(404, "ResourceNotFoundException").await;
    }
    for malformed in ["x", "1.5", "2147483648", "9223372036854775808"] {
        api.get(format!("{path}/{malformed}")).invalid().await;
    }
    api.snapshot("describe_provisioning_template_version");
}
