//! The table of a module's functions.
//!
//! The file is not trusted: what is wrong in it makes names go missing, and nothing else. Of each
//! function 16 bytes are kept; its name stays in the file until somebody asks for it.

use std::fs::File;

use object::elf::{FileHeader64, PT_LOAD, SHT_DYNSYM, SHT_SYMTAB, STT_FUNC};
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader, SectionTable, Sym};
use object::read::{ReadCache, ReadRef};
use object::{Endianness, elf};

/// Functions kept of one module: 64 MB. Larger than the largest program known to us, so past it
/// something is wrong.
const MAX_FUNCTIONS: usize = 1 << 22;
/// Most names of one function that are read: enough to see what they have in common.
const MAX_FOLDED: usize = 32;
/// Most bytes of a symbol that are read; what is longer cannot be made readable, and is truncated.
const MAX_SYMBOL_BYTES: usize = 1 << 14;

/// The functions of a module.
#[derive(Debug)]
pub(super) struct Symbols {
    file: File,
    segments: Vec<Segment>,
    /// Sorted by address; of one address the largest first.
    functions: Vec<Function>,
    /// Where names begin in the file.
    names_offset: u64,
}

/// A part of the file that is mapped.
#[derive(Debug)]
struct Segment {
    offset: u64,
    size: u64,
    address: u64,
}

#[derive(Clone, Copy, Debug)]
struct Function {
    address: u64,
    /// In bytes, or 0 if unknown.
    size: u32,
    /// Where its name begins, after `names_offset`.
    name: u32,
}

impl Symbols {
    /// Reads what the file says of its functions: the full table if it was not stripped, else that
    /// for dynamic linking. `None` if it is no module of this kind of machine.
    pub(super) fn read(file: File) -> Option<Self> {
        let cache = ReadCache::new(&file);
        let header = FileHeader64::<Endianness>::parse(&cache).ok()?;
        let endian = header.endian().ok()?;
        let segments = header
            .program_headers(endian, &cache)
            .ok()?
            .iter()
            .filter(|segment| segment.p_type(endian) == PT_LOAD)
            .map(|segment| Segment {
                offset: segment.p_offset(endian),
                size: segment.p_filesz(endian),
                address: segment.p_vaddr(endian),
            })
            .collect();
        let (functions, names_offset) = header
            .sections(endian, &cache)
            .ok()
            .and_then(|sections| {
                functions(&sections, endian, &cache, SHT_SYMTAB)
                    .or_else(|| functions(&sections, endian, &cache, SHT_DYNSYM))
            })
            .unwrap_or_default();
        drop(cache);
        Some(Self {
            file,
            segments,
            functions,
            names_offset,
        })
    }

    /// The address, as the module counts, of what stands at `offset` in the file.
    pub(super) fn address_of_offset(&self, offset: u64) -> Option<u64> {
        self.segments.iter().find_map(|segment| {
            let inside = offset.checked_sub(segment.offset)?;
            (inside < segment.size)
                .then(|| segment.address.checked_add(inside))
                .flatten()
        })
    }

    /// The symbols of the function at `address`, as they stand in the file: several where the linker
    /// has folded functions into one. Empty if there is none.
    pub(super) fn symbols_at(&self, address: u64) -> Vec<String> {
        let after = self
            .functions
            .partition_point(|function| function.address <= address);
        let Some(last) = self.functions[..after].last() else {
            return Vec::new();
        };
        let first =
            self.functions[..after].partition_point(|function| function.address < last.address);
        let same = &self.functions[first..after];
        // That of the largest function, which surely reaches over all.
        let size = same[0].size;
        if size != 0 && address - last.address >= u64::from(size) {
            return Vec::new();
        }
        same.iter()
            .take_while(|function| function.size == size)
            .take(MAX_FOLDED)
            .filter_map(|function| {
                self.text_at(self.names_offset.checked_add(function.name.into())?)
            })
            .collect()
    }

    #[cfg(unix)]
    fn text_at(&self, mut offset: u64) -> Option<String> {
        use std::os::unix::fs::FileExt;

        let mut text = Vec::new();
        let mut part = [0; 256];
        while text.len() < MAX_SYMBOL_BYTES {
            let read = self.file.read_at(&mut part, offset).ok()?;
            let part = part.get(..read)?;
            let end = part.iter().position(|&byte| byte == 0);
            text.extend_from_slice(&part[..end.unwrap_or(read)]);
            if end.is_some() || read == 0 {
                break;
            }
            offset = offset.checked_add(read as u64)?;
        }
        (!text.is_empty()).then(|| String::from_utf8_lossy(&text).into_owned())
    }

    #[cfg(not(unix))]
    fn text_at(&self, _offset: u64) -> Option<String> {
        None
    }
}

