//! Transfers of certificates between accounts of a Region: offered by the owner, then accepted, rejected or cancelled.
//! (Developer guide, "Transfer a certificate to another account".)
//!
//! Invariant: a certificate is PENDING_TRANSFER exactly while its transfer is pending, and only these rules bring it there
//! and away from there.

use super::CertificateStatus;
use crate::scope::AccountId;

/// What TransferCertificate needs to know about the certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Its status.
    pub status: CertificateStatus,
    /// How many policies are attached to it.
    pub attached_policies: u32,
    /// How many things it is attached to.
    pub attached_things: u32,
}

/// Why a certificate cannot be offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransferRefusal {
    /// It is in use.
    #[error("it is ACTIVE: set it to INACTIVE before offering it to another account")]
    Active,
    /// It is switched off for good, and a transfer would end with it INACTIVE.
    #[error("it is REVOKED, which is final: only a certificate that may become active again can be transferred")]
    Revoked,
    /// It is offered already.
    #[error("it is PENDING_TRANSFER: cancel the pending transfer before offering it again")]
    PendingTransfer,
    /// Policies or things are attached, which belong to the source.
    #[error("policies or things are attached to it: detach them before offering it to another account")]
    Attached,
}

/// TransferCertificate: may the certificate be offered? Answers the status that it moves to.
///
/// # Errors
/// [`TransferRefusal`] names the rule that stands against it.
pub const fn begin_transfer(offer: Offer) -> Result<CertificateStatus, TransferRefusal> {
    match offer.status {
        CertificateStatus::Active => return Err(TransferRefusal::Active),
        CertificateStatus::Revoked => return Err(TransferRefusal::Revoked),
        CertificateStatus::PendingTransfer => return Err(TransferRefusal::PendingTransfer),
        CertificateStatus::Inactive | CertificateStatus::RegisterInactive | CertificateStatus::PendingActivation => {}
    }
    if offer.attached_policies > 0 || offer.attached_things > 0 {
        return Err(TransferRefusal::Attached);
    }
    Ok(CertificateStatus::PendingTransfer)
}

/// How far a transfer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransferState {
    /// Offered.
    Pending,
    /// Over: the target has the certificate.
    Accepted,
    /// Over: the target did not want it.
    Rejected,
    /// Over: the source took the offer back.
    Cancelled,
}

/// A transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Who offers.
    pub source: AccountId,
    /// To whom.
    pub target: AccountId,
    /// How far it is.
    pub state: TransferState,
}

/// How a transfer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransferEnd {
    /// The transfer, which is over.
    pub transfer: Transfer,
    /// Whose the certificate is now.
    pub owner: AccountId,
    /// The status of the certificate now.
    pub status: CertificateStatus,
}

/// Why a transfer is not accepted, rejected or cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransferEndRefusal {
    /// The caller has no say: only the target accepts and rejects, only the source cancels.
    #[error("the certificate is in no transfer that this account may end")]
    NotConcerned,
    /// Somebody was first.
    #[error("the transfer of the certificate has been accepted, rejected or cancelled already")]
    Completed,
    /// The target has a registration of the same certificate.
    #[error(
        "the certificate is registered in this account and Region already: delete that registration, or reject this one"
    )]
    AlreadyRegistered,
}

impl Transfer {
    /// The pending transfer that an accepted [`begin_transfer`] makes.
    #[must_use]
    pub const fn begun(source: AccountId, target: AccountId) -> Self {
        Self { source, target, state: TransferState::Pending }
    }

    /// AcceptCertificateTransfer: `is_registered` says whether `caller` has the certificate already in this Region.
    ///
    /// # Errors
    /// [`TransferEndRefusal`] names the rule that stands against it.
    pub fn accept(
        self,
        caller: AccountId,
        set_as_active: bool,
        is_registered: bool,
    ) -> Result<TransferEnd, TransferEndRefusal> {
        self.is_for(caller == self.target)?;
        if is_registered {
            return Err(TransferEndRefusal::AlreadyRegistered);
        }
        let status = if set_as_active { CertificateStatus::Active } else { CertificateStatus::Inactive };
        Ok(self.ended(TransferState::Accepted, self.target, status))
    }

    /// RejectCertificateTransfer.
    ///
    /// # Errors
    /// [`TransferEndRefusal`] names the rule that stands against it.
    pub fn reject(self, caller: AccountId) -> Result<TransferEnd, TransferEndRefusal> {
        self.is_for(caller == self.target)?;
        Ok(self.ended(TransferState::Rejected, self.source, CertificateStatus::Inactive))
    }

