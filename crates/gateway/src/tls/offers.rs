//! What is offered in a handshake, by security policy and server certificate. The deployment's own chains stand ready for
//! every policy; those of customers' domains are made when they are asked for first.

use std::sync::Arc;

use arc_swap::ArcSwap;
use gatehouse_domain::domain_configuration::ServerCertificateArn;
use gatehouse_domain::security_policy::SecurityPolicy;
use gatehouse_pki::server_bundle::ServerBundle;
use gatehouse_pki::server_bundles::ServerBundles;
use quick_cache::sync::Cache;

use super::ServerChains;
use super::configurations::{CertifiedChains, Configurations, Making};

/// Configurations of customers' certificates that are kept.
const KEPT: usize = 1_000;

/// All that may be offered.
pub(super) struct Offers {
    making: Making,
    own: ArcSwap<Own>,
    bundles: Arc<ServerBundles>,
    customers: Cache<(SecurityPolicy, ServerCertificateArn), Arc<Customers>>,
}

/// The deployment's own chains, under each policy; the default one first, as nearly everybody gets it.
struct Own(Vec<(SecurityPolicy, Arc<Configurations>)>);

/// A customer's chain.
struct Customers {
    /// What it was made of: a replacement of the files is another one.
    bundle: Arc<ServerBundle>,
    configurations: Arc<Configurations>,
}

impl Offers {
    /// Offers `chains`, and those of `bundles` where they are asked for.
    ///
    /// # Errors
    /// A chain or key that cannot be used.
    pub(super) fn new(
        chains: &ServerChains,
        bundles: Arc<ServerBundles>,
        resumption: bool,
    ) -> Result<Self, rustls::Error> {
        let making = Making::new(resumption);
        let own = ArcSwap::from_pointee(Own::make(&making, chains)?);
        Ok(Self { making, own, bundles, customers: Cache::new(KEPT) })
    }

    /// Offers other chains of the deployment's own from now on.
    ///
    /// # Errors
    /// A chain or key that cannot be used; the former ones stay.
    pub(super) fn renew(&self, chains: &ServerChains) -> Result<(), rustls::Error> {
        self.own.store(Arc::new(Own::make(&self.making, chains)?));
        Ok(())
    }

    /// What is offered by `policy`, with the certificate `arn` if one is named. One that the server's configuration does
    /// not have any more gives way to the deployment's own: the device finds a name that it does not expect.
    ///
    /// # Errors
    /// A chain or key that cannot be used.
    pub(super) fn of(
        &self,
        policy: SecurityPolicy,
        arn: Option<&ServerCertificateArn>,
    ) -> Result<Arc<Configurations>, rustls::Error> {
        let Some((arn, bundle)) = arn.and_then(|arn| Some((arn, self.bundles.bundle(arn)?))) else {
            return self.own.load().of(policy);
        };
        let key = (policy, arn.clone());
        if let Some(kept) = self.customers.get(&key)
            && Arc::ptr_eq(&kept.bundle, &bundle)
        {
            return Ok(Arc::clone(&kept.configurations));
        }
        let chains = CertifiedChains::single(bundle.served())?;
        let configurations = Arc::new(self.making.configurations(policy, &chains)?);
        self.customers.insert(key, Arc::new(Customers { bundle, configurations: Arc::clone(&configurations) }));
        Ok(configurations)
    }
}

impl Own {
    fn make(making: &Making, chains: &ServerChains) -> Result<Self, rustls::Error> {
        let chains = CertifiedChains::of(chains)?;
        let mut policies = SecurityPolicy::ALL;
        policies.sort_by_key(|policy| *policy != SecurityPolicy::default());
        let made = policies.into_iter().map(|policy| Ok((policy, Arc::new(making.configurations(policy, &chains)?))));
        made.collect::<Result<_, _>>().map(Self)
    }

    fn of(&self, policy: SecurityPolicy) -> Result<Arc<Configurations>, rustls::Error> {
        let found = self.0.iter().find(|(known, _)| *known == policy);
        let (_, configurations) =
            found.ok_or_else(|| rustls::Error::General(format!("{policy} is not among the security policies")))?;
        Ok(Arc::clone(configurations))
    }
}
