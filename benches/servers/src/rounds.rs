//! The rounds: every mode has a turn in each, and every trace is judged.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::arguments::{Options, Order};
use crate::case::{Case, Mode, WORK};
use crate::child::Server;
use crate::failure::Failure;
use crate::figures::{Round, Turn};
use crate::flagged_build;
use crate::judge::Judge;
use crate::load::{self, Amount};
use crate::server::blocks_for;
use crate::table;

/// What stays the same in all rounds.
struct Bench<'a> {
    options: &'a Options,
    /// The program whose `serve` is a server.
    program: PathBuf,
    /// For traces.
    folder: PathBuf,
    blocks: u32,
}

pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let cases = Case::ALL.into_iter();
    let cases: Vec<_> = cases
        .filter(|case| options.only.is_none_or(|only| only == *case))
        .collect();
    for case in &cases {
        load::require(*case)?;
    }
    let program = program(options)?;
    let mut judge = Judge::find()?;
    let temporary = tempfile::tempdir().map_err(|source| Failure::File {
        what: "make a folder in",
        path: env::temp_dir(),
        source,
    })?;
    let bench = Bench {
        options,
        program,
        folder: options.keep.clone().unwrap_or(temporary.path().to_owned()),
        blocks: blocks_for(WORK),
    };
    table::print_head(options, &judge);
    for case in cases {
        let rounds = bench.measure(case, &mut judge)?;
        table::print(case, &rounds);
    }
    println!();
    if judge.bad > 0 {
        return Err(Failure::Traces(judge.bad));
    }
    println!("{} traces, judged by {}", judge.traces, judge.names());
    println!("all traces valid");
    Ok(())
}

/// The program whose `serve` is a server: this one, or a build of it with flags.
fn program(options: &Options) -> Result<PathBuf, Failure> {
    let this_program = env::current_exe().map_err(|source| Failure::File {
        what: "find the program",
        path: env::args_os().next().unwrap_or_default().into(),
        source,
    })?;
    match options.is_stable {
        true => Ok(this_program),
        false => flagged_build::build(&this_program),
    }
}

impl Bench<'_> {
    fn measure(&self, case: Case, judge: &mut Judge) -> Result<Vec<Round>, Failure> {
        let mut rounds = Vec::new();
        for number in 0..self.options.rounds {
            let folder = self.folder.join(format!("{}-{number}", case.name()));
            let round = self.round(case, number, &folder)?;
            // Afterwards, so that the turns follow one another closely.
            self.judge(case, &folder, &round, judge)?;
            rounds.push(round);
        }
        Ok(rounds)
    }

    fn round(&self, case: Case, number: u32, folder: &Path) -> Result<Round, Failure> {
        let mut turns: Vec<Option<Turn>> = Mode::ALL.map(|_| None).to_vec();
        // Each round begins with another mode, so that none is always the first.
        let first = number as usize % turns.len();
        for place in (first..turns.len()).chain(0..first) {
            let order = Order {
                case,
                mode: Mode::ALL[place],
                blocks: self.blocks,
                folder: folder.join(Mode::ALL[place].word()),
            };
            turns[place] = Some(self.turn(&order)?);
        }
        Ok(turns.into_iter().flatten().collect())
    }

    /// One server's life.
    fn turn(&self, order: &Order) -> Result<Turn, Failure> {
        fs::create_dir_all(&order.folder).map_err(|source| Failure::File {
            what: "make the folder",
            path: order.folder.clone(),
            source,
        })?;
        let server = Server::start(&self.program, order)?;
        let load = |amount| load::run(order.case, server.port, amount, &order.folder);
        let warm_up = load(Amount::WarmUp)?;
        let amount = match self.options.is_quick {
            true => Amount::Short,
            false => Amount::Full {
                rate: warm_up.rate(),
            },
        };
        let before = server.used()?;
        let mut measured = load(amount)?;
        // The server may have become slower than it was when it warmed up.
        while !self.options.is_quick && measured.requests < load::REQUESTS_MIN {
            measured = measured.and(load(amount)?);
        }
        let used = server.used()?.since(before);
        Ok(Turn {
            measured,
            used,
            requests: warm_up.requests + measured.requests,
            recorded: server.finish()?,
        })
    }

    /// Judges all traces of a round, and removes those that nobody wants.
    fn judge(
        &self,
        case: Case,
        folder: &Path,
        round: &Round,
        judge: &mut Judge,
    ) -> Result<(), Failure> {
        for (mode, turn) in Mode::ALL.into_iter().zip(round) {
            let requests = if mode.has_requests() {
                turn.requests
            } else {
                0
            };
            for recorded in &turn.recorded {
                judge.judge(&folder.join(mode.word()), recorded, case, requests);
            }
        }
        if self.options.keep.is_some() {
            return Ok(());
        }
        fs::remove_dir_all(folder).map_err(|source| Failure::File {
            what: "remove",
            path: folder.to_owned(),
            source,
        })
    }
}
