//! Opens the house: store, authority, keys. The same for the server and for the commands that work beside it.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
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

/// The setting that ties a store to its keys.
const DEPLOYMENT: &str = "deployment";
/// The setting that says that a key of the first account was written down.
const FIRST_KEY_NOTED: &str = "first-key-noted";

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
    one_deployment(&opened).await?;
    first_account(&opened, config).await?;
    Ok(opened)
}

/// A store belongs to one set of keys: with others, devices would not trust the server, and no signature would verify.
async fn one_deployment(opened: &Opened) -> Result<(), Failure> {
    let secret = opened.sealer.derive("deployment").map_err(|error| Failure::other(error.to_string()))?;
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    context.update(opened.authority.root_pem().as_bytes());
    context.update(secret.as_slice());
    let mark = context.finish();
    if opened.store.setting(DEPLOYMENT).await?.is_none() {
        keep_setting(opened, DEPLOYMENT, mark.as_ref()).await?;
    }
    if opened.store.setting(DEPLOYMENT).await?.as_deref() == Some(mark.as_ref()) {
        return Ok(());
    }
    Err(Failure::configuration(
        "the store belongs to a deployment with other keys: copy the keys folder of that deployment into this data folder",
    ))
}

/// The first account, and a key for it that may do everything in it. A start that was interrupted before the key was
/// written down is made good by another key; once one has been, a folder without it gets none.
async fn first_account(opened: &Opened, config: &Config) -> Result<(), Failure> {
    if opened.store.setting(FIRST_KEY_NOTED).await?.is_some() {
        return Ok(());
    }
    let _alone = opened.client_files.first_alone()?;
    if opened.store.accounts().await?.is_empty() {
        match make_account(opened, config, AccountId::FIRST).await {
            // Another process made it at the same moment.
            Ok(_) | Err(MakeAccountError::Exists) => {}
            Err(MakeAccountError::Failed(failure)) => return Err(failure),
        }
    }
    if !opened.client_files.has(AccountId::FIRST)? && opened.store.account(AccountId::FIRST).await?.is_some() {
        let now = opened.clock.now();
        let wish = AccessKeyWish { account: AccountId::FIRST, policy: None, expires_at: None };
        let key = make(&opened.sealer, wish, now)?;
        let mut batch = Batch::new();
        batch.insert_access_key(&key.record);
        batch.announce(Event::AccessKeys { account: AccountId::FIRST });
        opened.store.commit(batch, now).await?;
        opened.client_files.add_account(config, AccountId::FIRST, &key)?;
    }
    keep_setting(opened, FIRST_KEY_NOTED, b"").await
}

/// Keeps a setting, unless another process has kept it at the same moment.
async fn keep_setting(opened: &Opened, name: &str, value: &[u8]) -> Result<(), Failure> {
    let mut batch = Batch::new();
    batch.insert_setting(name, value);
    match opened.store.commit(batch, opened.clock.now()).await {
        Ok(()) | Err(gatehouse_store::Error::Conflict) => Ok(()),
        Err(error) => Err(error.into()),
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

pub(crate) fn make_folder(dir: &Path) -> Result<(), Failure> {
    let refused = |error: std::io::Error| {
        Failure::configuration(format!("the data folder {} cannot be used: {error}", dir.display()))
    };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(refused)?;
    // A folder that can be read but not written is found out here, not at the first write.
    let probe = dir.join(format!(".writable.{}", std::process::id()));
    fs::write(&probe, b"").map_err(refused)?;
    fs::remove_file(&probe).map_err(refused)
}

fn read_passphrase(config: &Config) -> Result<Option<Zeroizing<String>>, Failure> {
    let Some(path) = &config.passphrase_file else { return Ok(None) };
    let text = fs::read_to_string(path).map(Zeroizing::new).map_err(|error| {
        Failure::configuration(format!("the passphrase file {} cannot be read: {error}", path.display()))
    })?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(Some(Zeroizing::new(line.to_owned()))),
        _ => Err(Failure::configuration(format!("the passphrase file {} is empty", path.display()))),
    }
}

fn publish_root(dir: &Path, authority: &Authority) -> Result<(), Failure> {
    let path = dir.join("root-ca.pem");
    if fs::read(&path).is_ok_and(|published| published == authority.root_pem().as_bytes()) {
        return Ok(());
    }
    // Replaced whole: a device that starts beside the server never reads half of it.
    let draft = path.with_extension(format!("{}.new", std::process::id()));
    fs::write(&draft, authority.root_pem())
        .and_then(|()| fs::rename(&draft, &path))
        .map_err(|error| Failure::configuration(format!("{} cannot be written: {error}", path.display())))
}
