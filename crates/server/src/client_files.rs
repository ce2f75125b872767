//! `aws/config` and `aws/credentials` in the data folder: what makes unmodified AWS tools talk to this house.

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use gatehouse_control::access_key::NewAccessKey;
use gatehouse_domain::scope::AccountId;

use crate::config::Config;
use crate::failure::Failure;

/// How the line with the control API's address begins.
const ENDPOINT_URL: &str = "endpoint_url = ";

/// The two files.
#[derive(Clone)]
pub(crate) struct ClientFiles {
    dir: PathBuf,
}

impl ClientFiles {
    pub(crate) fn new(data_dir: &Path) -> Self {
        Self { dir: data_dir.join("aws") }
    }

    /// Path of the configuration file.
    pub(crate) fn config_path(&self) -> PathBuf {
        self.dir.join("config")
    }

    /// Path of the credentials file.
    pub(crate) fn credentials_path(&self) -> PathBuf {
        self.dir.join("credentials")
    }

    /// The name of an account's profile.
    pub(crate) fn profile(account: AccountId) -> String {
        if account == AccountId::FIRST { "default".to_owned() } else { account.to_string() }
    }

    /// Whether a key of the account is noted.
    ///
    /// # Errors
    /// When the credentials file is there and cannot be read.
    pub(crate) fn has(&self, account: AccountId) -> Result<bool, Failure> {
        Ok(accounts_of(&self.credentials()?).contains(&Self::profile(account)))
    }

    /// What the credentials file says; nothing when there is none. One that cannot be read must not count as empty: it
    /// would be overwritten.
    fn credentials(&self) -> Result<String, Failure> {
        let path = self.credentials_path();
        match fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
            read => read.map_err(|error| Failure::configuration(format!("{} cannot be read: {error}", path.display()))),
        }
    }

    /// Keeps other processes from making the first account in this folder at the same time, until it is dropped.
    ///
    /// # Errors
    /// When the folder cannot be made or the lock not taken.
    pub(crate) fn first_alone(&self) -> Result<fs::File, Failure> {
        self.make_dir()?;
        self.lock(".first-account.lock")
    }

    /// Notes the key of a new account.
    pub(crate) fn add_account(&self, config: &Config, account: AccountId, key: &NewAccessKey) -> Result<(), Failure> {
        self.make_dir()?;
        let _alone = self.lock(".lock")?;
        let mut credentials = self.credentials()?;
        credentials.push_str(&format!(
            "[{}]\naws_access_key_id = {}\naws_secret_access_key = {}\n\n",
            Self::profile(account),
            key.record.access_key_id,
            key.secret.as_str(),
        ));
        self.write(&self.credentials_path(), &credentials)?;
        let accounts = accounts_of(&credentials);
        // Beside a running server, what it noted is where it listens; the configuration may say port 0.
        let url = self.noted_endpoint().unwrap_or_else(|| endpoint_url(config, config.listen.api));
        self.write_config(&url, config, &accounts)
    }

    /// Notes the address that the server really listens on.
    pub(crate) fn set_endpoint(&self, config: &Config, api: SocketAddr) -> Result<(), Failure> {
        self.make_dir()?;
        let _alone = self.lock(".lock")?;
        self.write_config(&endpoint_url(config, api), config, &accounts_of(&self.credentials()?))
    }

    fn noted_endpoint(&self) -> Option<String> {
        let text = fs::read_to_string(self.config_path()).ok()?;
        text.lines().find_map(|line| Some(line.trim().strip_prefix(ENDPOINT_URL)?.to_owned()))
    }

    fn write_config(&self, url: &str, config: &Config, profiles: &[String]) -> Result<(), Failure> {
        let region = config.regions.first().map(ToString::to_string).unwrap_or_default();
        let mut text = String::new();
        for profile in profiles {
            let header = if profile == "default" { "default".to_owned() } else { format!("profile {profile}") };
            text.push_str(&format!("[{header}]\nregion = {region}\noutput = json\nservices = gatehouse\n"));
            if let Some(bundle) = &config.api.certificate {
                // The tools may run in any folder.
                let bundle = std::path::absolute(bundle).unwrap_or_else(|_| bundle.clone());
                text.push_str(&format!("ca_bundle = {}\n", bundle.display()));
            }
            text.push('\n');
        }
        text.push_str(&format!("[services gatehouse]\niot =\n  {ENDPOINT_URL}{url}\n"));
        self.write(&self.config_path(), &text)
    }

    /// Two commands at once must not overwrite each other's profile.
    fn lock(&self, name: &str) -> Result<fs::File, Failure> {
        let path = self.dir.join(name);
        let file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path);
        file.and_then(|file| file.lock().map(|()| file))
            .map_err(|error| Failure::configuration(format!("{} cannot be locked: {error}", path.display())))
    }

    fn make_dir(&self) -> Result<(), Failure> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.dir)
            .map_err(|error| Failure::configuration(format!("{} cannot be made: {error}", self.dir.display())))
    }

    /// Replaces a file whole: a reader never sees half of it, and nobody else may read it.
    fn write(&self, path: &Path, text: &str) -> Result<(), Failure> {
        let refused =
            |error: std::io::Error| Failure::configuration(format!("{} cannot be written: {error}", path.display()));
        let draft = path.with_extension(format!("{}.new", std::process::id()));
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft).map_err(refused)?;
        file.write_all(text.as_bytes()).map_err(refused)?;
        file.sync_all().map_err(refused)?;
        fs::rename(&draft, path).map_err(refused)
    }
}

