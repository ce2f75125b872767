//! Configuration: one TOML file, every key also as an environment variable, some also as an option. Read in this one
//! place. Later wins: default, file, variable, option.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use gatehouse_domain::domain_configuration::ServerCertificateArn;
use gatehouse_domain::function::FunctionArn;
use gatehouse_domain::quotas::Quotas;
use gatehouse_domain::registration_task::input::BucketName;
use gatehouse_domain::role_alias::RoleArn;
use gatehouse_domain::scope::{AccountId, Region};
use gatehouse_gateway::{RefusalStyle, SniPolicy};
use gatehouse_store::StoreSettings;
use serde::Deserialize;

/// Environment variables that begin like ours and belong to the test harness.
const FOREIGN_VARIABLES: [&str; 2] = ["GATEHOUSE_BIN", "GATEHOUSE_TEST_"];

/// Everything an operator decides.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// The folder with the database, the authority's keys and the client files.
    pub(crate) data_dir: PathBuf,
    /// `sqlite`, or a `postgres://` URL.
    pub(crate) store: String,
    /// The Regions served; the first is the default.
    pub(crate) regions: Vec<Region>,
    /// The domain that device endpoints live under.
    pub(crate) domain: String,
    /// What a ClientHello must name.
    pub(crate) sni: Sni,
    /// How a device learns that it is refused.
    pub(crate) refusals: Refusals,
    /// The key that signs device certificates.
    pub(crate) issuing_key: IssuingKey,
    /// A file whose first line encrypts the authority's keys.
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Addresses.
    pub(crate) listen: Listen,
    /// The control API's own TLS.
    pub(crate) api: Api,
    /// The devices' TLS.
    pub(crate) tls: Tls,
    /// Credentials for devices.
    pub(crate) credentials: Credentials,
    /// Server certificates for domains of customers', by their ARNs.
    pub(crate) server_certificates: BTreeMap<ServerCertificateArn, ServerCertificate>,
    /// Where functions are called, by their ARNs.
    pub(crate) functions: BTreeMap<FunctionArn, Function>,
    /// Where input files of bulk registration lie, by the names of their buckets.
    pub(crate) buckets: BTreeMap<BucketName, Bucket>,
    /// What accounts and connections are held to.
    pub(crate) limits: Quotas,
    /// Logs.
    pub(crate) log: Log,
}

/// Addresses to listen on. Port 0 takes any free port.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Listen {
    /// The control API.
    pub(crate) api: SocketAddr,
    /// MQTT over mutual TLS.
    pub(crate) mqtt: SocketAddr,
    /// HTTPS over mutual TLS.
    pub(crate) https: Address,
    /// MQTT and HTTPS by ALPN; without it HTTPS and WebSocket with SigV4. Usually port 443.
    pub(crate) alpn: Address,
}

/// An address, or nothing.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Address(pub(crate) Option<SocketAddr>);

impl TryFrom<String> for Address {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "" | "off" => Ok(Self(None)),
            _ => text
                .parse()
                .map(|address| Self(Some(address)))
                .map_err(|_| format!("{text:?} is not an address such as 0.0.0.0:8443: give one, or \"off\"")),
        }
    }
}

/// The control API's TLS.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Api {
    /// PEM file with the chain.
    pub(crate) certificate: Option<PathBuf>,
    /// PEM file with the private key.
    pub(crate) key: Option<PathBuf>,
    /// Serve plain HTTP on addresses other than loopback.
    pub(crate) allow_plain: bool,
    /// How callers reach it, such as `https://iot.example.com`: what links to it begin with.
    pub(crate) url: Option<String>,
}

/// The devices' TLS.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Tls {
    /// Whether a client may resume a session. Admission is asked all the same.
    pub(crate) resumption: bool,
}

/// Where devices get credentials: from roles that stand here, or from a security token service.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Credentials {
    /// What each role may do, by its ARN.
    pub(crate) roles: BTreeMap<RoleArn, Role>,
    /// A security token service.
    pub(crate) sts: Option<Sts>,
}

/// A role: the path of its policy alone, or with more.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Role {
    /// The file with its policy.
    Policy(PathBuf),
    /// The file and what else there is to say.
    Settings(RoleSettings),
}

/// A role.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoleSettings {
    /// The file with its policy, IAM-style.
    pub(crate) policy: PathBuf,
    /// The longest life of its credentials, in seconds.
    pub(crate) max_session_secs: Option<u32>,
}

/// A security token service.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sts {
    /// `https://host` or `http://host:port`.
    pub(crate) endpoint: String,
    /// The Region that requests are signed for; the first of `regions` when absent.
    pub(crate) region: Option<String>,
    /// Our access key there.
    pub(crate) access_key_id: String,
    /// A file whose first line is its secret.
    pub(crate) secret_access_key_file: PathBuf,
    /// PEM file with the roots that an https endpoint is trusted by.
    pub(crate) ca_file: Option<PathBuf>,
}

