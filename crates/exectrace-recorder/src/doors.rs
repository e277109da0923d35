//! The numbers of doors: which type of call site each is for, and how those are described.
//!
//! # Protocol
//!
//! A record holds the number of its door and the address of a call site, and may be read long after
//! the door was closed. What type the address is of is decided by the number.
//!
//! 1. A number is given to doors of one type only, for the life of the process: to the one it was made
//!    for, and after that one was closed to others of that type.
//! 2. A record with a number and an address is written by a method of a door with that number only,
//!    from a `&'static` reference to the door's type, whose provenance is exposed there. It is read as it
//!    was written: rule 1 of `decode`.
//!
//! So an address is read as what it is, whichever door of the number wrote it and which is open now.

use std::any::TypeId;
use std::collections::VecDeque;
use std::sync::Arc;

use crate::about;
use crate::door::{Callsite, TooManyDoors};
use crate::record::MAX_DOORS;
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
struct Doors {
    /// By number, from 1 up: number 0 is for records that belong to no door.
    entries: Vec<Entry>,
    /// Numbers of closed doors, oldest first: used again as late as possible.
    closed: VecDeque<u16>,
}

static DOORS: Table<Doors> = Table::new();

/// Describes the call site at `address` of door `door`.
pub(crate) fn describe(door: u16, address: u64) -> Option<Callsite> {
    let doors = DOORS.read();
    let entry = doors.entries.get(usize::from(door).checked_sub(1)?)?;
    Some((entry.describe)(address as usize))
}

/// Gives a number to a door for call sites of type `T`.
pub(crate) fn open<T: Sync + 'static>(
    describe: impl Fn(&'static T) -> Callsite + Send + Sync + 'static,
) -> Result<u16, TooManyDoors> {
    let describe: Describe = Arc::new(move |address| {
        // SAFETY: rules 1 and 2: the address is that of a `&'static T`. The reference may be used on
        // this thread as T is Sync.
        describe(unsafe { &*std::ptr::with_exposed_provenance::<T>(address) })
    });
    let type_id = TypeId::of::<T>();
    let was_any = was_any_opened();
    let number = DOORS.change(|doors| {
        let describe = Arc::clone(&describe);
        doors.open(Entry { type_id, describe })
    });
    if !was_any {
        about::sources_opened();
    }
    number
}

/// Whether there ever was a door.
pub(crate) fn was_any_opened() -> bool {
    !DOORS.read().entries.is_empty()
}

/// The door of this number is closed. What describes it stays: its records may still wait to be read.
pub(crate) fn close(number: u16) {
    DOORS.change(|doors| doors.closed.push_back(number));
}

impl Doors {
    fn open(&mut self, entry: Entry) -> Result<u16, TooManyDoors> {
        if self.entries.len() < MAX_DOORS - 1 {
            self.entries.push(entry);
            return Ok(self.entries.len() as u16);
        }
        let index = |number: u16| usize::from(number) - 1;
        let is_of_type = |&number: &u16| self.entries[index(number)].type_id == entry.type_id;
        let place = self.closed.iter().position(is_of_type);
        let number = place.and_then(|place| self.closed.remove(place));
        let number = number.ok_or(TooManyDoors)?;
        self.entries[index(number)] = entry;
        Ok(number)
    }
}
