//! Rates of control calls, by one caller and by many, each on a kept connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http::Method;
use tokio::task::JoinSet;

use super::Bench;
use crate::authority::Authority;
use crate::children::Server;
use crate::figures::{Figure, Figures, Reach};
use crate::operator::{Operator, Pen};
use crate::{Failure, Outcome, fleet, process};

/// Callers at once.
const CALLERS: [usize; 2] = [1, 32];
/// Registrations that are made ready for each second, by number of callers: more than can be done.
const REGISTRATIONS_A_SECOND: [u64; 2] = [3_000, 20_000];
/// Certification requests, which may be sent again and again.
const REQUESTS: usize = 200;

/// Calls of one kind.
struct Load {
    name: &'static str,
    requests: Vec<Vec<u8>>,
    /// Whether a request may be sent twice.
    repeats: bool,
    reach: Option<Reach>,
}

pub(super) async fn measure(bench: &Bench<'_>, figures: &mut Figures) -> Outcome {
    let duration = Duration::from_secs(bench.options.seconds);
    for registered in bench.options.registered(&[1_000]) {
        let data = bench.data(registered).await?;
        let authority = Authority::make()?;
        data.register_authorities(std::slice::from_ref(&authority)).await?;
        let (server, devices, data) = bench.on(data, super::FLEET).await?;
        let api = server.api.ok_or("the ready line lacks api")?;
        for (callers, registrations) in CALLERS.into_iter().zip(REGISTRATIONS_A_SECOND) {
            let count = registrations.saturating_mul(bench.options.seconds);
            let certificates = (0..count).map(|_| Ok(fleet::self_signed()?.0.pem())).collect::<Outcome<Vec<_>>>()?;
            let signed = (0..count).map(|_| Ok(authority.sign()?.0.pem())).collect::<Outcome<Vec<_>>>()?;
            let csrs = (0..REQUESTS).map(|_| fleet::request()).collect::<Outcome<Vec<_>>>()?;
            // Signatures age: written as late as possible.
            let pen = Pen::of(&data.path, api)?;
            let descriptions =
                devices.iter().map(|device| pen.write(&Method::GET, &format!("/certificates/{}", device.id()), ""));
            let issues = csrs.iter().map(|csr| {
                let body = serde_json::json!({ "certificateSigningRequest": csr });
                pen.write(&Method::POST, "/certificates?setAsActive=true", &body.to_string())
            });
            let of_many = |least: f64| (callers > 1).then_some(Reach::AtLeast(least));
            let loads = [
                Load {
                    name: "RegisterCertificateWithoutCA",
                    requests: registrations_of(certificates, &pen, "/certificate/register-no-ca")?,
                    repeats: false,
                    reach: of_many(5_000.0),
                },
                Load {
                    name: "RegisterCertificate",
                    requests: registrations_of(signed, &pen, "/certificate/register")?,
                    repeats: false,
                    reach: None,
                },
                Load {
                    name: "DescribeCertificate",
                    requests: descriptions.collect::<Outcome<_>>()?,
                    repeats: true,
                    reach: None,
                },
                Load {
                    name: "CreateCertificateFromCsr",
                    requests: issues.collect::<Outcome<_>>()?,
                    repeats: true,
                    reach: of_many(1_000.0),
                },
                Load {
                    name: "CreateKeysAndCertificate",
                    requests: vec![pen.write(&Method::POST, "/keys-and-certificate?setAsActive=true", "")?],
                    repeats: true,
                    reach: None,
                },
            ];
            for load in loads {
                run(&server, api, load, callers, duration, figures).await?;
            }
        }
        server.stop().await?;
    }
    Ok(())
}

/// Requests that register `certificates`, each of which is dropped once its request is written.
fn registrations_of(certificates: Vec<String>, pen: &Pen, target: &str) -> Outcome<Vec<Vec<u8>>> {
    let write = |pem: String| {
        let body = serde_json::json!({ "certificatePem": pem, "status": "ACTIVE" });
        pen.write(&Method::POST, target, &body.to_string())
    };
    certificates.into_iter().map(write).collect()
}

async fn run(
    server: &Server,
    api: SocketAddr,
    load: Load,
    callers: usize,
    duration: Duration,
    figures: &mut Figures,
) -> Outcome {
    let Load { name, requests, repeats, reach } = load;
    let (requests, next): (Arc<[Vec<u8>]>, _) = (requests.into(), Arc::new(AtomicUsize::new(0)));
    let cpu_before = process::cpu(server.pid)?;
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..callers {
        let (requests, next) = (Arc::clone(&requests), Arc::clone(&next));
        tasks.spawn(async move {
            let mut operator = Operator::connect(api).await?;
            let mut done = 0_u32;
            while began.elapsed() < duration {
                let mut number = next.fetch_add(1, Ordering::Relaxed);
                if repeats {
                    number %= requests.len().max(1);
                }
                let Some(request) = requests.get(number) else { break };
                operator.call(request).await?;
                done += 1;
            }
            Ok::<_, Failure>(done)
        });
    }
    let mut done = 0_u32;
    while let Some(ended) = tasks.join_next().await {
        done += ended??;
    }
    let took = began.elapsed();
    let cpu = process::cpu(server.pid)?.saturating_sub(cpu_before);
    let figure =
        |what: String, unit, gatehouse, reach| Figure { mode: "api", what, unit, gatehouse, beside: None, reach };
    figures.add(figure(format!("{name}, {callers} callers"), "/s", f64::from(done) / took.as_secs_f64(), reach));
    let each = cpu.as_secs_f64() * 1e6 / f64::from(done.max(1));
    figures.add(figure(format!("{name}, {callers} callers, server CPU"), "µs", each, None));
    Ok(())
}
