//! Bulk registration: lines of a file, each with a P-256 request, that become things with active certificates and a policy,
//! durably, a second; and how long a device waits to be let in while they do.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use http::Method;
use serde_json::{Value, json};

use super::Bench;
use super::provision::{POLICY, ROLE, look, look_quietly};
use crate::children::{CONFIGURATION, Server};
use crate::figures::{Figure, Figures, Reach, Rounds};
use crate::operator::{Operator, Pen};
use crate::{Outcome, fleet, process};

/// Lines of a round unless told otherwise.
const LINES: u32 = 10_000;
/// Between looks whether a task has ended.
const POLL: Duration = Duration::from_millis(20);

pub(super) async fn measure(bench: &Bench<'_>, figures: &mut Figures) -> Outcome {
    let lines = bench.options.connections(LINES);
    for registered in bench.options.registered(&[1_000]) {
        let (data, bucket) = (bench.data(registered).await?, tempfile::tempdir()?);
        let path = bucket.path().display();
        let configuration = format!("[buckets.bench]\naccount = \"000000000000\"\npath = \"{path}\"\n");
        std::fs::write(data.path.join(CONFIGURATION), configuration)?;
        let (server, devices, data) = bench.on(data, 1).await?;
        let watcher = devices.first().ok_or("the fleet is empty")?;
        let quiet = look_quietly(&server, watcher).await?;
        let (mut rates, mut cpu, mut looks) = (Rounds::new(), Rounds::new(), Rounds::new());
        for round in 0..bench.options.rounds {
            // No request is made while the clock runs.
            let key = format!("round-{round}");
            std::fs::write(bucket.path().join(&key), input(lines, &key)?)?;
            let before = process::cpu(server.pid)?;
            let looking = look(server.mqtt, watcher.clone());
            let took = register(&server, &data.path, &key, lines).await?;
            looking.stop().await?.into_iter().for_each(|milliseconds| looks.push(milliseconds));
            rates.push(lines as f64 / took.as_secs_f64());
            cpu.push(process::cpu(server.pid)?.saturating_sub(before).as_secs_f64() * 1e6 / lines as f64);
        }
        server.stop().await?;
        let figure = |what: &str, unit, gatehouse, reach| Figure {
            mode: "bulk",
            what: format!("{what}, {registered} registered"),
            unit,
            gatehouse,
            beside: None,
            reach,
        };
        let (loud, quiet) = (looks.percentile(99), quiet.percentile(99));
        figures.add(figure("lines with a CSR, median", "/s", rates.median(), Some(Reach::AtLeast(2_000.0))));
        figures.add(figure("CPU per line, a device's connects with it, median", "µs", cpu.median(), None));
        figures.add(figure("a device's connect meanwhile, p99", "ms", loud, None));
        let (what, ratio) = (format!("… against {quiet:.1} ms when it is quiet"), loud / quiet.max(f64::EPSILON));
        figures.add(figure(&what, "×", ratio, Some(Reach::AtMost(2.0))));
    }
    Ok(())
}

/// An input file of so many devices.
fn input(lines: usize, name: &str) -> Outcome<String> {
    let mut text = String::new();
    for number in 0..lines {
        let line = json!({ "Name": format!("{name}-{number}"), "CSR": fleet::request()? });
        writeln!(text, "{line}")?;
    }
    Ok(text)
}

/// Has the file `key` registered; answers how long it took.
async fn register(server: &Server, data: &std::path::Path, key: &str, lines: usize) -> Outcome<Duration> {
    let api = server.api.ok_or("the ready line lacks api")?;
    let pen = Pen::of(data, api)?;
    let mut operator = Operator::connect(api).await?;
    let wanted =
        json!({ "templateBody": template(), "inputFileBucket": "bench", "inputFileKey": key, "roleArn": ROLE });
    let began = Instant::now();
    let started = operator.ask(&pen.write(&Method::POST, "/thing-registration-tasks", &wanted.to_string())?).await?;
    let started: Value = serde_json::from_slice(&started)?;
    let task_id = started.get("taskId").and_then(Value::as_str).ok_or_else(|| format!("no task: {started}"))?;
    let target = format!("/thing-registration-tasks/{task_id}");
    loop {
        let told: Value = serde_json::from_slice(&operator.ask(&pen.write(&Method::GET, &target, "")?).await?)?;
        match told.get("status").and_then(Value::as_str) {
            Some("InProgress") => tokio::time::sleep(POLL).await,
            Some("Completed") if told.get("successCount").is_some_and(|count| *count == lines) => {
                return Ok(began.elapsed());
            }
            _ => return Err(format!("the task did not register everything: {told}").into()),
        }
    }
}

fn template() -> String {
    json!({
        "Parameters": { "Name": { "Type": "String" }, "CSR": { "Type": "String" } },
        "Resources": {
            "thing": {
                "Type": "AWS::IoT::Thing",
                "Properties": { "ThingName": { "Ref": "Name" }, "AttributePayload": { "serial": { "Ref": "Name" } } },
            },
            "certificate": {
                "Type": "AWS::IoT::Certificate",
                "Properties": { "CertificateSigningRequest": { "Ref": "CSR" }, "Status": "ACTIVE" },
            },
            "policy": { "Type": "AWS::IoT::Policy", "Properties": { "PolicyDocument": POLICY } },
        },
    })
    .to_string()
}