/// A server certificate.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServerCertificate {
    /// PEM file with the chain, the server's certificate first.
    pub(crate) certificate: PathBuf,
    /// PEM file with the private key.
    pub(crate) key: PathBuf,
}

/// A function: a URL that takes events, or an endpoint that is asked as Lambda is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Function {
    /// Where events are POSTed.
    pub(crate) url: Option<String>,
    /// `https://host` or `http://host:port` of what speaks Lambda's Invoke.
    pub(crate) endpoint: Option<String>,
    /// Our access key at the endpoint.
    pub(crate) access_key_id: Option<String>,
    /// A file whose first line is its secret.
    pub(crate) secret_access_key_file: Option<PathBuf>,
    /// PEM file with the roots that an https address is trusted by.
    pub(crate) ca_file: Option<PathBuf>,
    /// Plain HTTP to another machine.
    #[serde(default)]
    pub(crate) allow_plain: bool,
}

/// A bucket: a folder, or one of an S3-compatible service.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bucket {
    /// Whose it is: nobody else can have it read.
    pub(crate) account: AccountId,
    /// A folder of this machine.
    pub(crate) path: Option<PathBuf>,
    /// `https://host` or `http://host:port` of the service.
    pub(crate) endpoint: Option<String>,
    /// The Region that requests are signed for; the first of `regions` when absent.
    pub(crate) region: Option<Region>,
    /// Our access key there.
    pub(crate) access_key_id: Option<String>,
    /// A file whose first line is its secret.
    pub(crate) secret_access_key_file: Option<PathBuf>,
    /// PEM file with the roots that an https endpoint is trusted by.
    pub(crate) ca_file: Option<PathBuf>,
    /// Plain HTTP to another machine.
    #[serde(default)]
    pub(crate) allow_plain: bool,
}

/// Logs go to standard error.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Log {
    /// Least level, or a filter such as `info,gatehouse_gateway=debug`.
    pub(crate) level: String,
    /// Form of a line.
    pub(crate) format: LogFormat,
}

/// Form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The three settings of `sni`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Sni {
    /// Some name is needed; an unknown one stands for the single DEFAULT registration.
    Required,
    /// Only endpoint names.
    Strict,
    /// No name counts as an unknown one.
    Optional,
}

impl From<Sni> for SniPolicy {
    fn from(sni: Sni) -> Self {
        match sni {
            Sni::Required => Self::Required,
            Sni::Strict => Self::Strict,
            Sni::Optional => Self::Optional,
        }
    }
}

/// The two settings of `refusals`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Refusals {
    /// CONNACK with a code, and a sentence where MQTT 5 has room for it.
    Explain,
    /// The connection is closed, as AWS does.
    Silent,
}

impl From<Refusals> for RefusalStyle {
    fn from(refusals: Refusals) -> Self {
        match refusals {
            Refusals::Explain => Self::Explain,
            Refusals::Silent => Self::Silent,
        }
    }
}

/// The key that signs device certificates.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum IssuingKey {
    /// ECDSA on P-256.
    P256,
    /// RSA with 2048 bits, as AWS signs.
    #[serde(rename = "rsa-2048")]
    Rsa2048,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("gatehouse-data"),
            store: "sqlite".to_owned(),
            regions: "us-east-1".parse().into_iter().collect(),
            domain: "localhost".to_owned(),
            sni: Sni::Required,
            refusals: Refusals::Explain,
            issuing_key: IssuingKey::P256,
            passphrase_file: None,
            listen: Listen::default(),
            api: Api::default(),
            tls: Tls::default(),
            credentials: Credentials::default(),
            server_certificates: BTreeMap::new(),
            functions: BTreeMap::new(),
            buckets: BTreeMap::new(),
            limits: Quotas::default(),
            log: Log::default(),
        }
    }
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            api: SocketAddr::from(([127, 0, 0, 1], 8080)),
            mqtt: SocketAddr::from(([0, 0, 0, 0], 8883)),
            https: Address(Some(SocketAddr::from(([0, 0, 0, 0], 8443)))),
            alpn: Address(None),
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Text }
    }
}

/// What is wrong with the configuration: one sentence for the operator.
#[derive(Debug)]
pub(crate) struct ConfigError(String);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

/// What the command line says of the configuration.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Overrides {
    /// Configuration file (TOML)
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Data folder
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// "sqlite", or a postgres:// URL
    #[arg(long, global = true, value_name = "STORE")]
    pub(crate) store: Option<String>,
}

