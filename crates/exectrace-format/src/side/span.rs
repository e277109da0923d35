//! The side record of a span that no single region describes.

use crate::ids::{GoId, TaskId};
use crate::wire::{put_uvarint, take_uvarint};

use super::SideText;
use super::fields::{put_all, put_text, take_text};

/// A span that is not one region by itself: it was entered more than once, or its region does not
/// begin and end where it does, or it is carried by a user task.
///
/// Written in the generation in which the span closed. A span without a record is the region whose
/// end has no stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpanRecord {
    /// When it was first entered. If it is not its own user task, this is the time of the event that
    /// begins its region; times of events are unique, so it names the span. Else `task` names it. In a
    /// file that begins later there is no such event.
    pub first_ns: u64,
    /// When it was closed: its last handle and its last child were gone.
    pub end_ns: u64,
    /// How long it was entered, all entries together. Entries on several threads at once all count,
    /// so this can exceed the time from first entry to close.
    pub busy_ns: u64,
    /// How often it was entered.
    pub entries: u64,
    /// The goroutine that entered it first.
    pub flow: GoId,
    /// The user task that it is or belongs to.
    pub task: TaskId,
    /// That user task is this span.
    pub own_task: bool,
    /// That user task exists only to carry this span, which is concurrent with another of its goroutine.
    pub carried: bool,
    /// Its close was concluded, not seen, or records were lost while it lived.
    pub inferred: bool,
    /// `first_ns` of its nearest ancestor that was entered; 0 if there is none.
    pub parent_ns: u64,
    /// Its name.
    pub name: SideText,
}

const OWN_TASK: u64 = 1;
const CARRIED: u64 = 2;
const INFERRED: u64 = 4;

impl SpanRecord {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let flag = |is_set, flag| if is_set { flag } else { 0 };
        let flags = flag(self.own_task, OWN_TASK)
            | flag(self.carried, CARRIED)
            | flag(self.inferred, INFERRED);
        let since_first_ns = self.end_ns.saturating_sub(self.first_ns);
        put_all(out, &[self.first_ns, since_first_ns, self.busy_ns]);
        put_all(out, &[self.entries, self.flow.0, self.task.0, flags]);
        put_uvarint(out, self.parent_ns);
        put_text(out, &self.name);
    }

    pub(super) fn decode(input: &mut &[u8]) -> Option<Self> {
        let first_ns = take_uvarint(input)?;
        let end_ns = first_ns.checked_add(take_uvarint(input)?)?;
        let busy_ns = take_uvarint(input)?;
        let entries = take_uvarint(input)?;
        let (flow, task) = (GoId(take_uvarint(input)?), TaskId(take_uvarint(input)?));
        let flags = take_uvarint(input)?;
        Some(Self {
            first_ns,
            end_ns,
            busy_ns,
            entries,
            flow,
            task,
            own_task: flags & OWN_TASK != 0,
            carried: flags & CARRIED != 0,
            inferred: flags & INFERRED != 0,
            parent_ns: take_uvarint(input)?,
            name: take_text(input)?,
        })
    }
}
