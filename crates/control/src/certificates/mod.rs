//! Where certificates come from that are new to a scope: issued here or by the scope's provider ([`issue`]), or signed by a
//! registered CA ([`registration`]). Each is a [`NewCertificate`], which whoever asked for it registers together with
//! whatever else belongs to it, in one commit.

mod delegated_issue;
pub mod issue;
pub(crate) mod registration;

use gatehouse_domain::admission::Registration;
use gatehouse_domain::arn::Arn;
use gatehouse_domain::certificate::{CertificateId, claim};
use gatehouse_domain::event::Event;
use gatehouse_domain::time::Timestamp;
use gatehouse_store::{Batch, CaCertificateRecord, CertificateProviderRecord, CertificateRecord, Error, Store};

use crate::error;
use crate::random::uuid;

/// A certificate that the scope does not have yet.
#[derive(Clone, Debug)]
pub struct NewCertificate {
    record: CertificateRecord,
    pem: String,
    origin: Origin,
}

/// Who made it, and what must still be so when it is registered.
#[derive(Clone, Debug)]
enum Origin {
    /// This deployment's authority, under this serial number.
    Issued([u8; 20]),
    /// The scope's certificate provider, and the registered CA that signed for it, if there is one.
    Provider(Box<CertificateProviderRecord>, Option<Box<CaCertificateRecord>>),
    /// A registered CA.
    Ca(Box<CaCertificateRecord>),
}

impl NewCertificate {
    /// A certificate that the registered CA `ca` has signed and vouches for.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn of_ca(
        ca: CaCertificateRecord,
        certificate_id: CertificateId,
        pem: String,
        registration: Registration,
        now: Timestamp,
    ) -> Result<Self, error::Error> {
        let record = CertificateRecord {
            ca_certificate_id: Some(ca.certificate_id),
            ..CertificateRecord::new(ca.scope, certificate_id, registration, uuid()?, now)
        };
        Ok(Self { record, pem, origin: Origin::Ca(Box::new(ca)) })
    }

    /// What the registry will say of it.
    #[must_use]
    pub const fn record(&self) -> &CertificateRecord {
        &self.record
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> CertificateId {
        self.record.certificate_id
    }

    /// Its ARN.
    #[must_use]
    pub const fn arn(&self) -> Arn {
        Arn::certificate(self.record.scope, self.record.certificate_id)
    }

    /// The certificate.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Whether it can still be registered: nobody has done so meanwhile, and whoever made it is as it was then. When not,
    /// a commit with it conflicts however often it is tried.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn is_current(&self, store: &Store) -> Result<bool, Error> {
        let scope = self.record.scope;
        let (provider, ca) = match &self.origin {
            // Nobody else can have it.
            Origin::Issued(_) => return Ok(true),
            Origin::Provider(provider, ca) => (Some(&**provider), ca.as_deref()),
            Origin::Ca(ca) => (None, Some(&**ca)),
        };
        if let Some(provider) = provider
            && store.certificate_provider(scope).await?.as_ref() != Some(provider)
        {
            return Ok(false);
        }
        if let Some(ca) = ca
            && store.ca_certificate(scope, ca.certificate_id).await?.as_ref() != Some(ca)
        {
            return Ok(false);
        }
        Ok(claim(&store.certificate_scopes(self.id()).await?, scope, self.record.mode).is_ok())
    }

    /// Registers it with the batch, which conflicts when it is registered meanwhile, or when whoever made it may not any
    /// more.
    pub fn register(&self, batch: &mut Batch) {
        match &self.origin {
            Origin::Issued(_) => {}
            // Changed or deleted meanwhile, a provider has nothing to say; switched off or deleted, a CA vouches for nothing.
            Origin::Provider(provider, ca) => {
                batch.require_certificate_provider(provider);
                if let Some(ca) = ca {
                    batch.require_ca_certificate(ca);
                }
            }
            Origin::Ca(ca) => batch.require_ca_certificate(ca),
        }
        batch.insert_certificate(&self.record, &self.pem);
        if let Origin::Issued(serial) = &self.origin {
            batch.finish_issuance(serial, self.id());
        }
        batch.announce(Event::Certificate { scope: self.record.scope, certificate_id: self.id() });
    }
}
