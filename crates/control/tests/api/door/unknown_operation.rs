//! Requests for operations that do not exist, here or at all.

use gatehouse_control::facts::IOT;
use gatehouse_control::operations;

use crate::client::Api;
use crate::harness::on_both_engines;

on_both_engines!(other_paths_and_methods_are_unknown, every_operation_of_the_model_answers);

async fn other_paths_and_methods_are_unknown(api: Api) {
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/nope"),
        ("GET", "/certificates/a/b"),
        ("GET", "/Certificates"),
        ("POST", "/endpoint"),
        ("OPTIONS", "/certificates"),
        ("PROPFIND", "/certificates"),
        ("get", "/certificates"),
        ("GET", "/2015-01-01/certificates"),
    ] {
        api.ask(method, path).refused(404, "UnknownOperationException").await;
    }
    api.snapshot("door_unknown_operation");
}

async fn every_operation_of_the_model_answers(api: Api) {
    let here: Vec<&str> = operations::all().iter().map(|handler| handler.name).collect();
    let mut missing = 0;
    for (name, facts) in &IOT.operations {
        let path = facts.path.replace(['{', '}', '+'], "");
        let answer = api.ask(&facts.method, path).quietly().send().await;
        if here.contains(&name.as_str()) {
            let error = answer.error.as_deref();
            assert!(
                !matches!(error, Some("NotImplementedException" | "UnknownOperationException")),
                "{name}: {error:?}"
            );
        } else {
            missing += 1;
            assert_eq!((answer.status, answer.error.as_deref()), (501, Some("NotImplementedException")), "{name}");
            assert!(answer.message().contains(&format!("the operation {name} ")), "{}", answer.message());
        }
    }
    assert_eq!(missing + here.len(), IOT.operations.len());
}
