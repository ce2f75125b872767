//! Certificate authorities of an owner's making, as the registry takes them in, and what they sign.

use std::sync::atomic::{AtomicU32, Ordering};

use gatehouse_domain::ca::CaStatus;
use gatehouse_domain::certificate::CertificateMode;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::time::Timestamp;
use gatehouse_pki::ca::CaCertificate;
use gatehouse_store::CaCertificateRecord;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};

use crate::{Outcome, fleet};

/// A self-signed P-256 authority.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// As the registry reads it.
    pub(crate) certificate: CaCertificate,
}

impl Authority {
    /// A new one; no two have one subject, of which a registry takes ten at most.
    pub(crate) fn make() -> Outcome<Self> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("bench authority {}-{}", fleet::now().as_millis(), MADE.fetch_add(1, Ordering::Relaxed));
        let mut wish = CertificateParams::new(Vec::new())?;
        wish.distinguished_name.push(DnType::CommonName, name);
        wish.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        wish.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let issuer = CertifiedIssuer::self_signed(wish, KeyPair::generate()?)?;
        let certificate = CaCertificate::from_pem(&issuer.pem(), fleet::now())?;
        Ok(Self { issuer, certificate })
    }

    /// A device certificate of this authority, with a new key and a name that no other of this run has.
    pub(crate) fn sign(&self) -> Outcome<(rcgen::Certificate, KeyPair)> {
        static SIGNED: AtomicU32 = AtomicU32::new(0);
        let key = KeyPair::generate()?;
        let mut wish = fleet::wish()?;
        let name = format!("device-{}", SIGNED.fetch_add(1, Ordering::Relaxed));
        wish.distinguished_name.push(DnType::CommonName, name);
        Ok((wish.signed_by(&key, &self.issuer)?, key))
    }

    /// A certificate for a server on this machine, and its key, both in PEM.
    pub(crate) fn sign_server(&self) -> Outcome<(String, String)> {
        let key = KeyPair::generate()?;
        let mut wish = CertificateParams::new(vec!["localhost".to_owned()])?;
        wish.distinguished_name.push(DnType::CommonName, "bench server");
        Ok((wish.signed_by(&key, &self.issuer)?.pem(), key.serialize_pem()))
    }

    /// Its certificate in PEM.
    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// Its record: ACTIVE, SNI_ONLY, and registering its devices when they turn up.
    pub(crate) fn record(&self, scope: Scope, now: Timestamp) -> CaCertificateRecord {
        CaCertificateRecord {
            scope,
            certificate_id: self.certificate.id(),
            status: CaStatus::Active,
            auto_registration: true,
            mode: CertificateMode::SniOnly,
            subject_sha256: self.certificate.subject_sha256(),
            registration_config: None,
            generation_id: "bench".to_owned(),
            customer_version: 1,
            created_at: now,
            last_modified_at: now,
            not_before: self.certificate.not_before(),
            not_after: self.certificate.not_after(),
        }
    }
}
