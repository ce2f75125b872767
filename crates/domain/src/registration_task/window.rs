//! How far a task has come while several of its lines are under way and end in any order. What counts as progress is the
//! part from the beginning in which every line has its outcome: whoever goes on from there loses none.

use std::collections::VecDeque;

use super::Progress;

/// Lines that have begun behind the progress that was made.
#[derive(Clone, Debug)]
pub struct Window {
    progress: Progress,
    begun: VecDeque<Begun>,
    /// The ticket of the first of them.
    first: u64,
}

#[derive(Clone, Copy, Debug)]
struct Begun {
    number: u64,
    end: u64,
    /// Whether it was carried out, once that is known.
    outcome: Option<bool>,
}

/// Stands for a line that has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(u64);

impl Window {
    /// Goes on from `progress`.
    #[must_use]
    pub const fn behind(progress: Progress) -> Self {
        Self { progress, begun: VecDeque::new(), first: 0 }
    }

    /// The line `number`, behind which the next begins at the byte `end`. Lines begin in their order.
    pub fn begin(&mut self, number: u64, end: u64) -> Ticket {
        self.begun.push_back(Begun { number, end, outcome: None });
        Ticket(self.first + self.begun.len() as u64 - 1)
    }

    /// The line was carried out, or refused.
    pub fn end(&mut self, Ticket(ticket): Ticket, is_success: bool) {
        let index = ticket.checked_sub(self.first).and_then(|index| usize::try_from(index).ok());
        if let Some(begun) = index.and_then(|index| self.begun.get_mut(index)) {
            begun.outcome = Some(is_success);
        }
        while let Some(Begun { number, end, outcome: Some(is_success) }) = self.begun.front().copied() {
            self.begun.pop_front();
            self.first += 1;
            self.progress.line = number;
            self.progress.position = end;
            let count = if is_success { &mut self.progress.successes } else { &mut self.progress.failures };
            *count += 1;
        }
    }

    /// Everything up to the file's end has been read: what follows the last line is blank. Counts once no line is open.
    pub fn finish(&mut self, number: u64, end: u64) {
        if self.begun.is_empty() {
            self.progress.line = self.progress.line.max(number);
            self.progress.position = self.progress.position.max(end);
        }
    }

    /// The progress made.
    #[must_use]
    pub const fn progress(&self) -> Progress {
        self.progress
    }

    /// Lines from the first without an outcome to the last that has begun.
    #[must_use]
    pub fn width(&self) -> usize {
        self.begun.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_line_counts_when_all_before_it_do() {
        let mut window = Window::behind(Progress { position: 10, line: 2, successes: 1, failures: 1 });
        let (first, second, third) = (window.begin(3, 20), window.begin(5, 30), window.begin(6, 40));
        window.end(second, false);
        window.finish(7, 41);
        assert_eq!(window.progress(), Progress { position: 10, line: 2, successes: 1, failures: 1 });
        window.end(first, true);
        assert_eq!(window.progress(), Progress { position: 30, line: 5, successes: 2, failures: 2 });
        assert_eq!(window.width(), 1);
        // Ended twice, it counts once.
        window.end(first, true);
        window.end(third, true);
        window.end(third, true);
        window.finish(7, 41);
        assert_eq!(window.progress(), Progress { position: 41, line: 7, successes: 3, failures: 2 });
        assert_eq!(window.width(), 0);
    }

    proptest! {
        #[test]
        fn progress_is_the_longest_part_without_a_gap(
            outcomes in proptest::collection::vec(any::<bool>(), 1..40),
            order in proptest::collection::vec(any::<proptest::sample::Index>(), 0..60),
        ) {
            let mut window = Window::behind(Progress::default());
            let tickets: Vec<Ticket> = (1..).take(outcomes.len()).map(|line| window.begin(line, line * 10)).collect();
            let mut ended = vec![false; outcomes.len()];
            for index in order {
                let index = index.index(outcomes.len());
                window.end(tickets[index], outcomes[index]);
                ended[index] = true;
                let whole = ended.iter().take_while(|ended| **ended).count();
                let successes = outcomes.iter().take(whole).filter(|success| **success).count() as u64;
                let line = whole as u64;
                let expected = Progress { position: line * 10, line, successes, failures: line - successes };
                prop_assert_eq!(window.progress(), expected);
                prop_assert_eq!(window.width(), outcomes.len() - whole);
            }
        }
    }
}
