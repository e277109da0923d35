//! Names for addresses: what the stacks of waiting tasks say.
//!
//! Runs on the flush thread, inside the traced process, so it does as little as the file needs:
//! names of functions from the symbol tables of the loaded modules. Their debug information stays
//! unread. It would add lines, and the functions that were inlined, but it is ten to a hundred
//! times the size of the symbols, and to find a single address in it means to index all of it: some
//! hundred milliseconds and as many megabytes in the process that is to be left alone, most of them
//! in release builds, which often have none. The addresses stay with the frames, so that a later
//! step can do that elsewhere.
//!
//! `modules` knows what is mapped where, `symbols` reads a module's table, `names` makes symbols
//! readable, `reason` says what a stack waits for, and `shown` which of its frames say so. `linked` finds out
//! what else is in the program.

mod linked;
mod modules;
mod names;
mod reason;
mod shown;
mod symbols;

#[cfg(test)]
mod tests;

use rustc_hash::FxHashMap;

use crate::stacks::SEPARATOR;
pub(crate) use linked::symbols_contain;
use modules::Modules;
pub(crate) use reason::JOIN;

/// Addresses whose names are kept; past it, all are forgotten and the cache fills anew.
///
/// Some 100 bytes each. A large server waits in a few thousand places.
const MAX_ADDRESSES: usize = 1 << 16;

/// A frame with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResolvedFrame {
    /// The return address. 0 in a frame that stands for several.
    pub(crate) address: u64,
    /// The function, as a reader wants to see it.
    pub(crate) function: String,
}

/// What the stack of a waiting task says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AwaitStack {
    /// What it waits for, in a word of `reason`; `None` if the stack does not show it.
    pub(crate) reason: Option<&'static str>,
    /// What it waits on, then the functions of the program that lead there, up to the task's root.
    /// Empty only for an empty stack.
    pub(crate) frames: Vec<ResolvedFrame>,
}

/// Finds names for addresses of this process.
#[derive(Debug, Default)]
pub(crate) struct Resolver {
    modules: Modules,
    names: Vec<Box<str>>,
    by_address: FxHashMap<u64, u32>,
}

impl Resolver {
    /// A resolver that has read nothing yet: that comes with the first address.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// The function that returns to `address`, or module and offset if it has no name.
    ///
    /// Names are short: no hash, no closures, no generic arguments, and the type in the place of
    /// `<Type as Trait>`. Functions that the linker has folded into one have one name. The first
    /// call reads the table of the module, some milliseconds; later ones a few microseconds for a
    /// new address.
    pub(crate) fn function(&mut self, address: u64) -> &str {
        let index = match self.by_address.get(&address) {
            Some(&index) => index as usize,
            None => self.find(address),
        };
        // Always there: `find` has just put it, or put it earlier.
        self.names.get(index).map_or("", |name| name)
    }

    /// Whether the call that returns to `address` is in code that is known to be loaded.
    pub(crate) fn is_code(&self, address: u64) -> bool {
        self.modules.has_code(address.saturating_sub(1))
    }

    #[cold]
    fn find(&mut self, address: u64) -> usize {
        if self.names.len() >= MAX_ADDRESSES {
            self.names.clear();
            self.by_address.clear();
        }
        // The call before the return address: a call that never returns may be a function's last.
        let name = self.modules.name(address.saturating_sub(1));
        let index = self.names.len();
        self.names.push(name.into_boxed_str());
        self.by_address.insert(address, index as u32);
        index
    }

    /// What the addresses of a stack record say: one stack, leaf first, or several with
    /// [`SEPARATOR`] between them.
    pub(crate) fn await_stack(&mut self, addresses: &[u64]) -> AwaitStack {
        let stacks = addresses
            .split(|&address| address == SEPARATOR)
            .filter(|stack| !stack.is_empty())
            .map(|stack| {
                stack
                    .iter()
                    .map(|&address| ResolvedFrame {
                        address,
                        function: self.function(address).to_owned(),
                    })
                    .collect()
            })
            .collect();
        shown::together(stacks)
    }
}
