//! The numbers of span sources: which type of call site each is for, and how those are described.
//!
//! # Protocol
//!
//! A record holds the number of its span source and the address of a call site, and may be read long after
//! the source was dropped. The number decides of what type the address is.
//!
//! 1. A number is given to span sources of one type only, for the life of the process: to the one it was made
//!    for, and after that one was closed to others of that type.
//! 2. A record with a number and an address is written by a method of a span source with that number only,
//!    from a `&'static` reference to the span source's type, whose provenance is exposed there. It is read as it
//!    was written: rule 1 of `decode`.
//!
//! So an address is read as what it is, whichever span source of the number wrote it and which is open now.

use std::any::TypeId;
use std::collections::VecDeque;
use std::sync::Arc;

use crate::capabilities;
use crate::record::MAX_SOURCES;
use crate::span_source::{Callsite, TooManySpanSources};
use crate::table::Table;

/// Turns a call site's address into its description. Only the flush thread calls it.
type Describe = Arc<dyn Fn(usize) -> Callsite + Send + Sync>;

/// What a number is for.
#[derive(Clone)]
struct Entry {
    type_id: TypeId,
    describe: Describe,
}

#[derive(Clone, Default)]
struct Numbers {
    /// By number, from 1 up: number 0 is for records that belong to no span source.
    entries: Vec<Entry>,
    /// Numbers of closed span sources, oldest first: used again as late as possible.
    closed: VecDeque<u16>,
}

static NUMBERS: Table<Numbers> = Table::new();

/// Describes the call site at `address` of source `source`.
pub(crate) fn describe(source: u16, address: u64) -> Option<Callsite> {
    let sources = NUMBERS.read();
    let entry = sources.entries.get(usize::from(source).checked_sub(1)?)?;
    Some((entry.describe)(address as usize))
}

/// Gives a number to a span source for call sites of type `T`.
pub(crate) fn take<T: Sync + 'static>(
    describe: impl Fn(&'static T) -> Callsite + Send + Sync + 'static,
) -> Result<u16, TooManySpanSources> {
    let describe: Describe = Arc::new(move |address| {
        // SAFETY: rules 1 and 2: the address is that of a `&'static T`. The reference may be used on
        // this thread as T is Sync.
        describe(unsafe { &*std::ptr::with_exposed_provenance::<T>(address) })
    });
    let type_id = TypeId::of::<T>();
    let was_any = was_any_registered();
    let number = NUMBERS.change(|sources| {
        let describe = Arc::clone(&describe);
        sources.take(Entry { type_id, describe })
    });
    if !was_any {
        capabilities::first_source_registered();
    }
    number
}

/// Whether there ever was a span source.
pub(crate) fn was_any_registered() -> bool {
    !NUMBERS.read().entries.is_empty()
}

/// The span source of this number is gone. What describes its call sites stays: its records may still wait to be
/// read.
pub(crate) fn give_back(number: u16) {
    NUMBERS.change(|sources| sources.closed.push_back(number));
}

impl Numbers {
    fn take(&mut self, entry: Entry) -> Result<u16, TooManySpanSources> {
        if self.entries.len() < MAX_SOURCES - 1 {
            self.entries.push(entry);
            return Ok(self.entries.len() as u16);
        }
        let index = |number: u16| usize::from(number) - 1;
        let is_of_type = |&number: &u16| self.entries[index(number)].type_id == entry.type_id;
        let place = self.closed.iter().position(is_of_type);
        let number = place.and_then(|place| self.closed.remove(place));
        let number = number.ok_or(TooManySpanSources)?;
        self.entries[index(number)] = entry;
        Ok(number)
    }
}
