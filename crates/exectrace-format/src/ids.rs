//! The ids that events carry, one type each, so that none can be taken for another.
//!
//! All are plain 64-bit numbers on the wire. The reserved values ("none", "background") are
//! constants of their types; which of them an event accepts is said at the event.

use core::fmt;

macro_rules! ids {
    ($($(#[doc = $doc:literal])* $name:ident, $letter:literal;)*) => {$(
        $(#[doc = $doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(
            /// The number on the wire.
            pub u64,
        );

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl fmt::Display for $name {
            /// The letter of the kind of id, then the number; `none` where the number is `u64::MAX`.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                if self.0 == u64::MAX {
                    write!(f, concat!($letter, "none"))
                } else {
                    write!(f, concat!($letter, "{}"), self.0)
                }
            }
        }
    )*};
}

ids! {
    /// An operating system thread, M in the format; normally the system's own number for it.
    ThreadId, "m";
    /// A proc, P in the format, which a thread needs to run goroutines: a worker of a runtime, or a thread. Small and
    /// dense numbers from 1.
    ProcId, "p";
    /// A goroutine, G in the format: in traces of Rust programs an async task, or a thread's own code.
    GoId, "g";
    /// A user task: one logical operation, possibly across many goroutines.
    TaskId, "t";
    /// A text in the string table of one generation.
    StringId, "s";
    /// A stack in the stack table of one generation.
    StackId, "k";
}

impl ThreadId {
    /// No thread: the stream of events that belong to none.
    pub const NONE: Self = Self(u64::MAX);
}

impl ProcId {
    /// No proc.
    pub const NONE: Self = Self(u64::MAX);
}

impl GoId {
    /// No goroutine, in the context of an event. CPU samples use 0 for it instead.
    pub const NONE: Self = Self(u64::MAX);
}

impl TaskId {
    /// The user task of what belongs to none; as a parent: has no parent.
    pub const BACKGROUND: Self = Self(0);
    /// No user task, where a parent is given.
    pub const NONE: Self = Self(u64::MAX);
}

impl StringId {
    /// The empty text, known in each generation without a definition.
    pub const EMPTY: Self = Self(0);
}

impl StackId {
    /// No stack.
    pub const NONE: Self = Self(0);
}
