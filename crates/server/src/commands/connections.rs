//! `gatehouse connections`: who is connected to the server beside which the command runs, and the end of a connection.

use clap::{Args, Subcommand};
use gatehouse_domain::scope::{AccountId, Region};

use super::say;
use crate::config::Config;
use crate::failure::Failure;
use crate::operator_socket::{Client, InScope, Request, ask};

/// What to do with connections.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Print who is connected, one JSON object a line
    List {
        #[command(flatten)]
        scope: Scoped,
    },
    /// Print everything about a client as JSON: its connection, or since when and why it is gone, and its session
    Show {
        /// The client id
        client_id: String,
        #[command(flatten)]
        scope: Scoped,
    },
    /// End a client's connection
    Close {
        /// The client id
        client_id: String,
        /// End its session too, with subscriptions and waiting messages
        #[arg(long)]
        clean_session: bool,
        /// Do not publish its will
        #[arg(long)]
        prevent_will: bool,
        #[command(flatten)]
        scope: Scoped,
    },
}

/// Where to look.
#[derive(Args)]
pub(crate) struct Scoped {
    /// Only in this account
    #[arg(long, value_name = "ID")]
    account: Option<AccountId>,
    /// Only in this Region
    #[arg(long, value_name = "REGION")]
    region: Option<Region>,
}

impl From<Scoped> for InScope {
    fn from(Scoped { account, region }: Scoped) -> Self {
        Self { account, region }
    }
}

pub(crate) async fn run(config: Config, command: Command) -> Result<(), Failure> {
    let client = |client_id: String, scope: Scoped| Client { client_id, scope: scope.into() };
    let request = match command {
        Command::List { scope } => Request::List(scope.into()),
        Command::Show { client_id, scope } => Request::Show(client(client_id, scope)),
        Command::Close { client_id, clean_session, prevent_will, scope } => {
            Request::Close { client: client(client_id, scope), clean_session, prevent_will }
        }
    };
    ask(&config.data_dir, &request, say).await
}
