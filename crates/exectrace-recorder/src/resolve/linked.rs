//! What is linked into this program, by the names of its symbols.
//!
//! As with `symbols`, the file is not trusted. Its names are read in parts, as those of a large program with debug
//! information are some tens of megabytes.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use memchr::memmem;
use object::Endianness;
use object::elf::{FileHeader64, SHT_SYMTAB};
use object::read::ReadCache;
use object::read::elf::{FileHeader, SectionHeader};

const PART_BYTES: usize = 1 << 16;
/// Most bytes that are read. Larger than the names of the largest program known to us.
const MAX_NAMES_BYTES: u64 = 1 << 30;

/// Whether each of `texts` stands in the name of some symbol of this program. `None` if the program was stripped of
/// its symbols, or cannot be read.
pub(crate) fn symbols_contain(texts: &[&str]) -> Option<Vec<bool>> {
    let file = File::open("/proc/self/exe").ok()?;
    let (offset, size) = names(&file)?;
    contain(&file, offset, size.min(MAX_NAMES_BYTES), texts)
}

/// Where the names of the symbols stand.
fn names(file: &File) -> Option<(u64, u64)> {
    let cache = ReadCache::new(file);
    let header = FileHeader64::<Endianness>::parse(&cache).ok()?;
    let endian = header.endian().ok()?;
    let sections = header.sections(endian, &cache).ok()?;
    let table = sections.symbols(endian, &cache, SHT_SYMTAB).ok()?;
    let names = sections.section(table.string_section()).ok()?;
    let range = (names.sh_offset(endian), names.sh_size(endian));
    (!table.is_empty()).then_some(range)
}

fn contain(mut file: &File, offset: u64, size: u64, texts: &[&str]) -> Option<Vec<bool>> {
    let mut found = vec![false; texts.len()];
    // So much of a part is kept for the next, so that a text may stand on their border.
    let kept = texts.iter().map(|text| text.len()).max().unwrap_or(0);
    let mut part = Vec::with_capacity(PART_BYTES + kept);
    file.seek(SeekFrom::Start(offset)).ok()?;
    let mut left = size;
    while left > 0 && found.contains(&false) {
        let wanted = left.min(PART_BYTES as u64);
        let read = file.take(wanted).read_to_end(&mut part).ok()? as u64;
        if read == 0 {
            return None;
        }
        left -= read.min(left);
        for (text, found) in texts.iter().zip(&mut found) {
            *found |= memmem::find(&part, text.as_bytes()).is_some();
        }
        part.drain(..part.len().saturating_sub(kept));
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_program_contains_its_own_functions_and_no_others() {
        let made_up = ["a_function_that_nobody_has_", "written"].concat();
        let own = "a_program_contains_its_own_functions_and_no_others";
        assert_eq!(symbols_contain(&[own, &made_up]), Some(vec![true, false]));
    }

    #[test]
    fn a_text_on_the_border_of_two_parts_is_found() {
        for before in PART_BYTES - 12..PART_BYTES + 2 {
            let mut file = tempfile::tempfile().unwrap();
            let mut bytes = vec![b'x'; before];
            bytes.extend_from_slice(b"first_second");
            file.write_all(&bytes).unwrap();
            let found = contain(&file, 0, bytes.len() as u64, &["first_second", "first_x"]);
            assert_eq!(found, Some(vec![true, false]));
        }
    }
}
