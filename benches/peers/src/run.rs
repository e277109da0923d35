//! Has all subjects take turns, and prints what came of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use exectrace_benches::describe_machine;

use crate::arguments::Arguments;
use crate::child::Child;
use crate::extras::Extras;
use crate::plan::{Effort, MEASURES, Measure, Program, SUBJECTS, Side, Subject};
use crate::results::{Results, Turn};
use crate::{Outcome, builds, picture, rivals, targets};

/// The programs that were built, and why others were not.
pub(crate) type Programs = BTreeMap<Program, Result<PathBuf, String>>;

/// The whole of it.
pub(crate) fn all(arguments: &Arguments) -> Outcome<()> {
    let effort = match arguments.is_quick {
        true => Effort::QUICK,
        false => Effort::FULL,
    };
    let is_wanted = |subject: &&Subject| {
        subject.side == Side::Baseline
            || (!arguments.is_targets_alone || subject.side == Side::Ours)
                && arguments.wants(subject.name)
    };
    let subjects: Vec<&Subject> = SUBJECTS.iter().filter(is_wanted).collect();
    let mut programs = Programs::new();
    for subject in &subjects {
        let program = subject.program;
        programs
            .entry(program)
            .or_insert_with(|| match &arguments.built {
                Some(folder) => builds::find(program, folder),
                None => builds::build(program),
            });
    }
    let begin = Instant::now();
    let results = turns(&effort, &subjects, &programs);
    let extras = Extras::measure(&effort, &subjects, &programs);
    print_head(arguments);
    rivals::print(&subjects, &results, &extras);
    if arguments.only.is_empty() || arguments.only.iter().any(|name| name == "exectrace") {
        targets::print(&results, &extras);
    }
    if let Some(file) = &arguments.picture {
        let partial = file.with_extension("svg.partial");
        fs::write(&partial, picture::draw(&subjects, &results))?;
        fs::rename(&partial, file)?;
    }
    eprintln!("measured for {:.0?}", begin.elapsed());
    Ok(())
}

fn print_head(arguments: &Arguments) {
    let mut words = vec![match (&arguments.picture, arguments.is_targets_alone) {
        (Some(_), _) => "picture FILE".to_owned(),
        (None, true) => "targets".to_owned(),
        (None, false) => "table".to_owned(),
    }];
    if arguments.is_quick {
        words.push("--quick".to_owned());
    }
    words.extend(arguments.only.iter().map(|name| format!("--only {name:?}")));
    let words = words.join(" ");
    println!("`cargo run --release --manifest-path benches/peers/Cargo.toml -- {words}`");
    println!("{}", describe_machine());
}

/// All measures of all subjects, in rounds of new processes, one after the other within a turn.
fn turns(effort: &Effort, subjects: &[&'static Subject], programs: &Programs) -> Results {
    let mut results = Results::default();
    for round in 0..effort.rounds {
        let mut children = start(subjects, programs, &mut results);
        eprintln!("round {} of {}", round + 1, effort.rounds);
        for &measure in MEASURES {
            // The first turn meets cold memory everywhere, and does not count.
            for turn in 0..=effort.turns {
                let number = round * effort.turns + turn;
                let counted = (turn > 0).then_some(number);
                take_turn(effort, &mut children, measure, counted, &mut results);
                results.lend_bases(measure, number);
                // Who came first comes last.
                children.reverse();
            }
        }
    }
    results
}

type Children = Vec<(&'static Subject, Child)>;

fn start(subjects: &[&'static Subject], programs: &Programs, results: &mut Results) -> Children {
    let mut children = Children::new();
    for &subject in subjects {
        let program = programs.get(&subject.program);
        let program = program.map_or(Err("not built".to_owned()), Clone::clone);
        match program.and_then(|program| Child::start(&program, subject.name)) {
            Ok(child) => children.push((subject, child)),
            Err(why) => {
                results.failures.insert(subject.name, why);
            }
        }
    }
    children
}

/// Has each subject do it once. One that fails is out of the run, and its row says why.
fn take_turn(
    effort: &Effort,
    children: &mut Children,
    measure: Measure,
    counted: Option<usize>,
    results: &mut Results,
) {
    children.retain_mut(|(subject, child)| {
        if !subject.does(measure) {
            return true;
        }
        let answer = match child.ask(&measure.order(effort)) {
            Ok(answer) => answer,
            Err(why) => {
                results
                    .failures
                    .insert(subject.name, format!("{measure}: {why}"));
                return false;
            }
        };
        let took = match (measure, answer.as_deref()) {
            (Measure::Hot(..), Some(&[floor, own, all, _])) => Turn {
                base: floor,
                base_all: floor,
                own,
                all,
            },
            (_, Some(&[base, base_all, own, all])) => Turn {
                base,
                base_all,
                own,
                all,
            },
            _ => return true,
        };
        if let Some(turn) = counted {
            results.add(subject.name, measure, turn, took);
        }
        true
    });
}
