//! The table of events of the old format, and how their arguments are laid out.

use crate::wire::Version;

/// What is known of a kind of event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spec {
    pub(super) kind: V1Kind,
    /// The name in messages, as Go's reader has it.
    pub(super) name: &'static str,
    /// The first header that may contain it.
    since: u8,
    /// Arguments, without time and stack.
    arguments: u8,
    /// Whether the last argument is a stack.
    stack: bool,
}

macro_rules! kinds {
    ($($id:literal $kind:ident $name:literal $since:literal $arguments:literal $stack:literal;)*) => {
        /// A kind of event; its number is the one on the wire.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub(super) enum V1Kind {
            $($kind = $id,)*
        }

        /// All kinds in the order of their numbers, which begin at 1.
        static SPECS: &[Spec] = &[$(Spec {
            kind: V1Kind::$kind,
            name: $name,
            since: $since,
            arguments: $arguments,
            stack: $stack,
        },)*];
    };
}

// Number, kind, name in messages, since header, arguments without time and stack, has a stack.
kinds! {
    1 Batch "EvBatch" 11 2 false;
    2 Frequency "Frequency" 11 1 false;
    3 Stack "EvStack" 11 2 false;
    4 Gomaxprocs "Gomaxprocs" 11 1 true;
    5 ProcStart "ProcStart" 11 1 false;
    6 ProcStop "ProcStop" 11 0 false;
    7 GcStart "GCStart" 11 1 true;
    8 GcDone "GCDone" 11 0 false;
    9 StwStart "GCSTWStart" 11 1 false;
    10 StwDone "GCSTWDone" 11 0 false;
    11 GcSweepStart "GCSweepStart" 11 0 true;
    12 GcSweepDone "GCSweepDone" 11 2 false;
    13 GoCreate "GoCreate" 11 2 true;
    14 GoStart "GoStart" 11 2 false;
    15 GoEnd "GoEnd" 11 0 false;
    16 GoStop "GoStop" 11 0 true;
    17 GoSched "GoSched" 11 0 true;
    18 GoPreempt "GoPreempt" 11 0 true;
    19 GoSleep "GoSleep" 11 0 true;
    20 GoBlock "GoBlock" 11 0 true;
    21 GoUnblock "GoUnblock" 11 2 true;
    22 GoBlockSend "GoBlockSend" 11 0 true;
    23 GoBlockRecv "GoBlockRecv" 11 0 true;
    24 GoBlockSelect "GoBlockSelect" 11 0 true;
    25 GoBlockSync "GoBlockSync" 11 0 true;
    26 GoBlockCond "GoBlockCond" 11 0 true;
    27 GoBlockNet "GoBlockNet" 11 0 true;
    28 GoSysCall "GoSysCall" 11 0 true;
    29 GoSysExit "GoSysExit" 11 3 false;
    30 GoSysBlock "GoSysBlock" 11 0 false;
    31 GoWaiting "GoWaiting" 11 1 false;
    32 GoInSyscall "GoInSyscall" 11 1 false;
    33 HeapAlloc "HeapAlloc" 11 1 false;
    34 HeapGoal "HeapGoal" 11 1 false;
    35 TimerGoroutine "TimerGoroutine" 11 1 false;
    36 FutileWakeup "FutileWakeup" 11 0 false;
    37 String "String" 11 0 false;
    38 GoStartLocal "GoStartLocal" 11 1 false;
    39 GoUnblockLocal "GoUnblockLocal" 11 1 true;
    40 GoSysExitLocal "GoSysExitLocal" 11 2 false;
    41 GoStartLabel "GoStartLabel" 11 3 false;
    42 GoBlockGc "GoBlockGC" 11 0 true;
    43 GcMarkAssistStart "GCMarkAssistStart" 11 0 true;
    44 GcMarkAssistDone "GCMarkAssistDone" 11 0 false;
    45 UserTaskCreate "UserTaskCreate" 11 3 true;
    46 UserTaskEnd "UserTaskEnd" 11 1 true;
    47 UserRegion "UserRegion" 11 3 true;
    48 UserLog "UserLog" 11 2 true;
    49 CpuSample "CPU sample" 19 3 true;
}

impl V1Kind {
    /// The kind with this number, if a file of this version may contain it.
    #[inline]
    pub(super) fn from_number(number: u8, version: Version) -> Option<Self> {
        let spec = SPECS.get(usize::from(number).wrapping_sub(1))?;
        (spec.since <= version.number()).then_some(spec.kind)
    }

    #[inline]
    pub(super) fn spec(self) -> &'static Spec {
        &SPECS[usize::from(self as u8) - 1]
    }

    /// How many numbers it has on the wire, time and stack included. Not for `Stack` and `String`,
    /// which have as many as they like.
    #[inline]
    pub(super) fn numbers(self) -> usize {
        let spec = self.spec();
        usize::from(spec.arguments) + usize::from(spec.stack) + usize::from(self.has_time())
    }

    /// Whether its first number is the time since the event before.
    #[inline]
    pub(super) fn has_time(self) -> bool {
        !matches!(self, Self::Batch | Self::Frequency | Self::TimerGoroutine)
    }

    /// Whether its last number is a stack.
    #[inline]
    pub(super) fn has_stack(self) -> bool {
        self.spec().stack
    }

    /// Whether the goroutine that runs on the lane waits from this event on.
    pub(super) fn is_block(self) -> bool {
        matches!(
            self,
            Self::GoSleep
                | Self::GoBlock
                | Self::GoBlockSend
                | Self::GoBlockRecv
                | Self::GoBlockSelect
                | Self::GoBlockSync
                | Self::GoBlockCond
                | Self::GoBlockNet
                | Self::GoBlockGc
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_numbers() {
        for number in 1..=49 {
            let kind = V1Kind::from_number(number, Version::Go121).expect("1 to 49 are kinds");
            assert_eq!(kind as u8, number);
        }
        for number in [0, 50, 63] {
            assert_eq!(V1Kind::from_number(number, Version::Go121), None);
        }
        assert_eq!(V1Kind::from_number(49, Version::Go111), None);
    }
}
