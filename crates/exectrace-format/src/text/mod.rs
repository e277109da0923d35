//! Traces as readable text, one line per header, generation, batch, table entry and event.
//!
//! The text is of the *bytes*: nothing is ordered, resolved or checked, and damaged traces have a
//! text too. `parse(print(bytes)) == bytes` for any bytes.
//!
//! ```text
//! # A comment, on a line of its own.
//! go 1.25
//! generation 1
//! batch m=0 time=999 sync
//!   frequency 1000000000
//!   clock +1 mono=1000 sec=1700000000 nsec=0
//! batch m=0 time=1000 strings
//!   string 1 "main"
//! batch m=0 time=1000 stacks
//!   stack 1 0x1000:1:0:7
//! batch m=0 time=1000 samples
//!   sample time=1001 m=7 p=none g=0 stack=1
//! batch m=7 time=1000 events
//!   +0 ProcStatus proc=1 status=Running
//! experimental 1 m=0 time=1000
//!   data "exectrace\x01"
//! end-of-generation
//! ```
//!
//! - Numbers are decimal, or hexadecimal after `0x`; `none` is 2^64-1. Unknown status codes are numbers.
//! - A frame is `pc:function:file:line`; leaf first. `frame*129` repeats it, as `"x"*1025` a text.
//! - `generation` holds for the batches that follow; `generation=2` in a batch for this one alone.
//! - `size=9` in a batch states another size than it has; `head=0101…` replaces its head.
//! - `bytes 0a ff` in a batch stands for bytes that are none of the above, `raw 0a ff` for such
//!   bytes between batches or instead of a header.
//! - Of the old format (headers 11, 19, 21) only the header is more than `raw` bytes.
//! - Texts escape `"`, `\` and what is not printable: `\"`, `\\`, `\n`, `\xff`.

mod error;
mod parse;
mod print;

pub use error::{TextCause, TextError};
pub use parse::parse;
pub use print::print;

/// What the payload of a batch holds, with the word and the byte for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Payload {
    Events,
    Strings,
    Stacks,
    Samples,
    Sync,
    Frequency,
    Experimental,
}

impl Payload {
    const ORDINARY: [Self; 6] = [
        Self::Events,
        Self::Strings,
        Self::Stacks,
        Self::Samples,
        Self::Sync,
        Self::Frequency,
    ];

    /// The word in a batch line.
    fn word(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Strings => "strings",
            Self::Stacks => "stacks",
            Self::Samples => "samples",
            Self::Sync => "sync",
            Self::Frequency => "frequency",
            Self::Experimental => "experimental",
        }
    }

    /// The byte that begins the payload and is no part of its first entry.
    fn opening(self) -> Option<u8> {
        match self {
            Self::Strings => Some(crate::wire::STRINGS),
            Self::Stacks => Some(crate::wire::STACKS),
            Self::Samples => Some(crate::wire::CPU_SAMPLES),
            Self::Sync => Some(crate::wire::SYNC),
            Self::Events | Self::Frequency | Self::Experimental => None,
        }
    }

    /// What a payload holds that begins with this byte.
    fn of_first_byte(byte: Option<u8>) -> Self {
        match byte {
            Some(crate::wire::FREQUENCY) => Self::Frequency,
            Some(byte) => {
                let opened = |payload: &Self| payload.opening() == Some(byte);
                Self::ORDINARY
                    .into_iter()
                    .find(opened)
                    .unwrap_or(Self::Events)
            }
            None => Self::Events,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{parse, print};

    const ALL: &str = "\
go 1.26
generation 1
batch m=0 time=999 sync
  frequency 1000000000
  clock +1 mono=1000 sec=1700000000 nsec=0
batch m=0 time=999 frequency
  frequency 7
batch m=0 time=1000 strings
  string 1 \"ma\\\"in\\\\ \\n\\xff é\"
  bytes 05
batch m=0 time=1000 stacks
  stack 1 0x1000:1:0:7 0x1001:1:0:8
  stack 2
batch m=0 time=1000 samples
  sample time=1001 m=7 p=none g=0 stack=1
batch m=7 generation=4 time=1000 events
  +0 ProcStatus proc=1 status=Running
  +300 GoStatusStack go=1 thread=7 status=9 stack=1
  +1 GoDestroy
  bytes ff 00
experimental 1 m=0 time=1000
  data \"exectrace\\x01\"
batch m=0 time=1 events
end-of-generation
batch m=0 time=1 events
  +0 GoDestroy
raw 00 00
";

    #[test]
    fn printed_text_is_parsed_and_printed_the_same() {
        let bytes = parse(ALL).expect("well-formed");
        assert_eq!(print(&bytes), ALL);
        assert_eq!(parse(&print(&bytes)).as_deref(), Ok(bytes.as_slice()));
    }

    #[test]
    fn what_may_be_written_shorter_is_printed_long() {
        let text = "go 1.25\n\n# comment\n  generation 1\nbatch m=0 time=0x10 strings\nstring 1 \"ab\"*2\n";
        let bytes = parse(text).expect("well-formed");
        let expected = "go 1.25\ngeneration 1\nbatch m=0 time=16 strings\n  string 1 \"abab\"\n";
        assert_eq!(print(&bytes), expected);
    }

    #[test]
    fn an_odd_head_is_kept() {
        // A size of 10 bytes, as Go writes it, and a false size.
        for text in [
            "go 1.25\ngeneration 1\nbatch m=0 time=1 head=0101000182808080808080808000 events\n  +0 GoDestroy\n",
            "go 1.25\nraw 01 01 00\n",
            "raw 67 6f\n",
        ] {
            let bytes = parse(text).expect("well-formed");
            assert_eq!(print(&bytes), text);
        }
        let lying = "go 1.25\ngeneration 1\nbatch m=0 time=1 size=9 events\n  +0 GoDestroy\n";
        let bytes = parse(lying).expect("well-formed");
        assert_eq!(bytes[16..], [1, 1, 0, 1, 9, 17, 0]);
        assert_eq!(parse(&print(&bytes)).as_deref(), Ok(bytes.as_slice()));
    }

    #[test]
    fn an_error_names_its_line() {
        for (text, line, message) in [
            ("go 1.24\n", 1, "no such version: go 1.24"),
            ("go 1.25\nhello\n", 2, "no such entry: hello"),
            ("go 1.25\n+0 GoFly\n", 2, "no such event: GoFly"),
            ("go 1.25\n\n+0 GoStart go=1\n", 3, "missing: seq"),
            ("string 1 \"abc\n", 1, "unfinished text"),
            ("string one \"abc\"\n", 1, "not a number: one"),
            ("batch m=0 time=1\n", 1, "missing: what the batch holds"),
        ] {
            let error = parse(text).expect_err(text);
            assert_eq!(
                (error.line, error.cause.to_string().as_str()),
                (line, message)
            );
        }
    }
}
