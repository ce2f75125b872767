//! A provisioning template and its parameters: lines `name=value` first, an empty line, the body on the rest. Reading and
//! filling in end, within bounds and with the same outcome each time, and what a plan makes of a policy is one.

#![no_main]

use std::collections::BTreeMap;

use gatehouse_domain::certificate::CertificateId;
use gatehouse_domain::limits;
use gatehouse_domain::policy::PolicyDocument;
use gatehouse_domain::provisioning::{PlannedPolicy, Template, TemplateKind};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Some((head, body)) = text.split_once("\n\n") else { return };
    let parameters: BTreeMap<String, String> =
        head.lines().filter_map(|line| line.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
    let id = CertificateId::from_bytes([0xab; 32]);
    for kind in [TemplateKind::Fleet, TemplateKind::JustInTime, TemplateKind::Registration] {
        let template = match Template::parse(body, kind) {
            Ok(template) => template,
            Err(invalid) => {
                assert!(!invalid.to_string().is_empty());
                continue;
            }
        };
        let outcome = template.plan(&parameters, Some(id));
        assert_eq!(outcome, template.plan(&parameters, Some(id)));
        let Ok(plan) = outcome else { continue };
        let told: usize = plan.device_configuration.values().map(String::len).sum();
        assert!(told <= limits::TEMPLATE_WORK_BYTES);
        for policy in plan.policies {
            if let PlannedPolicy::Document(document) = policy.policy {
                PolicyDocument::parse(&document).expect("a planned document is a policy");
            }
        }
    }
});
