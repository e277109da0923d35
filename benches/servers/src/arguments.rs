//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::case::{Case, Mode};
use crate::failure::Failure;

pub(crate) const USAGE: &str = "\
usage: exectrace-servers [--quick | --rounds N] [--stable] [--only CASE] [--keep FOLDER]

  --quick        one short round: seconds, rough figures
  --rounds N     so many rounds instead of 5
  --stable       the servers as they are built here, instead of a build with Tokio's hooks for tasks
                 and frame pointers (--cfg tokio_unstable -C force-frame-pointers=yes)
  --only CASE    axum, axum-work or mini-redis
  --keep FOLDER  keeps the traces there";

/// How many rounds there are, unless an option says otherwise.
const ROUNDS: u32 = 5;

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Command {
    Help,
    Measure(Options),
    Serve(Order),
}

/// How is measured.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) is_quick: bool,
    /// At least one.
    pub(crate) rounds: u32,
    pub(crate) is_stable: bool,
    pub(crate) only: Option<Case>,
    pub(crate) keep: Option<PathBuf>,
}

/// What one server's process is to do.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) case: Case,
    pub(crate) mode: Mode,
    /// How many blocks a request of [`Case::AxumWork`] hashes.
    pub(crate) blocks: u32,
    /// Where its traces go.
    pub(crate) folder: PathBuf,
}

impl Order {
    /// The arguments from which [`parse`] makes this order.
    pub(crate) fn arguments(&self) -> [OsString; 5] {
        [
            "serve".into(),
            self.case.name().into(),
            self.mode.word().into(),
            self.blocks.to_string().into(),
            self.folder.clone().into(),
        ]
    }
}

pub(crate) fn parse(mut arguments: impl Iterator<Item = OsString>) -> Result<Command, Failure> {
    let mut options = Options {
        is_quick: false,
        rounds: ROUNDS,
        is_stable: false,
        only: None,
        keep: None,
    };
    let mut is_first = true;
    while let Some(argument) = arguments.next() {
        match argument.to_string_lossy().as_ref() {
            "serve" if is_first => return parse_order(arguments).map(Command::Serve),
            "--help" | "-h" => return Ok(Command::Help),
            "--quick" => {
                options.is_quick = true;
                options.rounds = 1;
            }
            "--rounds" => options.rounds = parse_rounds(arguments.next())?,
            "--stable" => options.is_stable = true,
            "--only" => options.only = Some(parse_case(arguments.next())?),
            "--keep" => {
                let folder = arguments.next();
                let folder = folder.ok_or_else(|| usage("--keep takes a folder"))?;
                options.keep = Some(folder.into());
            }
            other => return Err(usage(&format!("unknown argument {other}"))),
        }
        is_first = false;
    }
    Ok(Command::Measure(options))
}

fn parse_order(mut arguments: impl Iterator<Item = OsString>) -> Result<Order, Failure> {
    let order = || usage("serve takes a case, a mode, a number of blocks and a folder");
    let case = parse_case(arguments.next())?;
    let mode = arguments.next().ok_or_else(order)?;
    let blocks = arguments.next().ok_or_else(order)?;
    let blocks = blocks.to_str().and_then(|text| text.parse().ok());
    Ok(Order {
        case,
        mode: Mode::of_word(&mode.to_string_lossy()).ok_or_else(order)?,
        blocks: blocks.ok_or_else(order)?,
        folder: arguments.next().ok_or_else(order)?.into(),
    })
}

fn parse_rounds(argument: Option<OsString>) -> Result<u32, Failure> {
    let number = argument.and_then(|argument| argument.to_str()?.parse().ok());
    let number = number.filter(|number| (1..=1_000).contains(number));
    number.ok_or_else(|| usage("--rounds takes a number from 1 to 1000"))
}

fn parse_case(argument: Option<OsString>) -> Result<Case, Failure> {
    let name = argument.unwrap_or_default();
    let name = name.to_string_lossy();
    Case::of_name(&name).ok_or_else(|| usage(&format!("no case is called {name:?}")))
}

fn usage(message: &str) -> Failure {
    Failure::Usage(message.to_owned())
}
