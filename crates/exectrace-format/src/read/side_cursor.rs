//! The side data of a generation, record by record.

use crate::side::{SideDataError, SideRecord, SideRecords};

/// Where in the side data of a generation the next record begins.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct SideCursor {
    batch: usize,
    /// Where in the batch the next record begins; 0 before the batch's head is checked.
    position: usize,
}

impl SideCursor {
    /// Whether nothing of this generation has been yielded.
    pub(super) fn is_at_begin(&self) -> bool {
        *self == Self::default()
    }

    /// The next record of the batches with these payloads, or why the rest of a batch cannot be read.
    pub(super) fn next(
        &mut self,
        payloads: &[Box<[u8]>],
    ) -> Option<Result<SideRecord, SideDataError>> {
        while let Some(payload) = payloads.get(self.batch) {
            let next = match SideRecords::new_at(payload, self.position) {
                Ok(mut records) => {
                    let next = records.next();
                    self.position = records.position();
                    next
                }
                // Another program's, as Go's own allocation experiment.
                Err(SideDataError::Foreign) => None,
                Err(error) => Some(Err(error)),
            };
            if !matches!(next, Some(Ok(_))) {
                *self = Self {
                    batch: self.batch + 1,
                    position: 0,
                };
            }
            if next.is_some() {
                return next;
            }
        }
        None
    }
}
