//! `gatehouse explain`: could this certificate connect now, and if not, what stands against it and what mends it? Asks
//! the rules that the gate asks, and shows the last refusals it met.

mod findings;

use std::path::Path;
use std::sync::Arc;

use clap::Args;
use gatehouse_domain::certificate::CertificateId;
use gatehouse_domain::client_id::ClientId;
use gatehouse_domain::endpoint::{EndpointName, EndpointType};
use gatehouse_domain::scope::{AccountId, Scope};
use gatehouse_pki::certificate::Certificate;
use gatehouse_store::RefusalRecord;
use serde::Serialize;

use self::findings::Finding;
use super::account::json;
use super::say;
use crate::config::Config;
use crate::failure::Failure;
use crate::house::{self, Opened};

/// Refusals shown.
const REFUSALS: u32 = 10;

/// What to explain.
#[derive(Args)]
pub(crate) struct Options {
    /// A certificate id (64 hex digits), or a PEM file
    #[arg(value_name = "CERTIFICATE")]
    certificate: String,
    /// Only in this account
    #[arg(long, value_name = "ID")]
    account: Option<AccountId>,
    /// As if the device connected to this host name
    #[arg(long, value_name = "HOST")]
    endpoint: Option<String>,
    /// As if the device connected with this client id
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The subject of the explanation.
pub(super) struct Subject {
    pub(super) id: CertificateId,
    /// The certificate itself, when it was given or is registered somewhere.
    pub(super) certificate: Option<Certificate>,
    pub(super) client_id: Option<ClientId>,
    /// The endpoint it is to connect to, when that was given.
    pub(super) endpoint: Option<Arc<str>>,
    /// What is served there.
    pub(super) endpoint_type: EndpointType,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Explanation {
    certificate_id: CertificateId,
    could_connect: bool,
    places: Vec<Place>,
    refusals: Vec<Refused>,
}

/// What holds in one scope.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Place {
    account: AccountId,
    region: String,
    could_connect: bool,
    findings: Vec<Finding>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Refused {
    at: String,
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<String>,
    account: Option<AccountId>,
    client_id: Option<String>,
    source: String,
    sni: Option<String>,
}

pub(crate) async fn run(config: Config, options: Options) -> Result<(), Failure> {
    let opened = house::open(&config).await?;
    let explanation = explain(&opened, &config, &options).await?;
    if options.json {
        say(json(&explanation)?);
    } else {
        tell(&explanation);
    }
    opened.store.close().await?;
    Ok(())
}

async fn explain(opened: &Opened, config: &Config, options: &Options) -> Result<Explanation, Failure> {
    let subject = subject(opened, config, options).await?;
    let scopes = scopes(opened, config, options, subject.id).await?;
    let mut places = Vec::with_capacity(scopes.len());
    for scope in scopes {
        let findings = findings::find(opened, &subject, scope).await?;
        places.push(Place {
            account: scope.account,
            region: scope.region.to_string(),
            could_connect: !findings.iter().any(|finding| finding.prevents),
            findings,
        });
    }
    let refusals = opened.store.refusals(subject.id, REFUSALS).await?;
    Ok(Explanation {
        certificate_id: subject.id,
        could_connect: places.iter().any(|place| place.could_connect),
        places,
        refusals: refusals.into_iter().map(Refused::from).collect(),
    })
}

/// Reads the certificate that is asked about.
async fn subject(opened: &Opened, config: &Config, options: &Options) -> Result<Subject, Failure> {
    let client_id = match options.client_id.as_deref() {
        Some(text) => Some(ClientId::parse(text).map_err(|error| Failure::configuration(error.to_string()))?),
        None => None,
    };
    let endpoint = options.endpoint.as_deref().map(Arc::from);
    let name = options.endpoint.as_deref().and_then(|host| EndpointName::parse(host, &config.domain));
    let endpoint_type = name.map_or(EndpointType::DataAts, |name| name.endpoint_type);
    if let Ok(id) = options.certificate.parse::<CertificateId>() {
        let mut certificate = None;
        for (scope, _) in opened.store.certificate_scopes(id).await? {
            if let Some(pem) = opened.store.certificate_pem(scope, id).await? {
                certificate = Certificate::from_pem(&pem).ok();
                break;
            }
        }
        return Ok(Subject { id, certificate, client_id, endpoint, endpoint_type });
    }
    let path = Path::new(&options.certificate);
    let refused = |why: String| {
        Failure::configuration(format!("{} is neither a certificate id nor a PEM file: {why}", path.display()))
    };
    let pem = std::fs::read_to_string(path).map_err(|error| refused(error.to_string()))?;
    let certificate = Certificate::from_pem(&pem).map_err(|refusal| refused(refusal.to_string()))?;
    Ok(Subject { id: certificate.id(), certificate: Some(certificate), client_id, endpoint, endpoint_type })
}

/// Where to look: the endpoint's scope, the account's, those that have the certificate, or else all.
async fn scopes(opened: &Opened, config: &Config, options: &Options, id: CertificateId) -> Result<Vec<Scope>, Failure> {
    if let Some(host) = &options.endpoint {
        let name = EndpointName::parse(host, &config.domain);
        let scope = match &name {
            Some(name) => opened.store.scope_of_prefix(&name.prefix).await?.filter(|scope| scope.region == name.region),
            None if host == "localhost" => config.regions.first().map(|region| Scope::new(AccountId::FIRST, *region)),
            None => None,
        };
        let scope = scope.filter(|scope| options.account.is_none_or(|account| account == scope.account));
        return scope.map(|scope| vec![scope]).ok_or_else(|| {
            Failure::configuration(format!(
                "{host} is no endpoint of this server{}: `gatehouse hosts` shows them",
                options.account.map(|account| format!(" for account {account}")).unwrap_or_default()
            ))
        });
    }
    let registered = opened.store.certificate_scopes(id).await?;
    let mut scopes: Vec<Scope> = registered.into_iter().map(|(scope, _)| scope).collect();
    if let Some(account) = options.account {
        scopes.retain(|scope| scope.account == account);
        if scopes.is_empty() {
            scopes = config.regions.iter().map(|region| Scope::new(account, *region)).collect();
        }
    } else if scopes.is_empty() {
        for account in opened.store.accounts().await? {
            scopes.extend(config.regions.iter().map(|region| Scope::new(account.account, *region)));
        }
    }
    scopes.sort_unstable();
    Ok(scopes)
}

fn tell(explanation: &Explanation) {
    let verdict = if explanation.could_connect { "could connect now" } else { "could not connect now" };
    say(format!("Certificate {} {verdict}.", explanation.certificate_id));
    for place in &explanation.places {
        let verdict = if place.could_connect { "could connect" } else { "could not connect" };
        say(format!("\nAccount {}, Region {}: {verdict}.", place.account, place.region));
        for finding in &place.findings {
            say(format!("  - {}", finding.text));
            if let Some(command) = &finding.command {
                say(format!("      {command}"));
            }
        }
    }
    if !explanation.refusals.is_empty() {
        say("\nLast refusals:");
    }
    for refused in &explanation.refusals {
        // The stranger's own words: no line breaks, nothing that a terminal obeys.
        let client_id = refused.client_id.as_deref().unwrap_or("-").escape_debug();
        say(format!("  {}  {}  from {} as {client_id}", refused.at, refused.reason, refused.source));
        if let Some(details) = &refused.details {
            say(format!("      {}", details.escape_debug()));
        }
    }
}

impl From<RefusalRecord> for Refused {
    fn from(record: RefusalRecord) -> Self {
        let source = match record.source_ip.contains(':') {
            true => format!("[{}]:{}", record.source_ip, record.source_port),
            false => format!("{}:{}", record.source_ip, record.source_port),
        };
        Self {
            at: record.at.to_string(),
            reason: record.reason,
            details: record.details,
            account: record.scope.map(|scope| scope.account),
            client_id: record.client_id,
            source,
            sni: record.sni,
        }
    }
}
