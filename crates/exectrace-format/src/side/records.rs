//! The records in a payload of side data, one by one.

use crate::wire::take_uvarint;

use super::{SIDE_DATA_MAGIC, SIDE_DATA_VERSION, SideDataError, SideRecord};

/// The records of one payload of side data, decoded one by one.
///
/// Ends after the last record or after the first error. Never panics, whatever the bytes; memory
/// is bounded by the payload.
#[derive(Clone, Debug)]
pub struct SideRecords<'a> {
    payload_bytes: usize,
    rest: &'a [u8],
}

impl<'a> SideRecords<'a> {
    /// The records in the payload of an experimental batch.
    ///
    /// # Errors
    ///
    /// [`SideDataError::Foreign`] or [`SideDataError::Version`].
    pub fn new(payload: &'a [u8]) -> Result<Self, SideDataError> {
        let rest = payload
            .strip_prefix(SIDE_DATA_MAGIC)
            .ok_or(SideDataError::Foreign)?;
        match rest.split_first() {
            Some((&SIDE_DATA_VERSION, rest)) => Ok(Self {
                payload_bytes: payload.len(),
                rest,
            }),
            Some((&found, _)) => Err(SideDataError::Version {
                found,
                known: SIDE_DATA_VERSION,
            }),
            None => Err(SideDataError::Foreign),
        }
    }

    /// Continues at a [`position`](Self::position) of the same payload; 0 is the beginning.
    pub(crate) fn new_at(payload: &'a [u8], position: usize) -> Result<Self, SideDataError> {
        if position == 0 {
            return Self::new(payload);
        }
        Ok(Self {
            payload_bytes: payload.len(),
            rest: payload.get(position..).unwrap_or(&[]),
        })
    }

    /// Where in the payload the next record begins.
    pub(crate) fn position(&self) -> usize {
        self.payload_bytes - self.rest.len()
    }

    fn take(&mut self) -> Option<SideRecord> {
        let kind = take_uvarint(&mut self.rest)?;
        let length = usize::try_from(take_uvarint(&mut self.rest)?).ok()?;
        let (fields, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(
            SideRecord::decode_known(kind, fields).unwrap_or_else(|| SideRecord::Unknown {
                kind,
                bytes: fields.to_vec(),
            }),
        )
    }
}

impl Iterator for SideRecords<'_> {
    type Item = Result<SideRecord, SideDataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let offset = self.payload_bytes - self.rest.len();
        let record = self.take();
        if record.is_none() {
            self.rest = &[];
        }
        Some(record.ok_or(SideDataError::Damaged { offset }))
    }
}
