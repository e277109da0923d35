//! The table of timed events: ids, names, arguments, meaning, first version.
//!
//! One table makes all of [`Event`], [`EventKind`], encoding and decoding; the writer, the reader,
//! the text form and the check of `SPEC.md` read it and nothing else. On the wire an event is its
//! id (one byte), the time since the previous event of the batch, then its arguments, all uvarints.

use crate::ids::{GoId, ProcId, StackId, StringId, TaskId, ThreadId};
use crate::wire::{MAX_UVARINT_BYTES, Version};

/// Most arguments of an event, not counting its time.
pub const MAX_ARGUMENTS: usize = 4;

/// Most bytes of an encoded event: id, time, arguments.
pub const MAX_EVENT_BYTES: usize = 1 + (1 + MAX_ARGUMENTS) * MAX_UVARINT_BYTES;

/// The state of a goroutine, as status events give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum GoStatus {
    /// Could run, waits for a proc.
    Runnable = 1,
    /// Runs on a thread.
    Running = 2,
    /// Is in a system call on a thread.
    Syscall = 3,
    /// Waits for something.
    Waiting = 4,
}

/// The state of a proc, as status events give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ProcStatus {
    /// Bound to a thread.
    Running = 1,
    /// Free.
    Idle = 2,
    /// Bound to a thread that is in a system call.
    Syscall = 3,
    /// In a system call whose thread is no longer known.
    SyscallAbandoned = 4,
}

impl GoStatus {
    /// The status with this code on the wire.
    pub const fn from_wire(code: u64) -> Option<Self> {
        Some(match code {
            1 => Self::Runnable,
            2 => Self::Running,
            3 => Self::Syscall,
            4 => Self::Waiting,
            _ => return None,
        })
    }
}

impl ProcStatus {
    /// The status with this code on the wire.
    pub const fn from_wire(code: u64) -> Option<Self> {
        Some(match code {
            1 => Self::Running,
            2 => Self::Idle,
            3 => Self::Syscall,
            4 => Self::SyscallAbandoned,
            _ => return None,
        })
    }
}

/// What an argument of an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ArgumentType {
    /// A plain number: a count, an amount of bytes, a sequence number.
    Number,
    /// A [`ThreadId`].
    Thread,
    /// A [`ProcId`].
    Proc,
    /// A [`GoId`].
    Go,
    /// A [`TaskId`].
    Task,
    /// A [`StringId`].
    String,
    /// A [`StackId`].
    Stack,
    /// A [`GoStatus`].
    GoStatus,
    /// A [`ProcStatus`].
    ProcStatus,
}

impl ArgumentType {
    /// The word for this type in `SPEC.md`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Thread => "thread",
            Self::Proc => "proc",
            Self::Go => "go",
            Self::Task => "task",
            Self::String => "string",
            Self::Stack => "stack",
            Self::GoStatus => "go status",
            Self::ProcStatus => "proc status",
        }
    }
}

/// One argument of an event: its name and what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Argument {
    /// The name of the field in [`Event`].
    pub name: &'static str,
    /// What the number means.
    pub ty: ArgumentType,
}

/// What takes the arguments of an event. A trait and no closure, as a closure cannot be marked to be inlined.
pub(crate) trait PutArgument {
    /// Takes the next argument.
    fn put(&mut self, value: u64);
}

struct Each<F>(F);

impl<F: FnMut(u64)> PutArgument for Each<F> {
    fn put(&mut self, value: u64) {
        self.0(value);
    }
}

/// A field type of [`Event`]: how it becomes a number and back.
trait Field: Copy {
    const TYPE: ArgumentType;
    fn to_wire(self) -> u64;
    fn from_wire(value: u64) -> Option<Self>;
}

macro_rules! id_fields {
    ($($ty:ident => $argument:ident),* $(,)?) => {$(
        impl Field for $ty {
            const TYPE: ArgumentType = ArgumentType::$argument;
            #[inline]
            fn to_wire(self) -> u64 {
                self.0
            }
            #[inline]
            fn from_wire(value: u64) -> Option<Self> {
                Some(Self(value))
            }
        }
    )*};
}

id_fields! {
    ThreadId => Thread, ProcId => Proc, GoId => Go, TaskId => Task, StringId => String, StackId => Stack,
}

macro_rules! status_fields {
    ($($ty:ident),*) => {$(
        impl Field for $ty {
            const TYPE: ArgumentType = ArgumentType::$ty;
            #[inline]
            fn to_wire(self) -> u64 {
                self as u64
            }
            #[inline]
            fn from_wire(value: u64) -> Option<Self> {
                $ty::from_wire(value)
            }
        }
    )*};
}

status_fields!(GoStatus, ProcStatus);

impl Field for u64 {
    const TYPE: ArgumentType = ArgumentType::Number;
    #[inline]
    fn to_wire(self) -> u64 {
        self
    }
    #[inline]
    fn from_wire(value: u64) -> Option<Self> {
        Some(value)
    }
}

