//! `gatehouse account`: tenants.

use clap::Subcommand;
use gatehouse_control::random::random;
use gatehouse_domain::scope::AccountId;
use serde::Serialize;

use super::say;
use crate::config::Config;
use crate::failure::Failure;
use crate::house::{self, MakeAccountError};

/// What to do with accounts.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make an account with a first access key, and print both as JSON
    Create {
        /// The 12-digit number; a random one when left out
        #[arg(long, value_name = "ID")]
        id: Option<AccountId>,
    },
    /// Print every account as JSON
    List,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Created<'a> {
    account_id: AccountId,
    access_key_id: &'a str,
    secret_access_key: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    account_id: AccountId,
    created_at: String,
}

pub(crate) async fn run(config: Config, command: Command) -> Result<(), Failure> {
    let opened = house::open(&config).await?;
    match command {
        Command::Create { id } => {
            let account = match id {
                Some(id) => id,
                None => AccountId::from_number(u64::from_le_bytes(random()?)),
            };
            let key = house::make_account(&opened, &config, account).await.map_err(|error| match error {
                MakeAccountError::Exists => Failure::configuration(format!("account {account} exists already")),
                MakeAccountError::Failed(failure) => failure,
            })?;
            say(json(&Created {
                account_id: account,
                access_key_id: &key.record.access_key_id,
                secret_access_key: &key.secret,
            })?);
        }
        Command::List => {
            let accounts = opened.store.accounts().await?;
            let listed: Vec<Listed> = accounts
                .into_iter()
                .map(|record| Listed { account_id: record.account, created_at: record.created_at.to_string() })
                .collect();
            say(json(&listed)?);
        }
    }
    opened.store.close().await?;
    Ok(())
}

pub(super) fn json(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| Failure::other(error.to_string()))
}
