use std::pin::pin;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, mpsc};
use std::task::Wake;

use bytes::Bytes;

use super::*;
use crate::message::Message;
use crate::message::tests::message;

fn delivery(qos: Qos) -> Delivery {
    Delivery::live(message("a"), qos)
}

fn large(qos: Qos) -> Delivery {
    let payload = Bytes::from(vec![0; limits::PAYLOAD_BYTES]);
    Delivery::live(Arc::new(Message { payload, ..Message::clone(&message("a")) }), qos)
}

fn take_all(mailbox: &Mailbox) -> (usize, Option<CloseReason>) {
    let mut taken = Vec::new();
    let close = mailbox.take(&mut taken, usize::MAX);
    (taken.len(), close)
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Wakes {
    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

#[test]
fn a_full_mailbox_drops_qos_0_and_ends_the_connection_for_qos_1() {
    let mailbox = Mailbox::new();
    for _ in 0..limits::OUTBOUND_QUEUE {
        assert_eq!(mailbox.push(delivery(Qos::AtMostOnce)), Pushed::Queued);
    }
    assert_eq!(mailbox.push(delivery(Qos::AtMostOnce)), Pushed::DroppedQos0);
    assert_eq!(mailbox.close_reason(), None);
    assert_eq!(mailbox.push(delivery(Qos::AtLeastOnce)), Pushed::Overflow);
    assert_eq!(mailbox.push(delivery(Qos::AtLeastOnce)), Pushed::Closed);
    assert_eq!(take_all(&mailbox), (0, Some(CloseReason::SlowConsumer)));
}

#[test]
fn large_messages_fill_a_mailbox_before_many_do() {
    let mailbox = Mailbox::new();
    let fits = limits::OUTBOUND_QUEUE_BYTES / large(Qos::AtMostOnce).message.weight();
    assert!(fits < limits::OUTBOUND_QUEUE);
    for _ in 0..fits {
        assert_eq!(mailbox.push(large(Qos::AtMostOnce)), Pushed::Queued);
    }
    assert_eq!(mailbox.push(large(Qos::AtMostOnce)), Pushed::DroppedQos0);
    // What was taken makes room, one by one and all at once.
    assert_eq!(mailbox.take(&mut Vec::new(), 1), None);
    assert_eq!(mailbox.push(large(Qos::AtMostOnce)), Pushed::Queued);
    assert_eq!(mailbox.push(large(Qos::AtMostOnce)), Pushed::DroppedQos0);
    assert_eq!(take_all(&mailbox), (fits, None));
    for _ in 0..fits {
        assert_eq!(mailbox.push(large(Qos::AtLeastOnce)), Pushed::Queued);
    }
    assert_eq!(mailbox.push(large(Qos::AtLeastOnce)), Pushed::Overflow);
}

#[test]
fn messages_come_out_in_the_order_they_went_in() {
    let mailbox = Mailbox::new();
    for topic in ["1", "2", "3"] {
        mailbox.push(Delivery::live(message(topic), Qos::AtMostOnce));
    }
    let mut taken = Vec::new();
    for expected in [2, 3, 3] {
        assert_eq!(mailbox.take(&mut taken, 2), None);
        assert_eq!(taken.len(), expected);
    }
    assert!(taken.iter().map(|delivery| delivery.message.topic.as_str()).eq(["1", "2", "3"]));
}

#[test]
fn an_empty_mailbox_holds_no_allocation() {
    let mailbox = Mailbox::new();
    assert_eq!(mailbox.state.lock().queue.capacity(), 0);
    mailbox.push(delivery(Qos::AtMostOnce));
    assert_eq!(take_all(&mailbox), (1, None));
    assert_eq!(mailbox.state.lock().queue.capacity(), 0);
    assert!(size_of::<Mailbox>() <= 112, "{}", size_of::<Mailbox>());
}

#[test]
fn mailboxes_of_one_room_share_its_memory_and_give_it_back() {
    let room = Arc::new(QueueRoom::default());
    let used = || room.used_bytes.load(Ordering::Relaxed);
    let (one, other) = (Mailbox::within(Arc::clone(&room)), Mailbox::within(Arc::clone(&room)));
    let weight = delivery(Qos::AtLeastOnce).message.weight();
    for _ in 0..3 {
        assert_eq!(one.push(delivery(Qos::AtLeastOnce)), Pushed::Queued);
        assert_eq!(other.push(delivery(Qos::AtLeastOnce)), Pushed::Queued);
    }
    assert_eq!(used(), 6 * weight);
    let mut taken = Vec::new();
    assert_eq!(one.take(&mut taken, 2), None);
    assert_eq!(used(), 4 * weight);
    other.close(CloseReason::TakenOver);
    assert_eq!(used(), weight);
    drop(one);
    assert_eq!(used(), 0);

    room.used_bytes.store(limits::OUTBOUND_QUEUES_BYTES, Ordering::Relaxed);
    let late = Mailbox::within(Arc::clone(&room));
    assert_eq!(late.push(delivery(Qos::AtMostOnce)), Pushed::DroppedQos0);
    assert_eq!(late.push(delivery(Qos::AtLeastOnce)), Pushed::Overflow);
}

#[test]
fn the_first_reason_to_close_stays() {
    let mailbox = Mailbox::new();
    assert!(mailbox.close(CloseReason::Refused(Refusal::Deleted)));
    assert!(!mailbox.close(CloseReason::TakenOver));
    assert_eq!(mailbox.close_reason(), Some(CloseReason::Refused(Refusal::Deleted)));
}

#[test]
fn a_client_that_is_cut_off_gets_nothing_more_but_a_shutdown_lets_messages_out() {
    let table = [
        (CloseReason::Refused(Refusal::Deleted), 0),
        (CloseReason::TakenOver, 0),
        (CloseReason::SlowConsumer, 0),
        (CloseReason::ServerShutdown, 1),
    ];
    for (reason, expected) in table {
        let mailbox = Mailbox::new();
        mailbox.push(delivery(Qos::AtLeastOnce));
        mailbox.close(reason);
        assert_eq!(mailbox.push(delivery(Qos::AtLeastOnce)), Pushed::Closed);
        assert_eq!(take_all(&mailbox), (expected, Some(reason)));
    }
}

#[test]
fn stale_permissions_are_told_once_for_each_change() {
    let mailbox = Mailbox::new();
    assert!(!mailbox.take_stale());
    mailbox.mark_stale();
    mailbox.mark_stale();
    assert!(mailbox.take_stale());
    assert!(!mailbox.take_stale());
}

#[test]
fn waiting_ends_for_each_thing_to_do_and_lasts_until_it_is_done() {
    type Act = fn(&Mailbox);
    let acts: [(Act, Act); 2] = [
        (
            |mailbox| assert_eq!(mailbox.push(delivery(Qos::AtMostOnce)), Pushed::Queued),
            |mailbox| {
                assert_eq!(take_all(mailbox), (1, None));
            },
        ),
        (Mailbox::mark_stale, |mailbox| assert!(mailbox.take_stale())),
    ];
    for (act, undo) in acts {
        let (mailbox, wakes) = (Mailbox::new(), Arc::new(Wakes::default()));
        let waker = Waker::from(Arc::clone(&wakes));
        let mut context = Context::from_waker(&waker);
        assert!(mailbox.poll_wait(Interest::Messages, &mut context).is_pending());
        act(&mailbox);
        act(&mailbox);
        assert_eq!(wakes.count(), 1);
        assert!(mailbox.poll_wait(Interest::Messages, &mut context).is_ready());
        assert!(mailbox.poll_wait(Interest::Messages, &mut context).is_ready());
        let mailbox = Mailbox::new();
        act(&mailbox);
        undo(&mailbox);
        assert!(mailbox.poll_wait(Interest::Messages, &mut context).is_pending());
    }
}

#[test]
fn who_waits_for_the_end_only_is_not_woken_by_messages() {
    let (mailbox, wakes) = (Mailbox::new(), Arc::new(Wakes::default()));
    let waker = Waker::from(Arc::clone(&wakes));
    let mut context = Context::from_waker(&waker);
    let mut closed = pin!(mailbox.closed());
    assert!(closed.as_mut().poll(&mut context).is_pending());
    mailbox.push(delivery(Qos::AtMostOnce));
    mailbox.mark_stale();
    assert_eq!(wakes.count(), 0);
    mailbox.close(CloseReason::TakenOver);
    assert_eq!(wakes.count(), 1);
    assert_eq!(closed.as_mut().poll(&mut context), Poll::Ready(CloseReason::TakenOver));
}

#[test]
fn waiting_for_the_end_does_not_take_the_wake_up_for_messages_away() {
    for closed_first in [true, false] {
        let (mailbox, wakes) = (Mailbox::new(), Arc::new(Wakes::default()));
        let waker = Waker::from(Arc::clone(&wakes));
        let mut context = Context::from_waker(&waker);
        let mut closed = pin!(mailbox.closed());
        if closed_first {
            assert!(closed.as_mut().poll(&mut context).is_pending());
        }
        assert!(mailbox.poll_wait(Interest::Messages, &mut context).is_pending());
        assert!(closed.as_mut().poll(&mut context).is_pending());
        mailbox.push(delivery(Qos::AtMostOnce));
        assert_eq!(wakes.count(), 1, "{closed_first}");
    }
}

/// Each thread goes on only once its own message or mark was seen: a lost wake-up stops this test for good. One
/// thread alone is the sharpest case, since nobody else wakes the owner by chance.
#[test]
fn no_wake_up_is_lost_between_many_threads() {
    for (publishers, markers) in [(1, 0), (0, 1), (4, 1)] {
        let mailbox = Mailbox::new();
        std::thread::scope(|threads| {
            let (mut seen, mut seen_mark) = (Vec::new(), None);
            for publisher in 0..publishers {
                let (sender, receiver) = mpsc::channel();
                seen.push(sender);
                let message = message(&publisher.to_string());
                let mailbox = &mailbox;
                threads.spawn(move || {
                    for _ in 0..ROUNDS {
                        let delivery = Delivery::live(Arc::clone(&message), Qos::AtLeastOnce);
                        assert_eq!(mailbox.push(delivery), Pushed::Queued);
                        receiver.recv().unwrap();
                    }
                });
            }
            for _ in 0..markers {
                let (sender, receiver) = mpsc::channel();
                seen_mark = Some(sender);
                let mailbox = &mailbox;
                threads.spawn(move || {
                    for _ in 0..ROUNDS {
                        mailbox.mark_stale();
                        receiver.recv().unwrap();
                    }
                });
            }
            let owner = own(&mailbox, &seen, seen_mark.as_ref());
            tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(owner);
        });
        assert_eq!(take_all(&mailbox), (0, None));
    }
}

const ROUNDS: usize = 20_000;

async fn own(mailbox: &Mailbox, seen: &[mpsc::Sender<()>], seen_mark: Option<&mpsc::Sender<()>>) {
    let mut left = (seen.len() + usize::from(seen_mark.is_some())) * ROUNDS;
    let mut taken = Vec::new();
    while left > 0 {
        // Waiting that is given up must do no harm.
        tokio::select! { biased; _ = mailbox.closed() => {}, () = std::future::ready(()) => {} }
        mailbox.wait(Interest::Messages).await;
        if mailbox.take_stale() {
            left -= 1;
            seen_mark.unwrap().send(()).unwrap();
        }
        assert_eq!(mailbox.take(&mut taken, 2), None);
        for delivery in taken.drain(..) {
            left -= 1;
            let publisher: usize = delivery.message.topic.as_str().parse().unwrap();
            seen[publisher].send(()).unwrap();
        }
    }
}
