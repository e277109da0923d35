//! What is known of each call site: its number, and which of its fields may have to be hidden.
//!
//! A hash table by the address of the call site's metadata. It has a fixed size and call sites are
//! never taken out, so a look-up is a multiplication and, nearly always, one comparison; it takes no
//! lock. Only the first sight of a call site does, and may allocate.
//!
//! All Layers and Subscribers of the process share the table. So that a value which must be hidden
//! never slips through, a call site's mark is set for any field that *some* of them hides; which one
//! does is then looked at where such a field is met.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use tracing_core::Metadata;

use crate::redaction::{Redaction, last_segment};
use crate::tokio;

/// What is known of a call site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Site {
    /// From 1 up; 0 for call sites past the table's capacity.
    pub(crate) number: u32,
    /// A bit for each field whose name somebody hides; the highest stands for all from 31 on.
    pub(crate) named: u32,
    /// Its events say that Tokio wakes a task.
    pub(crate) wakes: bool,
}

impl Site {
    /// A call site of which nothing is known: each field must be looked at.
    pub(crate) const UNKNOWN: Self = Self {
        number: 0,
        named: u32::MAX,
        wakes: false,
    };
}

const SLOT_BITS: u32 = 14;
const SLOTS: usize = 1 << SLOT_BITS;

/// Call sites that get a number: three quarters of the slots, so that look-ups stay short. The
/// largest programs have some thousands.
const CAPACITY: usize = SLOTS / 4 * 3;

/// Numbers in a segment of the list by number.
const SEGMENT: usize = 1 << 10;

/// Set beside the number of a call site whose events are Tokio's wakes.
const WAKES: u32 = 1 << 31;

struct Slot {
    /// Address of the metadata; 0 while the slot is free. Stored last.
    address: AtomicUsize,
    /// The number, and [`WAKES`].
    number: AtomicU32,
    named: AtomicU32,
}

/// 256 KiB that stay untouched, but for the pages that call sites fall into.
static TABLE: [Slot; SLOTS] = [const {
    Slot {
        address: AtomicUsize::new(0),
        number: AtomicU32::new(0),
        named: AtomicU32::new(0),
    }
}; SLOTS];

type Segment = Box<[OnceLock<&'static Metadata<'static>>]>;

/// Metadata by number, in segments made when they are needed.
static BY_NUMBER: [OnceLock<Segment>; CAPACITY / SEGMENT] =
    [const { OnceLock::new() }; CAPACITY / SEGMENT];

/// What only writers need.
struct Writers {
    /// Numbers given out.
    count: usize,
    /// Every name that some Layer or Subscriber hides, in lower case.
    hidden: BTreeSet<Box<str>>,
}

static WRITERS: Mutex<Writers> = Mutex::new(Writers {
    count: 0,
    hidden: BTreeSet::new(),
});

/// Looks the call site up; adds it at its first sight.
#[inline]
pub(crate) fn site(metadata: &'static Metadata<'static>) -> Site {
    let address = address(metadata);
    let slot = &TABLE[first_slot(address)];
    if slot.address.load(Ordering::Acquire) == address {
        return slot.site();
    }
    search(metadata)
}

/// The call site with this number.
pub(crate) fn metadata(number: u32) -> Option<&'static Metadata<'static>> {
    let index = (number as usize).checked_sub(1)?;
    let segment = BY_NUMBER.get(index / SEGMENT)?.get()?;
    segment[index % SEGMENT].get().copied()
}

/// Marks every field that `redaction` hides, also of the call sites to come.
pub(crate) fn mark(redaction: &Redaction) {
    let mut writers = WRITERS.lock().unwrap_or_else(PoisonError::into_inner);
    let known = writers.hidden.len();
    writers.hidden.extend(redaction.names().map(Into::into));
    if writers.hidden.len() == known {
        return;
    }
    for slot in &TABLE {
        if let Some(metadata) = metadata(slot.site().number) {
            // Relaxed: whoever records for this redaction learns of it after this.
            slot.named
                .store(marks(metadata, &writers.hidden), Ordering::Relaxed);
        }
    }
}

impl Slot {
    #[inline]
    fn site(&self) -> Site {
        let number = self.number.load(Ordering::Relaxed);
        Site {
            number: number & !WAKES,
            named: self.named.load(Ordering::Relaxed),
            wakes: number & WAKES != 0,
        }
    }
}

fn address(metadata: &'static Metadata<'static>) -> usize {
    std::ptr::from_ref(metadata).addr()
}

#[inline]
fn first_slot(address: usize) -> usize {
    // Fibonacci hashing: the upper bits of the product depend on all bits of the address.
    let product = (address as u64 >> 3).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (product >> (u64::BITS - SLOT_BITS)) as usize
}

/// The slots where an address may be, in order.
fn slots_of(address: usize) -> impl Iterator<Item = &'static Slot> {
    let first = first_slot(address);
    (0..SLOTS).map(move |step| &TABLE[(first + step) % SLOTS])
}

#[cold]
fn search(metadata: &'static Metadata<'static>) -> Site {
    let address = address(metadata);
    for slot in slots_of(address) {
        match slot.address.load(Ordering::Acquire) {
            0 => return add(metadata),
            found if found == address => return slot.site(),
            _ => {}
        }
    }
    Site::UNKNOWN
}

fn add(metadata: &'static Metadata<'static>) -> Site {
    let mut writers = WRITERS.lock().unwrap_or_else(PoisonError::into_inner);
    let address = address(metadata);
    for slot in slots_of(address) {
        let found = slot.address.load(Ordering::Relaxed);
        if found == address {
            return slot.site();
        }
        if found != 0 {
            continue;
        }
        if writers.count == CAPACITY {
            return Site::UNKNOWN;
        }
        let index = writers.count;
        let segment = BY_NUMBER[index / SEGMENT]
            .get_or_init(|| (0..SEGMENT).map(|_| OnceLock::new()).collect());
        segment[index % SEGMENT].get_or_init(|| metadata);
        writers.count += 1;
        let mark = if tokio::tells_wakes(metadata) {
            WAKES
        } else {
            0
        };
        let number = writers.count as u32 | mark;
        slot.number.store(number, Ordering::Relaxed);
        slot.named
            .store(marks(metadata, &writers.hidden), Ordering::Relaxed);
        // Release: who finds the address finds the rest.
        slot.address.store(address, Ordering::Release);
        return slot.site();
    }
    Site::UNKNOWN
}

fn marks(metadata: &Metadata<'_>, hidden: &BTreeSet<Box<str>>) -> u32 {
    let mut named = 0;
    for field in metadata.fields() {
        let name = last_segment(field.name()).to_ascii_lowercase();
        if hidden.contains(name.as_str()) {
            named |= mark_of(field.index());
        }
    }
    named
}

/// The bit that stands for a field.
#[inline]
pub(crate) fn mark_of(index: usize) -> u32 {
    1 << index.min(31)
}