/// The functions in a symbol table, and where their names begin; `None` if there are none.
fn functions<'a, R: ReadRef<'a>>(
    sections: &SectionTable<'a, FileHeader64<Endianness>, R>,
    endian: Endianness,
    data: R,
    kind: elf::SectionType,
) -> Option<(Vec<Function>, u64)> {
    let table = sections.symbols(endian, data, kind).ok()?;
    let names = sections.section(table.string_section()).ok()?;
    let mut functions: Vec<Function> = table
        .iter()
        .filter(|symbol| symbol.st_type() == STT_FUNC && symbol.st_value(endian) != 0)
        .take(MAX_FUNCTIONS)
        .map(|symbol| Function {
            address: symbol.st_value(endian),
            size: u32::try_from(symbol.st_size(endian)).unwrap_or(u32::MAX),
            name: symbol.st_name(endian),
        })
        .collect();
    functions.sort_unstable_by_key(|function| (function.address, u32::MAX - function.size));
    functions.shrink_to_fit();
    (!functions.is_empty()).then(|| (functions, names.sh_offset(endian)))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// A module with one segment, at 0x1000 for its bytes from 0 on, and the functions `first` (at
    /// 0x1010, 16 bytes) and `second` (at 0x1020, of unknown size).
    fn module() -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut put = |words: &[(u64, usize)]| {
            for &(word, size) in words {
                bytes.extend_from_slice(&word.to_le_bytes()[..size]);
            }
        };
        put(&[(0x0001_0102_464c_457f, 8), (0, 8)]);
        let (segments, sections, symbols, names) = (64, 120, 312, 384);
        put(&[
            (3, 2),
            (62, 2),
            (1, 4),
            (0, 8),
            (segments, 8),
            (sections, 8),
            (0, 4),
        ]);
        put(&[(64, 2), (56, 2), (1, 2), (64, 2), (3, 2), (2, 2)]);
        // Kind, flags, offset, address twice, size twice, alignment.
        put(&[
            (1, 4),
            (5, 4),
            (0, 8),
            (0x1000, 8),
            (0x1000, 8),
            (0x100, 8),
            (0x100, 8),
            (16, 8),
        ]);
        // Name, kind, flags, address, offset, size, link, info, alignment, size of an entry.
        for [kind, offset, size, link, entry] in [
            [0, 0, 0, 0, 0],
            [2, symbols, 72, 2, 24],
            [3, names, 14, 0, 0],
        ] {
            put(&[(0, 4), (kind, 4), (0, 8), (0, 8), (offset, 8), (size, 8)]);
            put(&[(link, 4), (0, 4), (8, 8), (entry, 8)]);
        }
        // Name, kind, visibility, section, address, size.
        for [name, kind, address, size] in [[0, 0, 0, 0], [1, 18, 0x1010, 16], [7, 18, 0x1020, 0]] {
            put(&[
                (name, 4),
                (kind, 1),
                (0, 1),
                (1, 2),
                (address, 8),
                (size, 8),
            ]);
        }
        bytes.extend_from_slice(b"\0first\0second\0");
        bytes
    }

    fn read(bytes: &[u8]) -> Option<Symbols> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        Symbols::read(file)
    }

    #[test]
    fn a_function_is_found_from_its_first_byte_to_its_last() {
        let symbols = read(&module()).unwrap();
        let name = |offset| {
            let address = symbols.address_of_offset(offset)?;
            symbols.symbols_at(address).pop()
        };
        assert_eq!(name(0x0f), None);
        assert_eq!(name(0x10).as_deref(), Some("first"));
        assert_eq!(name(0x1f).as_deref(), Some("first"));
        assert_eq!(name(0x20).as_deref(), Some("second"));
        assert_eq!(name(0xff).as_deref(), Some("second"));
        assert_eq!(name(0x100), None, "outside the segment");
    }

    #[test]
    fn a_function_that_the_linker_folded_has_all_its_names() {
        let mut bytes = module();
        // The second symbol moves to the address of the first, with its size.
        let second = 312 + 48;
        bytes[second + 8..second + 16].copy_from_slice(&0x1010_u64.to_le_bytes());
        bytes[second + 16..second + 24].copy_from_slice(&16_u64.to_le_bytes());
        let mut names = read(&bytes).unwrap().symbols_at(0x1018);
        names.sort();
        assert_eq!(names, ["first", "second"]);
    }

    #[test]
    fn a_damaged_module_loses_names_and_nothing_else() {
        let whole = module();
        let mut seen = 0;
        let mut ask = |bytes: &[u8]| {
            if let Some(symbols) = read(bytes) {
                seen += 1;
                for place in [0, 0x10, 0x20, 0x1010, u64::MAX] {
                    let _ = symbols.symbols_at(place);
                    let _ = symbols.address_of_offset(place);
                }
            }
        };
        for at in 0..whole.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut damaged = whole.clone();
                damaged[at] = value;
                ask(&damaged);
            }
            ask(&whole[..at]);
        }
        assert!(seen > whole.len(), "most of these are still read: {seen}");
    }
}
