//! Opens the house: store, authority, keys. The same for the server and for the commands that work beside it.

use std::path::Path;
use std::sync::Arc;

use gatehouse_control::access_key::{AccessKeyWish, NewAccessKey, make};
use gatehouse_control::random::random;
use gatehouse_domain::endpoint::EndpointPrefix;
use gatehouse_domain::event::Event;
use gatehouse_domain::scope::{AccountId, Scope};
use gatehouse_domain::time::Clock;
use gatehouse_pki::authority::{Authority, AuthoritySettings};
use gatehouse_pki::seal::Sealer;
use gatehouse_store::{AccountRecord, Batch, Store};
use zeroize::Zeroizing;

use crate::client_files::ClientFiles;
use crate::clock::SystemClock;
use crate::config::{Config, IssuingKey};
use crate::failure::Failure;

/// An open house.
pub(crate) struct Opened {
    pub(crate) store: Store,
    pub(crate) authority: Authority,
    pub(crate) sealer: Sealer,
    pub(crate) clock: Arc<dyn Clock>,
    /// Where the files for AWS's clients are written.
    pub(crate) client_files: ClientFiles,
}

/// Opens the house that `config` names, making what a first start needs: folder, database, authority, first account.
pub(crate) async fn open(config: &Config) -> Result<Opened, Failure> {
    make_folder(&config.data_dir)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let now = clock.now();
    let passphrase = read_passphrase(config)?;
    let issuing_key = match config.issuing_key {
        IssuingKey::P256 => gatehouse_pki::authority::IssuingKey::P256,
        IssuingKey::Rsa2048 => gatehouse_pki::authority::IssuingKey::Rsa2048,
    };
    let keys = config.data_dir.join("keys");
    let settings = AuthoritySettings { issuing_key, passphrase };
    let authority =
        Authority::open(&keys, &settings, now).map_err(|error| Failure::configuration(error.to_string()))?;
    let sealer = Sealer::open_or_make(&keys, settings.passphrase.as_ref().map(|p| p.as_str()))
        .map_err(|error| Failure::configuration(error.to_string()))?;
    let store = Store::open(&config.store_settings()).await?;
    publish_root(&config.data_dir, &authority)?;
    let opened = Opened { store, authority, sealer, clock, client_files: ClientFiles::new(&config.data_dir) };
    if opened.store.accounts().await?.is_empty() {
        first_account(&opened, config).await?;
    }
    Ok(opened)
}

/// The first start's account, with a key that may do everything in it.
async fn first_account(opened: &Opened, config: &Config) -> Result<(), Failure> {
    match make_account(opened, config, AccountId::FIRST).await {
        Ok(_) => Ok(()),
        // Another process made it at the same moment, and its key is in the same files.
        Err(MakeAccountError::Exists) => Ok(()),
        Err(MakeAccountError::Failed(failure)) => Err(failure),
    }
}

pub(crate) enum MakeAccountError {
    Exists,
    Failed(Failure),
}

impl<E: Into<Failure>> From<E> for MakeAccountError {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Makes an account with its endpoints and a first access key, and notes the key in the client files.
pub(crate) async fn make_account(
    opened: &Opened,
    config: &Config,
    account: AccountId,
) -> Result<NewAccessKey, MakeAccountError> {
    let now = opened.clock.now();
    let key = make(&opened.sealer, AccessKeyWish { account, policy: None, expires_at: None }, now)?;
    let mut batch = Batch::new();
    batch.insert_account(&AccountRecord { account, created_at: now });
    batch.insert_access_key(&key.record);
    for region in &config.regions {
        batch.insert_endpoint_prefix(Scope::new(account, *region), &EndpointPrefix::from_random(random()?));
    }
    batch.announce(Event::AccessKeys { account });
    match opened.store.commit(batch, now).await {
        Ok(()) => {}
        Err(gatehouse_store::Error::Conflict) => return Err(MakeAccountError::Exists),
        Err(error) => return Err(Failure::from(error).into()),
    }
    opened.client_files.add_account(config, account, &key)?;
    Ok(key)
}

/// Every account has an endpoint in every Region served, also in one that was configured later.
pub(crate) async fn complete_endpoints(opened: &Opened, config: &Config) -> Result<(), Failure> {
    for account in opened.store.accounts().await? {
        for region in &config.regions {
            let scope = Scope::new(account.account, *region);
            if opened.store.endpoint_prefix(scope).await?.is_none() {
                let mut batch = Batch::new();
                batch.insert_endpoint_prefix(scope, &EndpointPrefix::from_random(random()?));
                match opened.store.commit(batch, opened.clock.now()).await {
                    Ok(()) | Err(gatehouse_store::Error::Conflict) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }
    Ok(())
}

fn make_folder(dir: &Path) -> Result<(), Failure> {
    let refused = |error: std::io::Error| {
        Failure::configuration(format!("the data folder {} cannot be used: {error}", dir.display()))
    };
    std::fs::create_dir_all(dir).map_err(refused)?;
    // A folder that can be read but not written is found out here, not at the first write.
    let probe = dir.join(".writable");
    std::fs::write(&probe, b"").map_err(refused)?;
    std::fs::remove_file(&probe).map_err(refused)
}

fn read_passphrase(config: &Config) -> Result<Option<Zeroizing<String>>, Failure> {
    let Some(path) = &config.passphrase_file else { return Ok(None) };
    let text = std::fs::read_to_string(path).map(Zeroizing::new).map_err(|error| {
        Failure::configuration(format!("the passphrase file {} cannot be read: {error}", path.display()))
    })?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(Some(Zeroizing::new(line.to_owned()))),
        _ => Err(Failure::configuration(format!("the passphrase file {} is empty", path.display()))),
    }
}

fn publish_root(dir: &Path, authority: &Authority) -> Result<(), Failure> {
    let path = dir.join("root-ca.pem");
    std::fs::write(&path, authority.root_pem())
        .map_err(|error| Failure::configuration(format!("{} cannot be written: {error}", path.display())))
}
