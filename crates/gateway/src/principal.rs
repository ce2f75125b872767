//! In whose name a connection acts, and how it came to be known: a device by its certificate through admission, anybody
//! else by an access key through the verified signature.

use std::fmt;
use std::sync::Arc;

use gatehouse_control::verifier::VerifiedCaller;
use gatehouse_domain::certificate::CertificateId;
use gatehouse_domain::limits;
use gatehouse_domain::refusal::Refusal;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::time::Timestamp;
use gatehouse_domain::validity;

use crate::admission::{DeviceIdentity, TurnedAway};
use crate::connections::Presence;

/// Whom the registry's changes concern.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Principal {
    /// The holder of a certificate's key.
    Certificate(CertificateId),
    /// The holder of an access key's secret.
    AccessKey(Arc<str>),
}

impl Principal {
    pub(crate) const fn certificate_id(&self) -> Option<CertificateId> {
        match self {
            Self::Certificate(id) => Some(*id),
            Self::AccessKey(_) => None,
        }
    }

    pub(crate) fn access_key_id(&self) -> Option<&str> {
        match self {
            Self::Certificate(_) => None,
            Self::AccessKey(id) => Some(id),
        }
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(id) => id.fmt(f),
            Self::AccessKey(id) => f.write_str(id),
        }
    }
}

/// Who is connected.
pub(crate) enum Identity {
    /// A device that was admitted.
    Device(DeviceIdentity),
    /// The holder of an access key. Boxed: devices are many, and must not pay for its size.
    Caller(Box<CallerIdentity>),
}

/// The holder of an access key whose signature was verified: made of nothing else.
pub(crate) struct CallerIdentity {
    caller: VerifiedCaller,
    principal: Principal,
    is_named: bool,
    connected_at: Timestamp,
    /// Held, not asked: as long as it lives the registry's changes find the connection.
    _presence: Presence,
}

impl CallerIdentity {
    /// The identity of `caller`, whom `presence` has entered in the index under `principal`.
    pub(crate) const fn new(
        caller: VerifiedCaller,
        principal: Principal,
        is_named: bool,
        connected_at: Timestamp,
        presence: Presence,
    ) -> Self {
        Self { caller, principal, is_named, connected_at, _presence: presence }
    }
}

impl Identity {
    pub(crate) fn scope(&self) -> Scope {
        match self {
            Self::Device(device) => device.scope(),
            Self::Caller(caller) => caller.caller.scope(),
        }
    }

    pub(crate) fn principal(&self) -> Principal {
        match self {
            Self::Device(device) => Principal::Certificate(device.certificate_id()),
            Self::Caller(caller) => caller.principal.clone(),
        }
    }

    /// Whether the ClientHello named the endpoint.
    pub(crate) const fn is_named(&self) -> bool {
        match self {
            Self::Device(device) => device.is_named(),
            Self::Caller(caller) => caller.is_named,
        }
    }

    /// The moment from which the connection may not go on.
    pub(crate) fn ends_at(&self) -> Timestamp {
        match self {
            Self::Device(device) => validity::ends_at(device.not_after()),
            Self::Caller(caller) => {
                let longest = caller.lives_until();
                caller.caller.expires_at().map_or(longest, |expires_at| expires_at.min(longest))
            }
        }
    }

    /// Why the connection may not go on at `now`; [`Ended::Lifetime`] is nobody's fault.
    pub(crate) fn ended(&self, now: Timestamp) -> Option<Ended> {
        match self {
            Self::Device(device) => {
                validity::is_over(device.not_after(), now).then_some(Ended::Refused(Refusal::Expired))
            }
            Self::Caller(caller) if caller.caller.expires_at().is_some_and(|expires_at| now >= expires_at) => {
                Some(Ended::Refused(Refusal::AccessKey))
            }
            Self::Caller(caller) => (now >= caller.lives_until()).then_some(Ended::Lifetime),
        }
    }

    /// The peer turned away after all.
    pub(crate) fn turned_away(&self, refusal: Refusal) -> TurnedAway {
        TurnedAway {
            refusal,
            details: None,
            principal: Some(self.principal()),
            scope: Some(self.scope()),
            is_named: self.is_named(),
        }
    }
}

impl CallerIdentity {
    fn lives_until(&self) -> Timestamp {
        let lifetime_ms = i64::try_from(limits::WEBSOCKET_LIFETIME.as_millis()).unwrap_or(i64::MAX);
        self.connected_at.plus_millis(lifetime_ms)
    }
}

/// Why a connection is over by the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// What it stood on has run out.
    Refused(Refusal),
    /// It has been open for as long as it may.
    Lifetime,
}
