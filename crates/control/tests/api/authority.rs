//! Authorities of tests' own, and what they sign.

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType, IsCa, Issuer,
    KeyPair,
};
use serde_json::{Value, json};

use crate::client::{Api, Ask};

/// A certificate authority.
pub(crate) struct Authority {
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// One with a new key.
    pub(crate) fn new(name: &str) -> Self {
        Self::with_key(name, KeyPair::generate().unwrap())
    }

    /// Another of the same name and key: a renewed one.
    pub(crate) fn renewed(&self, name: &str) -> Self {
        let key = KeyPair::from_pem(&self.issuer.key().serialize_pem()).unwrap();
        Self::with_key(name, key)
    }

    fn with_key(name: &str, key: KeyPair) -> Self {
        let mut params = named(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// A certificate for a new key with `common_name`.
    pub(crate) fn signs(&self, common_name: &str) -> String {
        let key = KeyPair::generate().unwrap();
        named(common_name).signed_by(&key, &self.issuer).unwrap().pem()
    }

    /// A certificate for the certificate signing request `csr`.
    pub(crate) fn certifies(&self, csr: &str) -> String {
        self.certifies_until(csr, rcgen::date_time_ymd(4096, 1, 1))
    }

    /// The same, valid from 1975 to `not_after`.
    pub(crate) fn certifies_until(&self, csr: &str, not_after: time::OffsetDateTime) -> String {
        let mut request = CertificateSigningRequestParams::from_pem(csr).unwrap();
        request.params.not_after = not_after;
        request.signed_by(&self.issuer).unwrap().pem()
    }

    /// A certificate for another key, with the subject of the certificate signing request `csr`.
    pub(crate) fn certifies_another_key(&self, csr: &str) -> String {
        let request = CertificateSigningRequestParams::from_pem(csr).unwrap();
        request.params.signed_by(&KeyPair::generate().unwrap(), &self.issuer).unwrap().pem()
    }

    /// A certificate for the key of the certificate signing request `csr`, with the subject `common_name`.
    pub(crate) fn certifies_as(&self, csr: &str, common_name: &str) -> String {
        let mut request = CertificateSigningRequestParams::from_pem(csr).unwrap();
        request.params.distinguished_name = named(common_name).distinguished_name;
        request.signed_by(&self.issuer).unwrap().pem()
    }

    /// The request that registers it in DEFAULT mode, with the code of `api`'s tenant.
    pub(crate) async fn registration(&self, api: &Api, query: &str) -> Ask {
        let verification = self.signs(&registration_code(api).await);
        register(api, query, json!({ "caCertificate": self.pem, "verificationCertificate": verification }))
    }

    /// Registers it ACTIVE in DEFAULT mode, untold; answers its id.
    pub(crate) async fn registered(&self, api: &Api) -> String {
        let registered = self.registration(api, "?setAsActive=true").await.quietly().ok().await;
        registered["certificateId"].as_str().unwrap().to_owned()
    }
}

pub(crate) async fn registration_code(api: &Api) -> String {
    let told = api.get("/registrationcode").quietly().ok().await;
    told["registrationCode"].as_str().unwrap().to_owned()
}

pub(crate) fn register(api: &Api, query: &str, body: Value) -> Ask {
    api.post(format!("/cacertificate{query}")).json(body)
}

/// A self-signed certificate that is no authority.
pub(crate) fn self_signed(name: &str) -> String {
    named(name).self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
}

fn named(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params
}
