//! What is asked of the kernel, and what its reports say.

/// `perf_event_attr`, its first 112 bytes: no event of the machine's, but a report whenever the thread leaves a processor or gets
/// one, with the time on the monotonic clock. The kernel's own code is left out, without which an ordinary user may not
/// ask.
pub(super) const ATTRIBUTES: [u64; 14] = [
    PERF_TYPE_SOFTWARE | (14 * 8) << 32,
    PERF_COUNT_SW_DUMMY,
    0,
    SAMPLE_TID | SAMPLE_TIME | SAMPLE_CPU,
    0,
    EXCLUDE_KERNEL | EXCLUDE_HYPERVISOR | SAMPLE_ID_ALL | USE_CLOCK_ID | CONTEXT_SWITCH,
    0,
    0,
    0,
    0,
    0,
    CLOCK_MONOTONIC << 32,
    0,
    0,
];

const PERF_TYPE_SOFTWARE: u64 = 1;
const PERF_COUNT_SW_DUMMY: u64 = 9;
const SAMPLE_TID: u64 = 1 << 1;
const SAMPLE_TIME: u64 = 1 << 2;
const SAMPLE_CPU: u64 = 1 << 7;
const EXCLUDE_KERNEL: u64 = 1 << 5;
const EXCLUDE_HYPERVISOR: u64 = 1 << 6;
const SAMPLE_ID_ALL: u64 = 1 << 18;
const USE_CLOCK_ID: u64 = 1 << 25;
const CONTEXT_SWITCH: u64 = 1 << 26;
const CLOCK_MONOTONIC: u64 = 1;

const RECORD_LOST: u32 = 2;
const RECORD_SWITCH: u32 = 14;
const MISC_SWITCH_OUT: u16 = 1 << 13;
const MISC_SWITCH_OUT_PREEMPTED: u16 = 1 << 14;

/// What a report says. Times are those of the monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Report {
    /// The thread left its processor, which was taken from it, or which it gave up to wait.
    Left { time: u64, is_preempted: bool },
    /// The thread got a processor.
    Got { time: u64 },
    /// So many reports had no room.
    Lost(u64),
}

/// The reports in these bytes, in their order. Those of kinds that were not asked for are skipped.
pub(super) fn reports(mut bytes: &[u8]) -> impl Iterator<Item = Report> {
    std::iter::from_fn(move || {
        loop {
            let kind = u32::from_ne_bytes(*bytes.first_chunk()?);
            let misc = u16::from_ne_bytes(*bytes.get(4..)?.first_chunk()?);
            let length = u16::from_ne_bytes(*bytes.get(6..)?.first_chunk()?);
            if length < 8 {
                return None;
            }
            let (record, rest) = bytes.split_at_checked(usize::from(length))?;
            bytes = rest;
            if let Some(report) = report(kind, misc, record) {
                return Some(report);
            }
        }
    })
}

fn report(kind: u32, misc: u16, record: &[u8]) -> Option<Report> {
    let word = |at: usize| Some(u64::from_ne_bytes(*record.get(at..)?.first_chunk()?));
    match kind {
        // Behind the head stand process and thread, then the time.
        RECORD_SWITCH if misc & MISC_SWITCH_OUT != 0 => Some(Report::Left {
            time: word(16)?,
            is_preempted: misc & MISC_SWITCH_OUT_PREEMPTED != 0,
        }),
        RECORD_SWITCH => Some(Report::Got { time: word(16)? }),
        RECORD_LOST => Some(Report::Lost(word(16)?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u32, misc: u16, words: &[u64]) -> Vec<u8> {
        let length = 8 + words.len() as u16 * 8;
        let mut bytes = kind.to_ne_bytes().to_vec();
        bytes.extend(misc.to_ne_bytes());
        bytes.extend(length.to_ne_bytes());
        words
            .iter()
            .for_each(|word| bytes.extend(word.to_ne_bytes()));
        bytes
    }

    #[test]
    fn reports_are_read_in_their_order_and_other_kinds_are_skipped() {
        let bytes = [
            record(RECORD_SWITCH, MISC_SWITCH_OUT, &[7, 100, 0]),
            record(3, 0, &[7]),
            record(RECORD_SWITCH, 0, &[7, 150, 0]),
            record(RECORD_LOST, 0, &[1, 12, 7, 160, 0]),
            record(
                RECORD_SWITCH,
                MISC_SWITCH_OUT | MISC_SWITCH_OUT_PREEMPTED,
                &[7, 200, 0],
            ),
        ];
        let found: Vec<Report> = reports(&bytes.concat()).collect();
        let left = |time, is_preempted| Report::Left { time, is_preempted };
        let got = Report::Got { time: 150 };
        assert_eq!(
            found,
            [left(100, false), got, Report::Lost(12), left(200, true)]
        );
    }

    #[test]
    fn bytes_that_are_no_reports_are_none() {
        let whole = record(RECORD_SWITCH, 0, &[7, 150, 0]);
        for length in 0..whole.len() {
            assert_eq!(reports(&whole[..length]).next(), None, "{length} bytes");
        }
        assert_eq!(reports(&[0; 64]).next(), None);
        assert_eq!(reports(&record(RECORD_SWITCH, 0, &[7])).next(), None);
    }
}