impl Config {
    /// Reads the configuration from the file and variables, then applies `overrides`.
    pub(crate) fn read(
        overrides: &Overrides,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut table = match &overrides.config {
            Some(path) => read_file(path)?,
            None => toml::Table::new(),
        };
        for (name, value) in variables {
            apply_variable(&mut table, &name, &value)?;
        }
        let mut config: Self = table.try_into().map_err(|error: toml::de::Error| {
            ConfigError(format!("the configuration is refused: {}", one_line(&error)))
        })?;
        if let Some(data) = &overrides.data {
            config.data_dir.clone_from(data);
        }
        if let Some(store) = &overrides.store {
            config.store.clone_from(store);
        }
        config.check()?;
        Ok(config)
    }

    /// How the store is opened.
    pub(crate) fn store_settings(&self) -> StoreSettings {
        if self.store == "sqlite" {
            StoreSettings::sqlite(&self.data_dir)
        } else {
            StoreSettings::postgres(&self.store)
        }
    }

    fn check(&self) -> Result<(), ConfigError> {
        let refuse = |text: String| Err(ConfigError(text));
        if self.limits.session_expiry_secs > Quotas::SESSION_EXPIRY_SECS_MAX {
            return refuse(format!(
                "limits.session_expiry_secs must be at most {} (seven days)",
                Quotas::SESSION_EXPIRY_SECS_MAX
            ));
        }
        if self.regions.is_empty() {
            return refuse("regions is empty: name at least one Region, such as us-east-1".into());
        }
        let is_postgres = self.store.starts_with("postgres://") || self.store.starts_with("postgresql://");
        if self.store != "sqlite" && !is_postgres {
            return refuse("store must be \"sqlite\" or a postgres:// URL".into());
        }
        let is_domain = !self.domain.is_empty()
            && self.domain.split('.').all(|label| {
                !label.is_empty() && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            });
        if !is_domain {
            return refuse(format!("domain {:?} is not a host name in lower case", self.domain));
        }
        if self.api.certificate.is_some() != self.api.key.is_some() {
            return refuse("api.certificate and api.key belong together: give both or neither".into());
        }
        if self.api.certificate.is_none() && !self.listen.api.ip().is_loopback() && !self.api.allow_plain {
            return refuse(format!(
                "the control API would serve plain HTTP on {}: give api.certificate and api.key, listen on a loopback \
                 address, or set api.allow_plain = true",
                self.listen.api
            ));
        }
        if self.credentials.sts.is_some() && !self.credentials.roles.is_empty() {
            return refuse(
                "credentials.roles and credentials.sts exclude each other: give one of them, whose roles devices get"
                    .into(),
            );
        }
        Ok(())
    }
}

fn read_file(path: &Path) -> Result<toml::Table, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| ConfigError(format!("cannot read the configuration file {}: {error}", path.display())))?;
    text.parse().map_err(|error: toml::de::Error| {
        ConfigError(format!("the configuration file {} is refused: {}", path.display(), one_line(&error)))
    })
}

/// A parser's report on one line.
fn one_line(error: &toml::de::Error) -> String {
    error.message().replace('\n', " ")
}

/// Sections of the file; a variable `GATEHOUSE_LISTEN_API` stands for `api` in `[listen]`.
const SECTIONS: [&[&str]; 6] = [&["limits"], &["listen"], &["api"], &["tls"], &["log"], &["credentials", "sts"]];

fn apply_variable(table: &mut toml::Table, name: &str, value: &str) -> Result<(), ConfigError> {
    let Some(key) = name.strip_prefix("GATEHOUSE_") else { return Ok(()) };
    if FOREIGN_VARIABLES.iter().any(|foreign| name.starts_with(foreign)) {
        return Ok(());
    }
    let key = key.to_ascii_lowercase();
    let section = SECTIONS
        .iter()
        .find_map(|section| Some((*section, key.strip_prefix(&section.join("_"))?.strip_prefix('_')?.to_owned())));
    let is_number = section.as_ref().is_some_and(|(section, _)| *section == ["limits"]);
    let value = variable_value(&key, value, is_number);
    let (sections, key) = section.unwrap_or((&[], key));
    let mut inner = table;
    for section in sections {
        let entry = inner.entry(*section).or_insert_with(|| toml::Table::new().into());
        let Some(table) = entry.as_table_mut() else {
            return Err(ConfigError(format!("{section} in the configuration file must be a section")));
        };
        inner = table;
    }
    inner.insert(key, value);
    Ok(())
}

