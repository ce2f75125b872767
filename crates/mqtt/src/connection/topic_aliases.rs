//! Topic aliases that the client has set (MQTT 5, 3.3.2.3.4).

use crate::text::Utf8Bytes;

/// Nothing is allocated for a client that sets none.
#[derive(Debug, Default)]
pub(super) struct TopicAliases {
    topics: Box<[Option<Utf8Bytes>]>,
}

impl TopicAliases {
    /// Remembers a topic; `false` if the alias is not within 1 and `maximum`. The memory held is the topic's alone, never
    /// the read buffer's.
    pub(super) fn set(&mut self, alias: u16, maximum: u16, topic: &Utf8Bytes) -> bool {
        if alias == 0 || alias > maximum {
            return false;
        }
        if self.topics.is_empty() {
            self.topics = vec![None; usize::from(maximum)].into_boxed_slice();
        }
        match self.topics.get_mut(usize::from(alias - 1)) {
            Some(slot) => {
                if slot.as_ref() != Some(topic) {
                    *slot = Some(topic.detached());
                }
                true
            }
            None => false,
        }
    }

    pub(super) fn topic(&self, alias: u16) -> Option<&Utf8Bytes> {
        self.topics.get(usize::from(alias.checked_sub(1)?))?.as_ref()
    }
}
