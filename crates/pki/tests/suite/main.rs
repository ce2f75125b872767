//! What the crate promises to the rest of the house. The files read here are made by `make.py` and
//! `make_authorities.py` in `tests/data`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "all of this crate is tests, and the lints know only the functions marked so"
)]

mod algorithm;
mod answer;
mod authority;
mod ca;
mod certificate;
mod chain;
mod csr;
mod issue;
mod key_pair;
mod seal;
mod server_bundle;

use gatehouse_domain::time::Timestamp;
use gatehouse_pki::certificate::Certificate;

/// 2027-01-15T08:00:00Z, within the validity of every certificate in the data folder.
const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

/// A text of the data folder.
fn data(name: &str) -> String {
    std::fs::read_to_string(format!("{}/tests/data/{name}.pem", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// A certificate of the folder `authority`.
fn authority(name: &str) -> Certificate {
    Certificate::from_pem(&data(&format!("authority/{name}"))).unwrap()
}

/// The contents of all PEM blocks.
fn blocks(text: &str) -> Vec<Vec<u8>> {
    text.split_inclusive("-----END CERTIFICATE-----\n").map(der).collect()
}

/// The content of the first PEM block.
fn der(pem: &str) -> Vec<u8> {
    use base64::Engine as _;
    let body: String = pem
        .lines()
        .skip_while(|line| !line.starts_with("-----BEGIN"))
        .skip(1)
        .take_while(|line| !line.starts_with('-'))
        .collect();
    base64::engine::general_purpose::STANDARD.decode(body).unwrap()
}

fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine as _;
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        base64::engine::general_purpose::STANDARD.encode(der)
    )
}

/// Runs a future that never waits.
fn run<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(output) => output,
        std::task::Poll::Pending => panic!("the future waits"),
    }
}