fn variable_value(key: &str, text: &str, is_number: bool) -> toml::Value {
    match text {
        _ if is_number => text.parse().map_or_else(|_| text.into(), toml::Value::Integer),
        "true" => toml::Value::Boolean(true),
        "false" => toml::Value::Boolean(false),
        _ if key == "regions" => toml::Value::Array(text.split(',').map(|region| region.trim().into()).collect()),
        _ => toml::Value::from(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: Option<&str>, variables: &[(&str, &str)]) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let config = file.map(|text| {
            let path = folder.path().join("gatehouse.toml");
            std::fs::write(&path, text).unwrap();
            path
        });
        let overrides = Overrides { config, ..Overrides::default() };
        let variables = variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        Config::read(&overrides, variables).map_err(|error| error.to_string())
    }

    #[test]
    fn later_sources_win() {
        let config = read(
            Some("domain = \"iot.example.com\"\nregions = [\"eu-west-1\"]\n[listen]\napi = \"127.0.0.1:1\"\nalpn = \"0.0.0.0:443\""),
            &[
                ("GATEHOUSE_LISTEN_API", "127.0.0.1:2"),
                ("GATEHOUSE_REGIONS", "us-east-1, us-west-2"),
                ("GATEHOUSE_TLS_RESUMPTION", "true"),
                ("GATEHOUSE_LIMITS_CONNECT_RATE", "7"),
                ("GATEHOUSE_LISTEN_HTTPS", "off"),
                ("GATEHOUSE_CREDENTIALS_STS_ENDPOINT", "http://127.0.0.1:9000"),
                ("GATEHOUSE_CREDENTIALS_STS_ACCESS_KEY_ID", "AKIA"),
                ("GATEHOUSE_CREDENTIALS_STS_SECRET_ACCESS_KEY_FILE", "secret"),
                ("GATEHOUSE_BIN", "/x"),
                ("HOME", "/root"),
            ],
        )
        .unwrap();
        assert_eq!(config.domain, "iot.example.com");
        assert_eq!(config.listen.api.port(), 2);
        assert_eq!(config.regions.len(), 2);
        assert!(config.tls.resumption);
        assert_eq!((config.limits.connect_rate, config.limits.client_connect_rate), (7, 1));
        assert!(config.listen.https.0.is_none());
        assert!(config.listen.alpn.0.is_some());
        assert_eq!(config.credentials.sts.unwrap().endpoint, "http://127.0.0.1:9000");
    }

    #[test]
    fn bad_configuration_is_one_sentence_that_names_the_key() {
        type Case = (Option<&'static str>, &'static [(&'static str, &'static str)], &'static str);
        let cases: [Case; 21] = [
            (Some("[limits]\nconnect_rat = 1"), &[], "connect_rat"),
            (None, &[("GATEHOUSE_LIMITS_CONNECT_RATE", "-1")], "-1"),
            (None, &[("GATEHOUSE_LIMITS_SESSION_EXPIRY_SECS", "604801")], "604800"),
            (Some("nope = 1"), &[], "nope"),
            (Some("[listen]\nmqqt = \"x\""), &[], "mqqt"),
            (Some("domain = "), &[], "gatehouse.toml"),
            (Some("sni = \"maybe\""), &[], "maybe"),
            (Some("[listen]\napi = \"0.0.0.0:80\""), &[], "allow_plain"),
            (None, &[("GATEHOUSE_NOPE", "1")], "nope"),
            (None, &[("GATEHOUSE_STORE", "mysql://x")], "store"),
            (None, &[("GATEHOUSE_REGIONS", "US EAST")], "US EAST"),
            (Some("[api]\ncertificate = \"x\""), &[], "api.key"),
            (Some("[credentials.roles]\nreader = \"reader.json\""), &[], "role"),
            (Some("[server_certificates]\nfleet = { certificate = \"a\", key = \"b\" }"), &[], "server certificate"),
            (Some("[functions]\nsign = { url = \"http://127.0.0.1/\" }"), &[], "ARN of a function"),
            (
                Some(
                    "[functions.\"arn:aws:lambda:us-east-1:000000000000:function:sign\"]\nulr = \"http://127.0.0.1/\"",
                ),
                &[],
                "ulr",
            ),
            (Some("[credentials.sts]\nendpoint = \"http://127.0.0.1\""), &[], "access_key_id"),
            (Some("[buckets]\nab = { account = \"000000000000\", path = \"x\" }"), &[], "bucket's name"),
            (Some("[buckets]\ninput = { path = \"x\" }"), &[], "account"),
            (Some("[buckets]\ninput = { account = \"1\", path = \"x\" }"), &[], "account"),
            (
                Some(
                    "[credentials.roles]\n\"arn:aws:iam::000000000000:role/r\" = \"r.json\"\n[credentials.sts]\n\
                     endpoint = \"http://127.0.0.1\"\naccess_key_id = \"a\"\nsecret_access_key_file = \"s\"",
                ),
                &[],
                "exclude each other",
            ),
        ];
        for (file, variables, named) in cases {
            let sentence = read(file, variables).unwrap_err();
            assert!(sentence.contains(named), "{sentence}");
            assert!(!sentence.contains('\n'), "{sentence}");
        }
    }
}