    /// CancelCertificateTransfer.
    ///
    /// # Errors
    /// [`TransferEndRefusal`] names the rule that stands against it.
    pub fn cancel(self, caller: AccountId) -> Result<TransferEnd, TransferEndRefusal> {
        self.is_for(caller == self.source)?;
        Ok(self.ended(TransferState::Cancelled, self.source, CertificateStatus::Inactive))
    }

    /// Strangers first: they must not learn how far a transfer is.
    const fn is_for(self, has_a_say: bool) -> Result<(), TransferEndRefusal> {
        match (has_a_say, self.state) {
            (false, _) => Err(TransferEndRefusal::NotConcerned),
            (true, TransferState::Pending) => Ok(()),
            (true, TransferState::Accepted | TransferState::Rejected | TransferState::Cancelled) => {
                Err(TransferEndRefusal::Completed)
            }
        }
    }

    const fn ended(self, state: TransferState, owner: AccountId, status: CertificateStatus) -> TransferEnd {
        TransferEnd { transfer: Self { state, ..self }, owner, status }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::{StatusChange, change_status, may_attach};
    use proptest::prelude::*;

    const IDLE: Offer = Offer { status: CertificateStatus::Inactive, attached_policies: 0, attached_things: 0 };

    fn account(number: u64) -> AccountId {
        AccountId::from_number(number)
    }

    #[test]
    fn only_an_idle_unattached_certificate_is_offered() {
        use CertificateStatus as S;
        let cases = [
            (S::Active, Err(TransferRefusal::Active)),
            (S::Inactive, Ok(S::PendingTransfer)),
            (S::Revoked, Err(TransferRefusal::Revoked)),
            (S::PendingTransfer, Err(TransferRefusal::PendingTransfer)),
            (S::RegisterInactive, Ok(S::PendingTransfer)),
            (S::PendingActivation, Ok(S::PendingTransfer)),
        ];
        for (status, outcome) in cases {
            assert_eq!(begin_transfer(Offer { status, ..IDLE }), outcome, "{status}");
        }
        for attached in [Offer { attached_policies: 1, ..IDLE }, Offer { attached_things: 1, ..IDLE }] {
            assert_eq!(begin_transfer(attached), Err(TransferRefusal::Attached));
        }
    }

    #[test]
    fn who_may_end_a_transfer_and_how() {
        let (source, target, stranger) = (account(1), account(2), account(3));
        let pending = Transfer::begun(source, target);
        let end = |state, owner, status| Ok(TransferEnd { transfer: Transfer { state, ..pending }, owner, status });
        let (inactive, active) = (CertificateStatus::Inactive, CertificateStatus::Active);
        let no_say = Err(TransferEndRefusal::NotConcerned);
        assert_eq!(pending.accept(target, false, false), end(TransferState::Accepted, target, inactive));
        assert_eq!(pending.accept(target, true, false), end(TransferState::Accepted, target, active));
        assert_eq!(pending.accept(target, true, true), Err(TransferEndRefusal::AlreadyRegistered));
        assert_eq!(pending.reject(target), end(TransferState::Rejected, source, inactive));
        assert_eq!(pending.cancel(source), end(TransferState::Cancelled, source, inactive));
        assert_eq!(pending.cancel(target), no_say);
        for caller in [source, stranger] {
            assert_eq!(pending.accept(caller, true, false), no_say);
            assert_eq!(pending.reject(caller), no_say);
        }
        for state in [TransferState::Accepted, TransferState::Rejected, TransferState::Cancelled] {
            let over = Transfer { state, ..pending };
            assert_eq!(over.accept(target, true, false), Err(TransferEndRefusal::Completed));
            assert_eq!(over.reject(target), Err(TransferEndRefusal::Completed));
            assert_eq!(over.cancel(source), Err(TransferEndRefusal::Completed));
            assert_eq!(over.cancel(stranger), no_say);
        }
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Update(CertificateStatus),
        Attach,
        Detach,
        Begin(u64),
        Accept(u64, bool),
        Reject(u64),
        Cancel(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let status = proptest::sample::select(CertificateStatus::ALL.to_vec());
        let step = prop_oneof![
            3 => status.prop_map(Step::Update),
            1 => Just(Step::Attach),
            2 => Just(Step::Detach),
            3 => (0..3_u64).prop_map(Step::Begin),
            2 => (0..3_u64, any::<bool>()).prop_map(|(caller, active)| Step::Accept(caller, active)),
            1 => (0..3_u64).prop_map(Step::Reject),
            1 => (0..3_u64).prop_map(Step::Cancel),
        ];
        proptest::collection::vec(step, 0..60)
    }

    /// A certificate with its transfer, moved by the rules alone.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Held {
        owner: AccountId,
        status: CertificateStatus,
        policies: u32,
        transfer: Option<Transfer>,
    }

    impl Held {
        /// What the step makes of it; `None` when it is refused.
        fn step(self, step: Step) -> Option<Self> {
            let ended =
                |end: TransferEnd| Self { owner: end.owner, status: end.status, transfer: Some(end.transfer), ..self };
            match step {
                Step::Update(wanted) => match change_status(self.status, wanted).ok()? {
                    StatusChange::Unchanged => Some(self),
                    StatusChange::To(status) => Some(Self { status, ..self }),
                },
                Step::Attach => may_attach(self.status).ok().map(|()| Self { policies: self.policies + 1, ..self }),
                Step::Detach => Some(Self { policies: self.policies.checked_sub(1)?, ..self }),
                Step::Begin(target) => {
                    let offer = Offer { status: self.status, attached_policies: self.policies, attached_things: 0 };
                    let status = begin_transfer(offer).ok()?;
                    Some(Self { status, transfer: Some(Transfer::begun(self.owner, account(target))), ..self })
                }
                Step::Accept(caller, active) => self.transfer?.accept(account(caller), active, false).ok().map(ended),
                Step::Reject(caller) => self.transfer?.reject(account(caller)).ok().map(ended),
                Step::Cancel(caller) => self.transfer?.cancel(account(caller)).ok().map(ended),
            }
        }
    }

    /// Every move between statuses that there is.
    fn is_in_the_table(from: CertificateStatus, to: CertificateStatus, step: Step) -> bool {
        use CertificateStatus as S;
        match step {
            Step::Update(_) => matches!(
                (from, to),
                (S::Active | S::Inactive | S::PendingActivation, S::Active | S::Inactive | S::Revoked)
                    | (S::Revoked, S::Revoked)
            ),
            Step::Attach | Step::Detach => from == to,
            Step::Begin(_) => matches!((from, to), (S::Inactive | S::PendingActivation, S::PendingTransfer)),
            Step::Accept(..) => matches!((from, to), (S::PendingTransfer, S::Active | S::Inactive)),
            Step::Reject(_) | Step::Cancel(_) => (from, to) == (S::PendingTransfer, S::Inactive),
        }
    }

    proptest! {
        #[test]
        fn no_sequence_of_calls_leaves_the_table(
            steps in steps(),
            status in proptest::sample::select(vec![
                CertificateStatus::Active,
                CertificateStatus::Inactive,
                CertificateStatus::PendingActivation,
            ]),
        ) {
            let mut held = Held { owner: account(0), status, policies: 0, transfer: None };
            let mut revoked = false;
            for step in steps {
                let before = held;
                let Some(after) = held.step(step) else { continue };
                held = after;
                prop_assert!(is_in_the_table(before.status, held.status, step), "{before:?} {step:?} {held:?}");
                revoked |= held.status == CertificateStatus::Revoked;
                prop_assert!(!revoked || held.status == CertificateStatus::Revoked, "{step:?}");
                let pending = held.transfer.is_some_and(|transfer| transfer.state == TransferState::Pending);
                prop_assert_eq!(pending, held.status == CertificateStatus::PendingTransfer);
                prop_assert!(!pending || held.policies == 0);
                prop_assert!(before.owner == held.owner || matches!(step, Step::Accept(..)));
            }
        }

        #[test]
        fn of_the_calls_that_end_a_transfer_one_succeeds(calls in proptest::collection::vec((0..3_u8, 0..3_u64), 0..20)) {
            let mut transfer = Transfer::begun(account(1), account(2));
            let mut successes = 0;
            for (call, caller) in calls {
                let outcome = match call {
                    0 => transfer.accept(account(caller), false, false),
                    1 => transfer.reject(account(caller)),
                    _ => transfer.cancel(account(caller)),
                };
                if let Ok(end) = outcome {
                    transfer = end.transfer;
                    successes += 1;
                }
            }
            prop_assert!(successes <= 1);
            prop_assert_eq!(successes == 0, transfer.state == TransferState::Pending);
        }
    }
}
