//! What an operator beside the server may see and end: connections, and the sessions behind them. The shell asks for
//! JSON, as it prints nothing else.

use std::sync::Arc;

use gatehouse_broker::{Session, Unavailable};
use gatehouse_domain::client_id::ClientId;
use gatehouse_domain::scope::{AccountId, Region, Scope};
use serde_json::{Map, Value, json};

use crate::Gateway;

/// Which scopes an operator means; none named means all.
#[derive(Clone, Copy, Debug, Default)]
pub struct ScopeFilter {
    /// Of this account alone.
    pub account: Option<AccountId>,
    /// Of this Region alone.
    pub region: Option<Region>,
}

impl ScopeFilter {
    fn takes(self, scope: Scope) -> bool {
        self.account.is_none_or(|account| account == scope.account)
            && self.region.is_none_or(|region| region == scope.region)
    }
}

impl Gateway {
    /// Who is connected now: one object each, in the order of account, Region and client id.
    pub fn connected_clients(&self, filter: ScopeFilter) -> impl Iterator<Item = Value> + Send + use<> {
        let mut connected = self.broker.all_connections();
        connected.retain(|(scope, _)| filter.takes(*scope));
        connected.sort_by(|(a, one), (b, other)| (a, one.client_id()).cmp(&(b, other.client_id())));
        // A client that went since then is left out.
        connected.into_iter().filter_map(|(scope, session)| Some(Value::Object(connection(scope, &session)?)))
    }

    /// Everything about the clients of this id that are connected, have a session, or went not long ago: one object for
    /// each scope.
    ///
    /// # Errors
    /// When the accounts cannot be read.
    pub async fn clients_by_id(
        &self,
        filter: ScopeFilter,
        client_id: &ClientId,
    ) -> Result<Vec<(Scope, Value)>, gatehouse_store::Error> {
        let scopes = self.scopes(filter).await?;
        Ok(scopes.into_iter().filter_map(|scope| Some((scope, self.describe(scope, client_id)?))).collect())
    }

    /// Ends a client's connection as DeleteConnection does, and waits until an ended session is off the disk. Answers
    /// whether there was a connection or a session.
    ///
    /// # Errors
    /// [`Unavailable`] when the ended session may still be on the disk: it is taken off as soon as it can be.
    pub async fn close_client(
        &self,
        scope: Scope,
        client_id: &ClientId,
        clean_session: bool,
        prevent_will: bool,
    ) -> Result<bool, Unavailable> {
        let was_there = self.broker.delete_connection(scope, client_id, clean_session, prevent_will);
        if was_there {
            tracing::info!(%scope, %client_id, clean_session, prevent_will, "an operator ends a connection");
        }
        if was_there && clean_session {
            self.broker.settle_scope(scope).await?;
        }
        Ok(was_there)
    }

    async fn scopes(&self, filter: ScopeFilter) -> Result<Vec<Scope>, gatehouse_store::Error> {
        let accounts = self.store.accounts().await?;
        let all =
            accounts.iter().flat_map(|record| self.regions.iter().map(|region| Scope::new(record.account, *region)));
        Ok(all.filter(|scope| filter.takes(*scope)).collect())
    }

    fn describe(&self, scope: Scope, client_id: &ClientId) -> Option<Value> {
        let Some(session) = self.broker.session(scope, client_id) else {
            let departed = self.broker.departed(scope, client_id)?;
            let mut shown = head(scope, client_id);
            shown.insert("connected".to_owned(), json!(false));
            shown.insert("disconnectedSince".to_owned(), json!(departed.disconnected_at.to_string()));
            shown.insert("disconnectReason".to_owned(), json!(departed.reason.as_str()));
            return Some(Value::Object(shown));
        };
        let mut shown = match session.parked() {
            Some((disconnected_at, reason, expires_at)) => {
                let mut shown = head(scope, client_id);
                shown.insert("connected".to_owned(), json!(false));
                shown.insert("disconnectedSince".to_owned(), json!(disconnected_at.to_string()));
                shown.insert("disconnectReason".to_owned(), json!(reason));
                shown.insert("sessionEndsAt".to_owned(), json!(expires_at.to_string()));
                shown
            }
            None => {
                let mut shown = connection(scope, &session)?;
                shown.insert("connected".to_owned(), json!(true));
                shown
            }
        };
        let subscriptions = session.subscriptions();
        let subscriptions: Vec<Value> = subscriptions
            .iter()
            .map(|(filter, options)| json!({ "topicFilter": filter.as_str(), "qos": options.qos.value() }))
            .collect();
        shown.insert("subscriptions".to_owned(), json!(subscriptions));
        shown.insert("queuedMessages".to_owned(), json!(session.queued()));
        Some(Value::Object(shown))
    }
}

fn head(scope: Scope, client_id: &ClientId) -> Map<String, Value> {
    Map::from_iter([
        ("clientId".to_owned(), json!(client_id.as_str())),
        ("account".to_owned(), json!(scope.account.to_string())),
        ("region".to_owned(), json!(scope.region.to_string())),
    ])
}

fn connection(scope: Scope, session: &Arc<Session>) -> Option<Map<String, Value>> {
    let info = session.connection()?;
    let mut shown = head(scope, session.client_id());
    shown.insert("principal".to_owned(), json!(info.principal));
    if let Some(thing) = &info.thing_name {
        shown.insert("thingName".to_owned(), json!(thing.as_str()));
    }
    shown.insert("sourceIp".to_owned(), json!(info.source.ip()));
    shown.insert("sourcePort".to_owned(), json!(info.source.port()));
    shown.insert("connectedSince".to_owned(), json!(info.connected_at.to_string()));
    shown.insert("keepAlive".to_owned(), json!(info.keep_alive_secs));
    shown.insert("cleanSession".to_owned(), json!(info.clean_start));
    shown.insert("sessionExpiry".to_owned(), json!(info.session_expiry_secs));
    Some(shown)
}
