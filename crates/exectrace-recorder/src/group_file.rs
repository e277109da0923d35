//! A file that holds whole groups, whenever its process may end.
//!
//! The first byte of a group is written last. Until then the file ends, for whoever reads it, with a byte that
//! begins no batch, and what follows it does not count. So a process that is killed while it writes
//! leaves a file that is valid up to that byte, and [`whole_bytes`] finds where that is.
//!
//! A compressed file is one frame of Zstandard. Behind each group stands the empty block that ends the frame, and
//! the next group takes its place, with these three bytes written last. They are never on two pages, so that the system
//! writes all of them or none. So the frame is complete at each moment.

mod packing;

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use exectrace_format::Batches;

pub(crate) use packing::Packing;

/// The last block of a frame, without content (RFC 8878, 3.1.1.2).
const FRAME_END: [u8; 3] = [1, 0, 0];
/// A block without content that is not the last.
const NO_BLOCK: [u8; 3] = [0, 0, 0];
/// No system has smaller pages, and all have multiples of this.
const PAGE_BYTES: u64 = 4_096;

/// A file, and how much of it counts.
pub(crate) struct GroupFile {
    file: File,
    /// Bytes of the groups; those that end a frame come on top.
    length: u64,
    /// Pipes and devices take bytes in their order only.
    is_regular: bool,
    packing: Option<Packing>,
    #[cfg(test)]
    pub(crate) is_full: Option<std::sync::Arc<std::sync::atomic::AtomicBool>>,
}

impl fmt::Debug for GroupFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupFile")
            .field("file", &self.file)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

impl GroupFile {
    /// Writes to an empty file, or to what is no file.
    pub(crate) fn new(file: File, packing: Option<Packing>) -> io::Result<Self> {
        Ok(Self {
            is_regular: file.metadata()?.is_file(),
            file,
            length: 0,
            packing,
            #[cfg(test)]
            is_full: None,
        })
    }

    /// Writes a group. After an error the file is as it was before, and takes no further group: what
    /// compression and readers know of this one is not in it.
    pub(crate) fn write_group(&mut self, group: &[u8]) -> io::Result<()> {
        if !self.is_regular {
            return self.file.write_all(group);
        }
        let written = match &mut self.packing {
            None => self.write_at_end(group, group.len(), 1),
            Some(packing) => packing.pack(group).and_then(|mut packed| {
                let in_page = (self.length + packed.len() as u64) % PAGE_BYTES;
                if in_page + FRAME_END.len() as u64 > PAGE_BYTES {
                    packed.extend_from_slice(&NO_BLOCK);
                }
                let length = packed.len();
                packed.extend_from_slice(&FRAME_END);
                self.write_at_end(&packed, length, FRAME_END.len())
            }),
        };
        if written.is_err() {
            self.restore();
        }
        written
    }

    /// Has the file as it was before a write that failed, as far as the system does that.
    fn restore(&mut self) {
        if self.packing.is_some() && self.length > 0 {
            // A part of what was to take its place may be there.
            let place = self.file.seek(SeekFrom::Start(self.length));
            let _ = place.and_then(|_| self.file.write_all(&FRAME_END));
        }
        let _ = self.file.set_len(self.bytes());
    }

    /// Writes bytes, the first `head` of them last. `length` of them are a group.
    fn write_at_end(&mut self, bytes: &[u8], length: usize, head: usize) -> io::Result<()> {
        let (first, rest) = bytes.split_at(head.min(bytes.len()));
        self.check_for_room()?;
        self.file
            .seek(SeekFrom::Start(self.length + first.len() as u64))?;
        self.file.write_all(rest)?;
        self.file.seek(SeekFrom::Start(self.length))?;
        self.file.write_all(first)?;
        self.length += length as u64;
        Ok(())
    }

    #[cfg(not(test))]
    fn check_for_room(&self) -> io::Result<()> {
        Ok(())
    }

