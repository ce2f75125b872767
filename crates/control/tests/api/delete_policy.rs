//! DeletePolicy.

use serde_json::json;

use crate::client::Api;
use crate::harness::on_both_engines;
use crate::samples::ALLOW_CONNECT;

on_both_engines!(a_policy_in_use_is_not_deleted);

async fn a_policy_in_use_is_not_deleted(api: Api) {
    let delete = || api.delete("/policies/p");
    delete().refused(404, "ResourceNotFoundException").await;
    api.policy("p").await;
    let certificate = api.certificate().await;
    api.attach("p", &certificate).await;
    let version = json!({ "policyDocument": ALLOW_CONNECT });
    api.post("/policies/p/version?setAsDefault=true").json(version).ok().await;

    let refused = delete().refused(409, "DeleteConflictException").await;
    assert_eq!(refused["message"], "The policy cannot be deleted as versions other than than default version exist");
    api.delete("/policies/p/version/1").ok().await;
    let refused = delete().refused(409, "DeleteConflictException").await;
    let text = "The policy cannot be deleted as the policy is attached to one or more principals (name=p)";
    assert_eq!(refused["message"], text);
    api.post("/target-policies/p").json(json!({ "target": certificate.arn })).ok().await;
    assert_eq!(delete().ok().await, json!({}));
    api.get("/policies/p").refused(404, "ResourceNotFoundException").await;
    api.get("/policies/p/version/2").refused(404, "ResourceNotFoundException").await;
    api.snapshot("delete_policy");
}
