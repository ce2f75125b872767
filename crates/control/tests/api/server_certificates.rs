//! Server certificates for the house of a test: the files are in the test's hand.

use std::collections::BTreeMap;
use std::path::PathBuf;

use gatehouse_pki::server_bundles::{BundleFiles, ServerBundles};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use tempfile::TempDir;

/// The certificate of the first account: for `*.example.com` and `mqtt.example.org`.
pub(crate) const FLEET: &str = "arn:aws:acm:us-east-1:123456789012:certificate/fleet-1";
/// The same names, for another account.
pub(crate) const STRANGERS: &str = "arn:aws:acm:us-east-1:210987654321:certificate/strangers-1";

/// Where the files lie.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write(&["*.example.com", "mqtt.example.org"], 2030);
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn open(&self) -> ServerBundles {
        let files = || BundleFiles { certificate: self.path("chain.pem"), key: self.path("key.pem") };
        let all = [FLEET, STRANGERS].map(|arn| (arn.parse().unwrap(), files()));
        ServerBundles::open(BTreeMap::from(all)).unwrap()
    }

    /// Replaces the files: a certificate for `names` that ends with the year before `end`.
    pub(crate) fn write(&self, names: &[&str], end: i32) {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = date_time_ymd(2026, 1, 1);
        params.not_after = date_time_ymd(end, 1, 1);
        let certificate = params.self_signed(&key).unwrap();
        std::fs::write(self.path("chain.pem"), certificate.pem()).unwrap();
        std::fs::write(self.path("key.pem"), key.serialize_pem()).unwrap();
    }

    /// Spoils the key.
    pub(crate) fn spoil(&self) {
        std::fs::write(self.path("key.pem"), KeyPair::generate().unwrap().serialize_pem()).unwrap();
    }
}
