//! Shared subscriptions: of the members of a group, one gets each message.
//!
//! A member whose session outlives its connection has what it was given in its own queue, so that it is not lost when the
//! member goes. What nobody was there for waits in the group's queue, as long as the group has a member whose session
//! outlives its connection; the first such member that comes back takes it into its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

use gatehouse_domain::limits;
use gatehouse_domain::session::SessionId;
use gatehouse_domain::topic::TopicFilter;
use gatehouse_mqtt::Qos;
use parking_lot::RwLock;

use crate::mailbox::Offered;
use crate::message::{Delivery, Message};
use crate::session::Session;
use crate::tree::Subscriber;

/// The members of one shared subscription.
#[derive(Debug)]
pub(crate) struct Group {
    /// As clients write it: `$share/<name>/<filter>`.
    pub(crate) filter: TopicFilter,
    pub(crate) group_id: SessionId,
    members: RwLock<Vec<Subscriber>>,
    /// Whose turn it is.
    turn: AtomicUsize,
    /// Messages that wait in the group's queue.
    queued: AtomicU32,
    is_being_drained: AtomicBool,
}

/// To whom a message goes.
pub(crate) enum Given {
    /// It is in a member's mailbox.
    Mailbox,
    /// It is to be written into this member's queue.
    Queue(Arc<Session>),
    /// It is to be written into the group's queue.
    Group,
    /// Nobody takes it.
    Nobody,
}

/// The right to take messages out of a group's queue.
pub(crate) struct Draining(Arc<Group>);

impl Group {
    pub(crate) fn new(filter: TopicFilter, group_id: SessionId, queued: u32) -> Self {
        Self {
            filter,
            group_id,
            members: RwLock::default(),
            turn: AtomicUsize::new(0),
            queued: AtomicU32::new(queued),
            is_being_drained: AtomicBool::new(false),
        }
    }

    /// Enters a member, in the place of its former entry if it has one; `false` when the group is full.
    pub(crate) fn enter(&self, member: Subscriber) -> bool {
        let mut members = self.members.write();
        if let Some(known) = members.iter_mut().find(|known| known.session.number == member.session.number) {
            *known = member;
            return true;
        }
        if members.len() >= limits::SHARED_MEMBERS {
            return false;
        }
        members.push(member);
        true
    }

    /// Removes a member; answers whether nobody is left.
    pub(crate) fn leave(&self, session: u64) -> bool {
        let mut members = self.members.write();
        members.retain(|member| member.session.number != session);
        members.is_empty()
    }

    /// Gives the message to one member that is connected; each in turn, and past those that have no room.
    pub(crate) fn give(&self, message: &Arc<Message>) -> Given {
        let members = self.members.read();
        let count = members.len();
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        for offset in 0..count {
            let Some(member) = members.get(first.wrapping_add(offset) % count) else { continue };
            if !member.session.is_connected() {
                continue;
            }
            let qos = message.qos.min(member.options.qos);
            if qos > Qos::AtMostOnce && member.session.session_id.is_some() {
                if member.session.queue_up() {
                    return Given::Queue(Arc::clone(&member.session));
                }
                continue;
            }
            let retain = message.retain && member.options.retain_as_published;
            let delivery = Delivery { message: Arc::clone(message), qos, retain, key: None, direct: None };
            if member.session.offer(delivery) == Offered::Taken {
                return Given::Mailbox;
            }
        }
        let waits = |member: &Subscriber| member.session.session_id.is_some() && member.options.qos > Qos::AtMostOnce;
        let is_kept = message.qos > Qos::AtMostOnce && members.iter().any(waits);
        if is_kept && self.queue_up() { Given::Group } else { Given::Nobody }
    }

    fn queue_up(&self) -> bool {
        let count = |queued: u32| (queued < limits::QUEUED_PER_SHARED_GROUP).then_some(queued + 1);
        self.queued.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count).is_ok()
    }

    pub(crate) fn queue_down(&self, count: u32) {
        let _never_none =
            self.queued.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |queued| Some(queued.saturating_sub(count)));
    }

    pub(crate) fn queued(&self) -> u32 {
        self.queued.load(Ordering::Relaxed)
    }

    /// Tells members that could take messages out of the group's queue that there are some.
    pub(crate) fn tell_stored(&self) {
        for member in self.members.read().iter().filter(|member| member.session.session_id.is_some()) {
            member.session.tell_stored();
        }
    }

    /// The right to take messages out, when there are any and nobody else is doing so.
    pub(crate) fn begin_to_drain(self: &Arc<Self>) -> Option<Draining> {
        if self.queued() == 0 || self.is_being_drained.swap(true, Ordering::AcqRel) {
            return None;
        }
        Some(Draining(Arc::clone(self)))
    }
}

impl Drop for Draining {
    fn drop(&mut self) {
        self.0.is_being_drained.store(false, Ordering::Release);
        if self.0.queued() > 0 {
            self.0.tell_stored();
        }
    }
}