macro_rules! events {
    ($($id:literal $name:ident $({ $($field:ident: $ty:ty),* })? = $doc:literal, since $since:ident;)*) => {
        /// A timed event, without its time. `seq` is always the next sequence number of what is named.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[allow(missing_docs, reason = "the doc of each event explains its fields")]
        #[repr(u8)]
        #[non_exhaustive]
        pub enum Event {
            $(#[doc = $doc] $name $({ $($field: $ty),* })? = $id,)*
        }

        /// The kind of a timed event; its number is the id on the wire.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        #[non_exhaustive]
        pub enum EventKind {
            $(#[doc = $doc] $name = $id,)*
        }

        impl EventKind {
            /// All kinds, by rising id.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The kind with this id on the wire; `None` for structural and unknown ids.
            #[inline]
            pub const fn from_id(id: u8) -> Option<Self> {
                match id {
                    $($id => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// The name, as in the table.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            /// What the event says, in a sentence or two.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$name => $doc,)*
                }
            }

            /// The oldest version of the format that has this event.
            pub const fn since(self) -> Version {
                match self {
                    $(Self::$name => Version::$since,)*
                }
            }

            /// The arguments that follow the time, in order.
            pub const fn arguments(self) -> &'static [Argument] {
                match self {
                    $(Self::$name => &[$($(
                        Argument { name: stringify!($field), ty: <$ty as Field>::TYPE }
                    ),*)?],)*
                }
            }
        }

        impl Event {
            /// The kind of this event.
            #[inline]
            pub const fn kind(&self) -> EventKind {
                match self {
                    $(Self::$name { .. } => EventKind::$name,)*
                }
            }

            /// Hands the arguments, as numbers, to `put`, in the order of the wire.
            #[inline]
            pub fn for_each_argument(self, put: impl FnMut(u64)) {
                self.put_arguments(&mut Each(put));
            }

            /// As [`for_each_argument`](Self::for_each_argument).
            // Inlined always: where the kind is known at the call, nothing of the match remains.
            #[inline(always)]
            pub(crate) fn put_arguments(self, out: &mut impl PutArgument) {
                match self {
                    $(Self::$name $({ $($field),* })? => {
                        $($(out.put(<$ty as Field>::to_wire($field));)*)?
                    })*
                }
                // Kinds without arguments leave it unused.
                let _ = out;
            }

            /// The event of this kind with these arguments.
            ///
            /// `None` if there are fewer arguments than the kind has, or a status code is unknown.
            pub fn from_arguments(kind: EventKind, arguments: &[u64]) -> Option<Self> {
                let mut next = arguments.iter().copied();
                let event = match kind {
                    $(EventKind::$name => Self::$name $({
                        $($field: <$ty as Field>::from_wire(next.next()?)?),*
                    })?,)*
                };
                let _ = &mut next;
                Some(event)
            }
        }
    };
}

events! {
    9 ProcsChange { procs: u64, stack: StackId } = "The number of procs is now `procs`.", since Go122;
    10 ProcStart { proc: ProcId, seq: u64 } = "The idle proc `proc` starts on this thread.", since Go122;
    11 ProcStop = "This thread's proc becomes idle.", since Go122;
    12 ProcSteal { proc: ProcId, seq: u64, thread: ThreadId } = "This thread takes the proc `proc`, in a system call, from `thread`; it becomes idle.", since Go122;
    13 ProcStatus { proc: ProcId, status: ProcStatus } = "The state of `proc`; bound to this thread if running or in a system call. Its sequence restarts.", since Go122;
    14 GoCreate { go: GoId, go_stack: StackId, stack: StackId } = "Makes the runnable goroutine `go`, named by the root frame of `go_stack`; `stack` is its creator's.", since Go122;
    15 GoCreateSyscall { go: GoId } = "Makes the goroutine `go`, in a system call on this thread.", since Go122;
    16 GoStart { go: GoId, seq: u64 } = "The runnable goroutine `go` runs on this thread.", since Go122;
    17 GoDestroy = "The goroutine that runs on this thread ends.", since Go122;
    18 GoDestroySyscall = "The goroutine in a system call on this thread ends.", since Go122;
    19 GoStop { reason: StringId, stack: StackId } = "The running goroutine yields: it stays runnable.", since Go122;
    20 GoBlock { reason: StringId, stack: StackId } = "The running goroutine waits.", since Go122;
    21 GoUnblock { go: GoId, seq: u64, stack: StackId } = "The waiting goroutine `go` becomes runnable; `stack` is the waker's.", since Go122;
    22 GoSyscallBegin { proc_seq: u64, stack: StackId } = "The running goroutine enters a system call; `proc_seq` is the sequence number of its proc.", since Go122;
    23 GoSyscallEnd = "The goroutine returns from a system call and still has its proc.", since Go122;
    24 GoSyscallEndBlocked = "The goroutine returns from a system call in which it lost its proc; it is runnable.", since Go122;
    25 GoStatus { go: GoId, thread: ThreadId, status: GoStatus } = "The state of `go`; `thread` matters for system calls. Its sequence restarts.", since Go122;
    26 StwBegin { kind: StringId, stack: StackId } = "The goroutine stops the world, for the reason `kind`.", since Go122;
    27 StwEnd = "The world goes on.", since Go122;
    28 GcActive { seq: u64 } = "A garbage collection began before this generation.", since Go122;
    29 GcBegin { seq: u64, stack: StackId } = "A garbage collection begins.", since Go122;
    30 GcEnd { seq: u64 } = "The garbage collection ends.", since Go122;
    31 GcSweepActive { proc: ProcId } = "A sweep on `proc` began before this generation.", since Go122;
    32 GcSweepBegin { stack: StackId } = "A sweep begins on this thread's proc.", since Go122;
    33 GcSweepEnd { swept: u64, reclaimed: u64 } = "The sweep ends; amounts are bytes.", since Go122;
    34 GcMarkAssistActive { go: GoId } = "`go` began to assist the collector before this generation.", since Go122;
    35 GcMarkAssistBegin { stack: StackId } = "The goroutine begins to assist the collector.", since Go122;
    36 GcMarkAssistEnd = "The goroutine's assistance ends.", since Go122;
    37 HeapAlloc { bytes: u64 } = "The heap now holds `bytes`.", since Go122;
    38 HeapGoal { bytes: u64 } = "The heap's aim is now `bytes`.", since Go122;
    39 GoLabel { label: StringId } = "Sets the suffix of the running goroutine's name.", since Go122;
    40 UserTaskBegin { task: TaskId, parent: TaskId, name: StringId, stack: StackId } = "The user task `task` begins; parent 0 is none.", since Go122;
    41 UserTaskEnd { task: TaskId, stack: StackId } = "The user task ends.", since Go122;
    42 UserRegionBegin { task: TaskId, name: StringId, stack: StackId } = "A region of the running goroutine begins.", since Go122;
    43 UserRegionEnd { task: TaskId, name: StringId, stack: StackId } = "The innermost region of the running goroutine ends.", since Go122;
    44 UserLog { task: TaskId, category: StringId, message: StringId, stack: StackId } = "A message at an instant.", since Go122;
    45 GoSwitch { go: GoId, seq: u64 } = "The running goroutine waits and the waiting goroutine `go` runs in its place.", since Go123;
    46 GoSwitchDestroy { go: GoId, seq: u64 } = "The running goroutine ends and the waiting goroutine `go` runs in its place.", since Go123;
    47 GoCreateBlocked { go: GoId, go_stack: StackId, stack: StackId } = "Makes the waiting goroutine `go`; stacks as in GoCreate.", since Go123;
    48 GoStatusStack { go: GoId, thread: ThreadId, status: GoStatus, stack: StackId } = "GoStatus with a stack, whose root frame names the goroutine.", since Go123;
    128 Span { id: u64, pages: u64, class: u64 } = "Experimental: a span of heap pages was there before this generation.", since Go123;
    129 SpanAlloc { id: u64, pages: u64, class: u64 } = "Experimental: a span of heap pages is taken.", since Go123;
    130 SpanFree { id: u64 } = "Experimental: the span is given back.", since Go123;
    131 HeapObject { id: u64, type_id: u64 } = "Experimental: a heap object was there before this generation.", since Go123;
    132 HeapObjectAlloc { id: u64, type_id: u64 } = "Experimental: a heap object is allocated.", since Go123;
    133 HeapObjectFree { id: u64 } = "Experimental: the heap object is freed.", since Go123;
    134 GoroutineStack { id: u64, order: u64 } = "Experimental: a goroutine's stack was there before this generation.", since Go123;
    135 GoroutineStackAlloc { id: u64, order: u64 } = "Experimental: memory for a goroutine's stack is taken.", since Go123;
    136 GoroutineStackFree { id: u64 } = "Experimental: the memory of a goroutine's stack is given back.", since Go123;
}

impl EventKind {
    /// The id on the wire.
    #[inline]
    pub const fn id(self) -> u8 {
        self as u8
    }

    /// The kind with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// Whether the event belongs to Go's allocation experiment (ids from 128).
    pub const fn is_experimental(self) -> bool {
        self.id() >= 128
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_survives_id_name_and_arguments() {
        for &kind in EventKind::ALL {
            assert_eq!(EventKind::from_id(kind.id()), Some(kind));
            assert_eq!(EventKind::from_name(kind.name()), Some(kind));
            let arguments: Vec<u64> = (1..=kind.arguments().len() as u64).collect();
            assert!(arguments.len() <= MAX_ARGUMENTS);
            let event = Event::from_arguments(kind, &arguments).expect("codes 1 to 4 are valid");
            assert_eq!(event.kind(), kind);
            let mut seen = Vec::new();
            event.for_each_argument(|value| seen.push(value));
            assert_eq!(seen, arguments, "{kind:?}");
            if let Some(short) = arguments.len().checked_sub(1) {
                assert_eq!(Event::from_arguments(kind, &arguments[..short]), None);
            }
        }
    }

    #[test]
    fn an_unknown_status_code_is_no_event() {
        assert_eq!(Event::from_arguments(EventKind::ProcStatus, &[1, 5]), None);
        assert_eq!(Event::from_arguments(EventKind::GoStatus, &[1, 1, 0]), None);
    }
}
