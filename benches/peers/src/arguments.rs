//! The command line.

use std::path::PathBuf;

/// How it is used.
pub(crate) const USAGE: &str = "\
usage: cargo run --release --manifest-path benches/peers/Cargo.toml -- table [--quick] [--only NAME]... [--built FOLDER]
       cargo run --release --manifest-path benches/peers/Cargo.toml -- targets [--quick]
       cargo run --release --manifest-path benches/peers/Cargo.toml -- picture FILE [--quick]

table    measures all peers, prints the tables, and judges the targets
targets  exectrace and the baselines alone
picture  as table, and draws a bar chart (SVG) into FILE
--quick  takes a few minutes less; its figures are rough
--only   only subjects whose name contains NAME (and the baselines); may be repeated
--built  takes the programs from FOLDER and builds none";

/// What is to be done.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arguments {
    /// Only exectrace and the baselines.
    pub(crate) is_targets_alone: bool,
    /// Where the picture goes.
    pub(crate) picture: Option<PathBuf>,
    pub(crate) is_quick: bool,
    /// Where the programs are, if they are built already.
    pub(crate) built: Option<PathBuf>,
    /// Parts of the names of subjects; all if empty.
    pub(crate) only: Vec<String>,
}

impl Arguments {
    pub(crate) fn parse(words: &[&str]) -> Result<Self, String> {
        let mut words = words.iter();
        let mut arguments = Self::default();
        match words.next() {
            Some(&"table") => {}
            Some(&"targets") => arguments.is_targets_alone = true,
            Some(&"picture") => {
                let file = words.next().ok_or("picture needs the name of a file")?;
                arguments.picture = Some(PathBuf::from(file));
            }
            Some(other) => return Err(format!("`{other}` is not understood")),
            None => return Err("say what to do".to_owned()),
        }
        while let Some(&word) = words.next() {
            match word {
                "--quick" => arguments.is_quick = true,
                "--only" => {
                    let name = words.next().ok_or("--only needs a name")?;
                    arguments.only.push((*name).to_owned());
                }
                "--built" => {
                    let folder = words.next().ok_or("--built needs a folder")?;
                    arguments.built = Some(PathBuf::from(folder));
                }
                other => return Err(format!("`{other}` is not understood")),
            }
        }
        Ok(arguments)
    }

    /// Whether a subject is wanted.
    pub(crate) fn wants(&self, subject: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| subject.contains(name.as_str()))
    }
}