fn accounts_of(credentials: &str) -> Vec<String> {
    let mut profiles: Vec<String> = credentials
        .lines()
        .filter_map(|line| Some(line.trim().strip_prefix('[')?.strip_suffix(']')?.to_owned()))
        .collect();
    profiles.sort_unstable();
    profiles.dedup();
    profiles
}

/// The URL that clients on this machine use.
pub(crate) fn endpoint_url(config: &Config, api: SocketAddr) -> String {
    let scheme = if config.api.certificate.is_some() { "https" } else { "http" };
    if api.ip().is_unspecified() { format!("{scheme}://127.0.0.1:{}", api.port()) } else { format!("{scheme}://{api}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatehouse_control::access_key::{AccessKeyWish, make};
    use gatehouse_domain::time::Timestamp;
    use gatehouse_pki::seal::Sealer;

    #[test]
    fn credentials_that_cannot_be_read_are_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let files = ClientFiles::new(folder.path());
        let sealer = Sealer::open_or_make(&folder.path().join("keys"), None).unwrap();
        let wish = AccessKeyWish { account: AccountId::FIRST, policy: None, expires_at: None };
        let key = make(&sealer, wish, Timestamp::from_secs(0)).unwrap();
        fs::create_dir(folder.path().join("aws")).unwrap();
        // No text: somebody's mistake, and no reason to throw it away.
        fs::write(files.credentials_path(), b"[default]\n\xff\n").unwrap();
        assert!(files.has(AccountId::FIRST).is_err());
        assert!(files.add_account(&Config::default(), AccountId::FIRST, &key).is_err());
        assert_eq!(fs::read(files.credentials_path()).unwrap(), b"[default]\n\xff\n");
    }

    #[test]
    fn an_account_made_beside_a_running_server_leaves_its_address_alone() {
        let folder = tempfile::tempdir().unwrap();
        let files = ClientFiles::new(folder.path());
        let sealer = Sealer::open_or_make(&folder.path().join("keys"), None).unwrap();
        let mut config = Config::default();
        config.listen.api.set_port(0);
        let add = |number| {
            let account = AccountId::from_number(number);
            let wish = AccessKeyWish { account, policy: None, expires_at: None };
            let key = make(&sealer, wish, Timestamp::from_secs(0)).unwrap();
            files.add_account(&config, account, &key).unwrap();
        };
        add(0);
        files.set_endpoint(&config, "127.0.0.1:41001".parse().unwrap()).unwrap();
        add(1);
        let text = fs::read_to_string(files.config_path()).unwrap();
        assert!(text.contains("endpoint_url = http://127.0.0.1:41001\n"), "{text}");
        assert!(text.contains("[profile 000000000001]"), "{text}");
    }
}
