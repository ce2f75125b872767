//! `gatehouse access-key`: who may call the control API, and for what.

use std::path::PathBuf;

use clap::Subcommand;
use gatehouse_control::access_key::{AccessKeyWish, make};
use gatehouse_domain::event::Event;
use gatehouse_domain::policy::PolicyDocument;
use gatehouse_domain::scope::AccountId;
use gatehouse_store::Batch;
use serde::Serialize;

use super::account::json;
use super::say;
use crate::config::Config;
use crate::failure::Failure;
use crate::house::{self, Opened};

/// What to do with access keys.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make an access key, and print it as JSON: its secret is shown this once
    Create {
        /// The account
        #[arg(long, value_name = "ID")]
        account: AccountId,
        /// A file with an IAM-style policy; without one the key may do everything in its account
        #[arg(long, value_name = "FILE")]
        policy: Option<PathBuf>,
        /// Make a temporary key with a session token that ends after so many seconds
        #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=129_600))]
        duration: Option<u32>,
    },
    /// Print an account's access keys as JSON, without secrets
    List {
        /// The account
        #[arg(long, value_name = "ID")]
        account: AccountId,
    },
    /// Delete an access key; calls signed with it are refused from now on
    Delete {
        /// The account
        #[arg(long, value_name = "ID")]
        account: AccountId,
        /// The access key id
        access_key_id: String,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Created<'a> {
    account_id: AccountId,
    access_key_id: &'a str,
    secret_access_key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    access_key_id: String,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<String>,
}

pub(crate) async fn run(config: Config, command: Command) -> Result<(), Failure> {
    let opened = house::open(&config).await?;
    match command {
        Command::Create { account, policy, duration } => create(&opened, account, policy, duration).await?,
        Command::List { account } => {
            must_exist(&opened, account).await?;
            let keys = opened.store.access_keys(account).await?;
            let listed: Vec<Listed> = keys
                .into_iter()
                .map(|key| Listed {
                    access_key_id: key.access_key_id,
                    created_at: key.created_at.to_string(),
                    expiration: key.expires_at.map(|at| at.to_string()),
                    policy: key.policy,
                })
                .collect();
            say(json(&listed)?);
        }
        Command::Delete { account, access_key_id } => {
            let record = opened.store.access_key(&access_key_id).await?.filter(|record| record.account == account);
            let record = record.ok_or_else(|| {
                Failure::configuration(format!("account {account} has no access key {access_key_id}"))
            })?;
            let mut batch = Batch::new();
            batch.delete_access_key(&record);
            batch.announce(Event::AccessKeys { account });
            opened.store.commit(batch, opened.clock.now()).await?;
        }
    }
    opened.store.close().await?;
    Ok(())
}

async fn create(
    opened: &Opened,
    account: AccountId,
    policy: Option<PathBuf>,
    duration_secs: Option<u32>,
) -> Result<(), Failure> {
    must_exist(opened, account).await?;
    let policy = match policy {
        Some(path) => {
            let refused = |why: String| Failure::configuration(format!("the policy in {}: {why}", path.display()));
            let text = std::fs::read_to_string(&path).map_err(|error| refused(error.to_string()))?;
            PolicyDocument::parse(&text).map_err(|error| refused(error.to_string()))?;
            Some(text)
        }
        None => None,
    };
    let now = opened.clock.now();
    let expires_at = duration_secs.map(|secs| now.plus_millis(i64::from(secs) * 1000));
    let key = make(&opened.sealer, AccessKeyWish { account, policy, expires_at }, now)?;
    let mut batch = Batch::new();
    batch.insert_access_key(&key.record);
    batch.announce(Event::AccessKeys { account });
    opened.store.commit(batch, now).await?;
    say(json(&Created {
        account_id: account,
        access_key_id: &key.record.access_key_id,
        secret_access_key: &key.secret,
        session_token: key.session_token.as_ref().map(|token| token.as_str()),
        expiration: expires_at.map(|at| at.to_string()),
    })?);
    Ok(())
}

async fn must_exist(opened: &Opened, account: AccountId) -> Result<(), Failure> {
    match opened.store.account(account).await? {
        Some(_) => Ok(()),
        None => Err(Failure::configuration(format!(
            "account {account} does not exist: `gatehouse account list` shows those that do"
        ))),
    }
}
