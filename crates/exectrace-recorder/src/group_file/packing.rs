//! Groups made smaller by Zstandard, and where a frame of it ends.

use std::io::{self, BufReader, Read, Seek};

/// The first bytes of a frame (RFC 8878, 3.1.1).
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Compresses the groups of one file.
#[cfg(feature = "zstd")]
pub(crate) struct Packing(zstd::stream::write::Encoder<'static, Vec<u8>>);

#[cfg(feature = "zstd")]
impl Packing {
    /// Begins a frame. Levels are those of `zstd`.
    pub(crate) fn new(level: i32) -> io::Result<Self> {
        zstd::stream::write::Encoder::new(Vec::new(), level).map(Self)
    }

    /// Makes a group smaller: to whole blocks, so that it can be unpacked without what follows.
    pub(crate) fn pack(&mut self, group: &[u8]) -> io::Result<Vec<u8>> {
        use std::io::Write;
        self.0.write_all(group)?;
        self.0.flush()?;
        Ok(std::mem::take(self.0.get_mut()))
    }
}

/// There is none in this build.
#[cfg(not(feature = "zstd"))]
pub(crate) enum Packing {}

#[cfg(not(feature = "zstd"))]
impl Packing {
    #[cfg_attr(test, allow(clippy::unnecessary_wraps))]
    pub(crate) fn new(_: i32) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn pack(&mut self, _: &[u8]) -> io::Result<Vec<u8>> {
        match *self {}
    }
}

/// Where the frame ends with which the input begins; 0 if no whole frame is there.
pub(super) fn frame_end(input: impl Read + Seek) -> io::Result<u64> {
    let mut input = BufReader::new(input);
    match walk(&mut input) {
        Ok(true) => input.stream_position(),
        Ok(false) => Ok(0),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
        Err(error) => Err(error),
    }
}

/// Steps over a frame; false if there is none.
fn walk(input: &mut BufReader<impl Read + Seek>) -> io::Result<bool> {
    if take::<4>(input)? != MAGIC {
        return Ok(false);
    }
    // The head: what it holds is in the bits of its first byte (RFC 8878, 3.1.1.1).
    let [descriptor] = take(input)?;
    let is_single_segment = descriptor & 0x20 != 0;
    let window = usize::from(!is_single_segment);
    let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let content = match descriptor >> 6 {
        0 => usize::from(is_single_segment),
        size => 1 << size,
    };
    skip(input, window + dictionary + content)?;
    loop {
        let [low, middle, high] = take(input)?;
        let head = u32::from_le_bytes([low, middle, high, 0]);
        let size = (head >> 3) as usize;
        match (head >> 1) & 3 {
            // One byte, to be repeated.
            1 => skip(input, 1)?,
            0 | 2 => skip(input, size)?,
            _ => return Ok(false),
        }
        if head & 1 != 0 {
            let checksum = if descriptor & 4 != 0 { 4 } else { 0 };
            skip(input, checksum)?;
            return Ok(true);
        }
    }
}

fn take<const N: usize>(input: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Steps over bytes that must be there.
fn skip(input: &mut impl Read, bytes: usize) -> io::Result<()> {
    let bytes = bytes as u64;
    let skipped = io::copy(&mut input.take(bytes), &mut io::sink())?;
    match skipped == bytes {
        true => Ok(()),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}
