//! What is mapped where in this process.

use std::fs::{self, File};
use std::path::Path;

use super::names;
use super::symbols::Symbols;

/// Times that the list of mappings is read again, as an address is in none of them. More come from
/// code made at run time, which no list names.
const MAX_RELOADS: u32 = 64;

/// The executable mappings of this process and the modules they are of.
#[derive(Debug, Default)]
pub(super) struct Modules {
    mappings: Vec<Mapping>,
    modules: Vec<Module>,
    loads: u32,
}

#[derive(Debug)]
struct Mapping {
    start: u64,
    end: u64,
    /// Where it begins in the file.
    offset: u64,
    /// Which of the modules it is of.
    module: usize,
}

/// A file of code.
#[derive(Debug)]
struct Module {
    path: String,
    /// The last part of its path.
    name: String,
    /// `None`: not read yet. `Some(None)`: cannot be read.
    symbols: Option<Option<Symbols>>,
}

impl Modules {
    /// The name of the function at `address`, or module and offset, or the address.
    pub(super) fn name(&mut self, address: u64) -> String {
        let mut found = self.mapping_of(address);
        if found.is_none() && self.loads < MAX_RELOADS {
            self.loads += 1;
            self.load();
            found = self.mapping_of(address);
        }
        let Some((offset, module)) = found else {
            return format!("{address:#x}");
        };
        let Some(module) = self.modules.get_mut(module) else {
            return format!("{address:#x}");
        };
        let symbols = module
            .symbols
            .get_or_insert_with(|| open(&module.path).and_then(Symbols::read));
        let address = symbols
            .as_ref()
            .and_then(|symbols| symbols.address_of_offset(offset));
        let found = symbols
            .as_ref()
            .zip(address)
            .map(|(symbols, address)| symbols.symbols_at(address))
            .unwrap_or_default();
        let readable = found.iter().map(|symbol| names::readable(symbol)).collect();
        match names::common(readable) {
            Some(name) => name,
            None => format!("{}+{:#x}", module.name, address.unwrap_or(offset)),
        }
    }

    /// Whether there is code at `address`, as far as the list of mappings was read.
    pub(super) fn has_code(&self, address: u64) -> bool {
        self.mapping_of(address).is_some()
    }

    /// Where `address` is in its file, and the file's number.
    fn mapping_of(&self, address: u64) -> Option<(u64, usize)> {
        let after = self
            .mappings
            .partition_point(|mapping| mapping.start <= address);
        let mapping = self.mappings.get(after.checked_sub(1)?)?;
        let offset = (address - mapping.start).checked_add(mapping.offset)?;
        (address < mapping.end).then_some((offset, mapping.module))
    }

    /// Reads the list of mappings. Modules that are known keep their symbols.
    fn load(&mut self) {
        self.mappings.clear();
        let Ok(list) = fs::read("/proc/self/maps") else {
            return;
        };
        for line in String::from_utf8_lossy(&list).lines() {
            if let Some((mapping, path)) = Mapping::of_line(line) {
                let module = self.module(path);
                self.mappings.push(Mapping { module, ..mapping });
            }
        }
        self.mappings.sort_by_key(|mapping| mapping.start);
    }

    fn module(&mut self, path: &str) -> usize {
        if let Some(known) = self.modules.iter().position(|module| module.path == path) {
            return known;
        }
        let name = path.rsplit('/').next().unwrap_or(path);
        self.modules.push(Module {
            path: path.to_owned(),
            name: name.to_owned(),
            symbols: None,
        });
        self.modules.len() - 1
    }
}

impl Mapping {
    /// Reads a line of `/proc/self/maps`: `start-end permissions offset device inode path`.
    ///
    /// `None` if it is not executable, or not what it should be.
    fn of_line(line: &str) -> Option<(Self, &str)> {
        let hexadecimal = |text| u64::from_str_radix(text, 16).ok();
        let (range, rest) = line.split_once(' ')?;
        let (start, end) = range.split_once('-')?;
        let (permissions, rest) = rest.split_once(' ')?;
        let (offset, rest) = rest.split_once(' ')?;
        let (_device, rest) = rest.split_once(' ')?;
        let (_inode, path) = rest.split_once(' ')?;
        let mapping = Self {
            start: hexadecimal(start)?,
            end: hexadecimal(end)?,
            offset: hexadecimal(offset)?,
            module: 0,
        };
        permissions
            .contains('x')
            .then_some((mapping, path.trim_start()))
    }
}

/// Opens a module's file, if it is still the one that is mapped.
fn open(path: &str) -> Option<File> {
    // The program itself can be read even when it was replaced or removed.
    let own = Path::new("/proc/self/exe");
    if fs::read_link(own).is_ok_and(|target| target.as_os_str() == path) {
        return File::open(own).ok();
    }
    let is_gone = path.ends_with(" (deleted)");
    // Neither a name such as `[vdso]`, nor what the kernel shows for memory without a file.
    (path.starts_with('/') && !is_gone)
        .then(|| File::open(path).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_executable_mappings_of_a_wellformed_list_are_kept() {
        let line = "55d0-55e0 r-xp 00000030 08:01 1234   /usr/bin/my program";
        let (mapping, path) = Mapping::of_line(line).unwrap();
        assert_eq!(
            (mapping.start, mapping.end, mapping.offset),
            (0x55d0, 0x55e0, 0x30)
        );
        assert_eq!(path, "/usr/bin/my program");
        for line in [
            "",
            "55d0-55e0 r--p 00000030 08:01 1234 /usr/bin/program",
            "55d0 r-xp 0 08:01 1234 /usr/bin/program",
            "55g0-55e0 r-xp 0 08:01 1234 /usr/bin/program",
            "55d0-55e0 r-xp",
        ] {
            assert!(Mapping::of_line(line).is_none(), "{line:?}");
        }
    }

    #[test]
    fn an_address_without_a_mapping_is_shown_as_it_is() {
        assert_eq!(Modules::default().name(0x10), "0x10");
    }
}
