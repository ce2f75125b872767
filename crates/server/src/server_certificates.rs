//! The server certificates for domains of customers': read at the start, and again whenever their files change.

use std::sync::Arc;
use std::time::Duration;

use gatehouse_domain::time::{Clock, Timestamp};
use gatehouse_pki::server_bundles::{BundleFiles, Reloaded, ServerBundles};

use crate::config::Config;
use crate::failure::Failure;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(5);

/// Reads what the configuration names. What cannot be served ends the start; what has merely expired does not.
pub(crate) fn open(config: &Config, now: Timestamp) -> Result<ServerBundles, Failure> {
    let files = config.server_certificates.iter().map(|(arn, files)| {
        let files = BundleFiles { certificate: files.certificate.clone(), key: files.key.clone() };
        (arn.clone(), files)
    });
    let bundles = ServerBundles::open(files.collect())
        .map_err(|unusable| Failure::configuration(format!("server_certificates: {unusable}")))?;
    for arn in config.server_certificates.keys() {
        if let Some(Err(error)) = bundles.bundle(arn).map(|bundle| bundle.check_validity(now)) {
            tracing::warn!(%arn, %error, "a server certificate is not valid: devices will refuse it");
        }
    }
    Ok(bundles)
}

/// Takes in what replaces the files. A replacement that does not serve leaves the former certificate in its place.
pub(crate) async fn follow(bundles: Arc<ServerBundles>, clock: Arc<dyn Clock>) {
    if bundles.is_empty() {
        return;
    }
    loop {
        tokio::time::sleep(LOOK).await;
        let (looked_at, now) = (Arc::clone(&bundles), clock.now());
        let found = tokio::task::spawn_blocking(move || looked_at.reload(now)).await.unwrap_or_default();
        for reloaded in found {
            match reloaded {
                Reloaded::Replaced(arn) => tracing::info!(%arn, "a server certificate was replaced"),
                Reloaded::Refused(arn, error) => {
                    tracing::error!(%arn, %error, "a server certificate's replacement is refused; the former one is served");
                }
            }
        }
    }
}
