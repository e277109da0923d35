//! Names for the places that a trace has as module and offset.
//!
//! The recorder names functions by the symbols of the traced program's own file. What has none, most
//! of all a program whose release was stripped, it records as `module+0x1234`. With a file of the same
//! build that still has symbols, or debug information apart from it, names are found here, and from
//! debug information also lines, and functions that were inlined there.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use addr2line::Loader;
use anyhow::anyhow;
use exectrace_export::Symbolizer;
use exectrace_format::StackFrame;
use exectrace_format::conventions::UNKNOWN_FILE;
use exectrace_replay::{Location, Names};
use rustc_hash::FxHashMap;

/// Where the made-up numbers of new places begin. The recorder's, which count from 16, and
/// addresses of programs are below it.
const FIRST_COUNTER: u64 = 1 << 52;
/// The distance of two such numbers.
const COUNTER_STEP: u64 = 16;
/// Inlined functions shown at one address.
const MAX_INLINED: usize = 16;

/// A file with symbols, and the module of the trace that it is for.
#[derive(Clone, Debug)]
pub(crate) struct Binary {
    module: String,
    pub(crate) path: PathBuf,
}

impl std::str::FromStr for Binary {
    type Err = String;

    /// `PATH`, for the module of the same name, or `MODULE=PATH`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (module, path) = match text.split_once('=') {
            Some((module, path)) => (module.to_owned(), path),
            None => {
                let name = Path::new(text).file_name().unwrap_or_default();
                let name = name.to_string_lossy();
                let module = name.strip_suffix(".debug").unwrap_or(&name);
                (module.to_owned(), text)
            }
        };
        if module.is_empty() || path.is_empty() {
            return Err("not PATH or MODULE=PATH".to_owned());
        }
        Ok(Self {
            module,
            path: path.into(),
        })
    }
}

/// Finds names.
pub(crate) struct Symbols {
    modules: BTreeMap<String, Loader>,
    /// Numbers of new places.
    counters: FxHashMap<(String, String, u64), u64>,
    /// What was found for the name that a place had.
    found: FxHashMap<String, Option<Vec<StackFrame>>>,
}

impl fmt::Debug for Symbols {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Symbols")
            .field("modules", &self.modules.keys())
            .field("found", &self.found)
            .finish_non_exhaustive()
    }
}

impl Symbols {
    /// Opens the files.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or is no program or library.
    pub(crate) fn open(binaries: &[Binary]) -> anyhow::Result<Self> {
        let mut modules = BTreeMap::new();
        for binary in binaries {
            let path = &binary.path;
            // The loader's own errors are no standard errors that could be kept as a cause.
            let loader = Loader::new(path).map_err(|error| {
                anyhow!("{error}").context(format!("cannot read {}", path.display()))
            })?;
            modules.insert(binary.module.clone(), loader);
        }
        Ok(Self {
            modules,
            counters: FxHashMap::default(),
            found: FxHashMap::default(),
        })
    }

    /// How many different places had no name, and of these the names they still have.
    pub(crate) fn outcome(&self) -> (usize, Vec<&str>) {
        let without = self.found.iter().filter(|(_, places)| places.is_none());
        let mut without: Vec<&str> = without.map(|(name, _)| name.as_str()).collect();
        without.sort_unstable();
        (self.found.len(), without)
    }

    /// The places at an address, innermost first.
    fn find(&mut self, function: &str) -> Option<Vec<StackFrame>> {
        let (module, address) = address_in(function)?;
        let loader = self.modules.get(module)?;
        let mut found = Vec::new();
        if let Ok(mut frames) = loader.find_frames(address) {
            while let Ok(Some(frame)) = frames.next() {
                let name = frame
                    .function
                    .as_ref()
                    .and_then(|name| name.demangle().ok());
                let Some(name) = name else { continue };
                let place = frame.location.as_ref();
                let file = place.and_then(|place| place.file).unwrap_or(UNKNOWN_FILE);
                let line = place.and_then(|place| place.line).unwrap_or(1).max(1);
                found.push((readable(&name), file.to_owned(), u64::from(line)));
                if found.len() >= MAX_INLINED {
                    break;
                }
            }
        }
        if found.is_empty() {
            let symbol = loader.find_symbol(address)?;
            let name = addr2line::demangle_auto(symbol.into(), None);
            found.push((readable(&name), UNKNOWN_FILE.to_owned(), 1));
        }
        let places = found.into_iter().map(|(function, file, line)| {
            let pc = self.counter(&function, &file, line);
            StackFrame::new(pc, function, file, line)
        });
        Some(places.collect())
    }

    /// Readers know a place by its number alone, so each has its own.
    fn counter(&mut self, function: &str, file: &str, line: u64) -> u64 {
        let next = FIRST_COUNTER + self.counters.len() as u64 * COUNTER_STEP;
        let key = (function.to_owned(), file.to_owned(), line);
        *self.counters.entry(key).or_insert(next)
    }
}

impl Symbolizer for Symbols {
    fn symbolize(&mut self, frame: &Location, names: &Names) -> Option<Vec<StackFrame>> {
        let function = names.get(frame.function);
        address_in(function)?;
        if let Some(known) = self.found.get(function) {
            return known.clone();
        }
        let found = self.find(function);
        self.found.insert(function.to_owned(), found.clone());
        found
    }
}

/// Module and address in a name such as `module+0x1234`.
fn address_in(function: &str) -> Option<(&str, u64)> {
    let (module, address) = function.rsplit_once("+0x")?;
    let address = u64::from_str_radix(address, 16).ok()?;
    (!module.is_empty()).then_some((module, address))
}

/// A name without the closures that `async` blocks are.
fn readable(name: &str) -> String {
    let mut readable = String::new();
    for part in name.split("::") {
        let is_closure = part == "{{closure}}" || part.starts_with("{closure");
        if !is_closure {
            if !readable.is_empty() {
                readable.push_str("::");
            }
            readable.push_str(part);
        }
    }
    readable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_module_and_address_are_taken_for_what_has_no_name() {
        assert_eq!(address_in("app+0x12ab"), Some(("app", 0x12ab)));
        assert_eq!(address_in("lib+x.so+0x1"), Some(("lib+x.so", 1)));
        for name in [
            "app::main",
            "0x12ab",
            "+0x12",
            "app+0x",
            "app+0xzz",
            "a+0x11112222333344445",
        ] {
            assert_eq!(address_in(name), None, "{name}");
        }
    }

    #[test]
    fn a_binary_is_of_the_module_of_its_name_or_of_another() {
        let module = |text: &str| text.parse().map(|binary: Binary| binary.module);
        assert_eq!(module("/tmp/app").as_deref(), Ok("app"));
        assert_eq!(module("out/app.debug").as_deref(), Ok("app"));
        assert_eq!(module("app=/tmp/app-1.2").as_deref(), Ok("app"));
        assert!(module("").is_err() && module("app=").is_err());
    }

    #[test]
    fn closures_are_not_part_of_a_name() {
        assert_eq!(
            readable("app::serve::{{closure}}::{{closure}}"),
            "app::serve"
        );
        assert_eq!(readable("app::serve::{closure#0}"), "app::serve");
    }
}
