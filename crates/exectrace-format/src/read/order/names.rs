//! The names of what is open: regions, user tasks, stops of the world.
//!
//! They outlive the tables of their generation. A name is copied out once for each generation that
//! uses it, however often it is used there, and counted.

use crate::ids::StringId;

use super::super::tables::Tables;

/// A name that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeptNameId(u32);

/// Not in the tables of this generation.
const ELSEWHERE: StringId = StringId(u64::MAX);

#[derive(Clone, Debug)]
struct KeptName {
    /// As it stands in the file.
    bytes: Box<[u8]>,
    /// How long it is as text.
    text_bytes: u32,
    /// Users, and one for the generation in which it was made, while that lasts.
    users: u32,
    /// Its id in the tables of this generation.
    string: StringId,
}

/// All names that are kept.
#[derive(Clone, Debug, Default)]
pub(super) struct KeptNames {
    slots: Vec<KeptName>,
    free: Vec<u32>,
    /// By id of the string in this generation; 0 is none, else one more than the slot.
    of_string: Vec<u32>,
    /// The slots that have an id in this generation.
    current: Vec<u32>,
}

impl KeptNames {
    /// From now on ids of strings are those of the next generation.
    pub(super) fn begin_generation(&mut self) {
        self.of_string.clear();
        for slot in std::mem::take(&mut self.current) {
            self.slots[slot as usize].string = ELSEWHERE;
            self.release(KeptNameId(slot));
        }
    }

    /// Keeps a string, until it is released as often as kept.
    pub(super) fn keep(&mut self, string: StringId, tables: &Tables) -> KeptNameId {
        let place = string.0 as usize;
        if place >= self.of_string.len() {
            self.of_string.resize(place + 1, 0);
        }
        let slot = match self.of_string[place] {
            0 => {
                let slot = self.add(string, tables);
                self.of_string[place] = slot + 1;
                slot
            }
            known => known - 1,
        };
        self.slots[slot as usize].users += 1;
        KeptNameId(slot)
    }

    fn add(&mut self, string: StringId, tables: &Tables) -> u32 {
        let slot = KeptName {
            bytes: tables.bytes(string).into(),
            text_bytes: tables.text(string).len() as u32,
            users: 1,
            string,
        };
        let index = match self.free.pop() {
            Some(index) => {
                self.slots[index as usize] = slot;
                index
            }
            None => {
                self.slots.push(slot);
                self.slots.len() as u32 - 1
            }
        };
        self.current.push(index);
        index
    }

    pub(super) fn release(&mut self, name: KeptNameId) {
        let slot = &mut self.slots[name.0 as usize];
        slot.users -= 1;
        if slot.users == 0 {
            slot.bytes = Box::default();
            self.free.push(name.0);
        }
    }

    /// Bytes of the name as text.
    pub(super) fn text_bytes(&self, name: KeptNameId) -> u64 {
        u64::from(self.slots[name.0 as usize].text_bytes)
    }

    /// Whether it is the same name as a string of this generation.
    pub(super) fn is(&self, name: KeptNameId, string: StringId, tables: &Tables) -> bool {
        let slot = &self.slots[name.0 as usize];
        slot.string == string || *slot.bytes == *tables.bytes(string)
    }

    /// The id of the name in this generation, which gets one if need be.
    pub(super) fn string(&mut self, name: KeptNameId, tables: &mut Tables) -> StringId {
        let slot = &mut self.slots[name.0 as usize];
        if slot.string == ELSEWHERE {
            slot.string = tables.push_string(&slot.bytes);
            slot.users += 1;
            self.current.push(name.0);
        }
        slot.string
    }

    /// The name as text, for messages.
    pub(super) fn text(&self, name: KeptNameId) -> String {
        String::from_utf8_lossy(&self.slots[name.0 as usize].bytes).into_owned()
    }
}
