//! A table of call sites: the number of each, and which of its fields may have to be hidden.
//!
//! The table is a hash table, keyed by the address of the call site's metadata. It has a fixed size and
//! entries are never removed, so a look-up is a multiplication and nearly always one comparison, and takes
//! no lock. The first use of a call site takes a lock and may allocate.
//!
//! All Layers and Subscribers of the process share the table. A field is marked if *any* of them hides fields
//! of its name. The visitor then compares the names of marked fields with those that its own Layer or
//! Subscriber hides.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use tracing_core::Metadata;

use crate::redaction::{Redaction, last_segment};
use crate::tokio;

/// What the table holds of a call site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CallsiteEntry {
    /// From 1 up. 0 for a call site that is not in the table.
    pub(crate) number: u32,
    /// A bit for each field that some Layer or Subscriber hides. Bit 31 stands for field 31 and all after it.
    pub(crate) hidden: u32,
    /// Whether its events may be wakes of async tasks, reported by Tokio.
    pub(crate) reports_wakes: bool,
}

impl CallsiteEntry {
    /// Stands for a call site that is not in the table. The names of all its fields have to be compared.
    pub(crate) const UNKNOWN: Self = Self {
        number: 0,
        hidden: u32::MAX,
        reports_wakes: false,
    };
}

const SLOT_BITS: u32 = 14;
const SLOTS: usize = 1 << SLOT_BITS;

/// How many call sites the table takes: three quarters of the slots, so that look-ups stay short. The
/// largest programs have some thousands of call sites.
const CAPACITY: usize = SLOTS / 4 * 3;

/// Call sites in a segment of the list by number.
const SEGMENT: usize = 1 << 10;

/// Set in the number of a call site whose events may be wakes.
const WAKES: u32 = 1 << 31;

struct CallsiteSlot {
    /// The address of the metadata, or 0 if the slot is free. Stored last.
    address: AtomicUsize,
    /// The number, and [`WAKES`] if it applies.
    number: AtomicU32,
    hidden: AtomicU32,
}

/// 256 KiB, of which only the pages in use take memory.
static TABLE: [CallsiteSlot; SLOTS] = [const {
    CallsiteSlot {
        address: AtomicUsize::new(0),
        number: AtomicU32::new(0),
        hidden: AtomicU32::new(0),
    }
}; SLOTS];

type Segment = Box<[OnceLock<&'static Metadata<'static>>]>;

/// Metadata by number, in segments that are allocated when first needed.
static BY_NUMBER: [OnceLock<Segment>; CAPACITY / SEGMENT] =
    [const { OnceLock::new() }; CAPACITY / SEGMENT];

/// The part of the table that only changes to it need.
struct Writers {
    /// How many numbers have been given out.
    count: usize,
    /// Every field name that some Layer or Subscriber hides, in lower case.
    hidden_names: BTreeSet<Box<str>>,
}

static WRITERS: Mutex<Writers> = Mutex::new(Writers {
    count: 0,
    hidden_names: BTreeSet::new(),
});

/// Returns the entry of a call site, which is added if it is not in the table.
#[inline]
pub(crate) fn entry(metadata: &'static Metadata<'static>) -> CallsiteEntry {
    let address = address(metadata);
    let slot = &TABLE[first_slot(address)];
    if slot.address.load(Ordering::Acquire) == address {
        return slot.entry();
    }
    search(metadata)
}

/// Returns the metadata of the call site with this number.
pub(crate) fn metadata(number: u32) -> Option<&'static Metadata<'static>> {
    let index = (number as usize).checked_sub(1)?;
    let segment = BY_NUMBER.get(index / SEGMENT)?.get()?;
    segment[index % SEGMENT].get().copied()
}

/// Marks the fields that `redaction` hides, at the call sites in the table and at those added later.
pub(crate) fn mark_hidden(redaction: &Redaction) {
    let mut writers = WRITERS.lock().unwrap_or_else(PoisonError::into_inner);
    let known = writers.hidden_names.len();
    writers
        .hidden_names
        .extend(redaction.names().map(Into::into));
    if writers.hidden_names.len() == known {
        return;
    }
    for slot in &TABLE {
        if let Some(metadata) = metadata(slot.entry().number) {
            // Relaxed: the Layer or Subscriber that hides these fields does not exist yet.
            slot.hidden
                .store(marks(metadata, &writers.hidden_names), Ordering::Relaxed);
        }
    }
}

impl CallsiteSlot {
    #[inline]
    fn entry(&self) -> CallsiteEntry {
        let number = self.number.load(Ordering::Relaxed);
        CallsiteEntry {
            number: number & !WAKES,
            hidden: self.hidden.load(Ordering::Relaxed),
            reports_wakes: number & WAKES != 0,
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

/// The slots in which an address may be, in the order of a search.
fn slots_of(address: usize) -> impl Iterator<Item = &'static CallsiteSlot> {
    let first = first_slot(address);
    (0..SLOTS).map(move |step| &TABLE[(first + step) % SLOTS])
}

#[cold]
fn search(metadata: &'static Metadata<'static>) -> CallsiteEntry {
    let address = address(metadata);
    for slot in slots_of(address) {
        match slot.address.load(Ordering::Acquire) {
            0 => return add(metadata),
            found if found == address => return slot.entry(),
            _ => {}
        }
    }
    CallsiteEntry::UNKNOWN
}

fn add(metadata: &'static Metadata<'static>) -> CallsiteEntry {
    let mut writers = WRITERS.lock().unwrap_or_else(PoisonError::into_inner);
    let address = address(metadata);
    for slot in slots_of(address) {
        let found = slot.address.load(Ordering::Relaxed);
        if found == address {
            return slot.entry();
        }
        if found != 0 {
            continue;
        }
        if writers.count == CAPACITY {
            return CallsiteEntry::UNKNOWN;
        }
        let index = writers.count;
        let segment = BY_NUMBER[index / SEGMENT]
            .get_or_init(|| (0..SEGMENT).map(|_| OnceLock::new()).collect());
        segment[index % SEGMENT].get_or_init(|| metadata);
        writers.count += 1;
        let mark = if tokio::may_be_wake(metadata) {
            WAKES
        } else {
            0
        };
        let number = writers.count as u32 | mark;
        slot.number.store(number, Ordering::Relaxed);
        slot.hidden
            .store(marks(metadata, &writers.hidden_names), Ordering::Relaxed);
        // Release: a thread that finds the address finds the other fields set.
        slot.address.store(address, Ordering::Release);
        return slot.entry();
    }
    CallsiteEntry::UNKNOWN
}

fn marks(metadata: &Metadata<'_>, hidden_names: &BTreeSet<Box<str>>) -> u32 {
    let mut hidden = 0;
    for field in metadata.fields() {
        let name = last_segment(field.name()).to_ascii_lowercase();
        if hidden_names.contains(name.as_str()) {
            hidden |= mark_of(field.index());
        }
    }
    hidden
}

/// The bit that stands for a field.
#[inline]
pub(crate) fn mark_of(index: usize) -> u32 {
    1 << index.min(31)
}