    /// A disk that is full when a test says so.
    #[cfg(test)]
    fn check_for_room(&mut self) -> io::Result<()> {
        let is_full = |flag: &std::sync::Arc<std::sync::atomic::AtomicBool>| {
            flag.load(std::sync::atomic::Ordering::Relaxed)
        };
        if self.is_full.as_ref().is_some_and(is_full) {
            // As a disk with room for some bytes, and then for a part of the head.
            self.file.seek(SeekFrom::Start(self.length + 3))?;
            self.file.write_all(b"torn")?;
            self.file.seek(SeekFrom::Start(self.length))?;
            self.file.write_all(b"t")?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    /// The size of the file.
    pub(crate) fn bytes(&self) -> u64 {
        match (&self.packing, self.length) {
            (Some(_), 1..) => self.length + FRAME_END.len() as u64,
            _ => self.length,
        }
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Gives the file up, to which nothing more is written.
    pub(crate) fn into_file(self) -> File {
        self.file
    }

    /// Has what was written kept for good.
    pub(crate) fn sync(&self) -> io::Result<()> {
        #[cfg(test)]
        drop(crate::enabled::lock(&crate::recording::SLOW_DISK));
        match self.file.sync_data() {
            // A pipe or a device has nothing to sync.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
            result => result,
        }
    }
}

/// How many bytes of a file are whole groups, with the end of the frame; 0 if it has not one.
///
/// Reads all of the file.
pub(crate) fn whole_bytes(mut file: &File, is_packed: bool) -> io::Result<u64> {
    file.rewind()?;
    let end = match is_packed {
        true => packing::frame_end(file)?,
        false => batches_end(file)?,
    };
    file.rewind()?;
    Ok(end)
}

fn batches_end(input: impl Read) -> io::Result<u64> {
    let is_io = |error: &exectrace_format::ReadError| {
        matches!(&error.cause, exectrace_format::ReadCause::Io(_))
    };
    let failed = |error: exectrace_format::ReadError| io::Error::other(error.to_string());
    let mut batches = match Batches::new(input) {
        Ok(batches) => batches,
        Err(error) if is_io(&error) => return Err(failed(error)),
        Err(_) => return Ok(0),
    };
    let mut end = 0;
    loop {
        match batches.next_batch() {
            Ok(Some(batch)) => end = batch.place.end,
            Err(error) if is_io(&error) => return Err(failed(error)),
            Ok(None) | Err(_) => return Ok(end),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use exectrace_format::{ClockSnapshot, Version, Writer};

    /// Groups of a trace: the header, and sync batches.
    fn groups() -> Vec<Vec<u8>> {
        let mut groups = vec![Writer::header(Version::Go125).to_vec()];
        Writer::sync_batch(
            Version::Go125,
            1,
            1,
            ClockSnapshot::default(),
            &mut groups[0],
        );
        for number in 2..10 {
            let mut group = Vec::new();
            Writer::sync_batch(
                Version::Go125,
                number,
                number,
                ClockSnapshot::default(),
                &mut group,
            );
            groups.push(group);
        }
        groups
    }

    fn packings() -> Vec<bool> {
        match cfg!(feature = "zstd") {
            true => vec![false, true],
            false => vec![false],
        }
    }

    fn new_file(is_packed: bool) -> GroupFile {
        let packing = is_packed.then(|| Packing::new(3).unwrap());
        GroupFile::new(tempfile::tempfile().unwrap(), packing).unwrap()
    }

    #[test]
    fn wherever_writing_ends_the_whole_groups_before_are_found() {
        for is_packed in packings() {
            let mut file = new_file(is_packed);
            for group in groups() {
                let before = file.bytes();
                // What the system may have of a group when its writer is killed.
                let head = if is_packed { FRAME_END.len() as u64 } else { 1 };
                file.file.seek(SeekFrom::Start(file.length + head)).unwrap();
                file.file.write_all(&group[1..group.len() / 2]).unwrap();
                assert_eq!(whole_bytes(&file.file, is_packed).unwrap(), before);
                file.write_group(&group).unwrap();
                assert_eq!(whole_bytes(&file.file, is_packed).unwrap(), file.bytes());
            }
        }
    }

    #[cfg(feature = "zstd")]
    #[test]
    fn what_ends_a_frame_is_on_one_page_whatever_the_groups() {
        let mut file = new_file(true);
        let mut text = Vec::new();
        for number in 0..3_000_u32 {
            // Of all lengths, and hard to make smaller.
            let group: Vec<u8> = (0..number * 7 % 61)
                .map(|byte| (byte.wrapping_mul(2_654_435_761) >> 13) as u8 ^ number as u8)
                .collect();
            file.write_group(&group).unwrap();
            text.extend_from_slice(&group);
            assert!(file.length % PAGE_BYTES <= PAGE_BYTES - 3, "group {number}");
        }
        file.file.rewind().unwrap();
        assert_eq!(zstd::decode_all(&file.file).unwrap(), text);
        assert_eq!(whole_bytes(&file.file, true).unwrap(), file.bytes());
    }

    #[test]
    fn a_group_that_finds_no_room_leaves_the_file_as_it_was() {
        for is_packed in packings() {
            let mut file = new_file(is_packed);
            let groups = groups();
            file.write_group(&groups[0]).unwrap();
            let is_full = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
            file.is_full = Some(is_full);
            file.write_group(&groups[1]).unwrap_err();
            let size = file.file.metadata().unwrap().len();
            assert_eq!(size, file.bytes());
            assert_eq!(whole_bytes(&file.file, is_packed).unwrap(), size);
        }
    }
}
