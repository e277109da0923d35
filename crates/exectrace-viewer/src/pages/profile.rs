//! Profiles: time by stack, as a flame graph and as a table.

use std::collections::BTreeMap;

use exectrace_analysis::display::{names, units};
use exectrace_analysis::{Profile, ProfileKind, ProfileSample};
use maud::{Markup, html};

use crate::trace::Answer;

use super::layout::Page;
use super::parts::{Table, duration, text};

/// The profiles, by what they are called in addresses.
const KINDS: [(&str, &str, ProfileKind); 9] = [
    ("run", "Running", ProfileKind::Run),
    ("wait", "Waiting", ProfileKind::Wait),
    ("scheduler", "Scheduler delay", ProfileKind::Scheduler),
    ("sync", "Synchronisation", ProfileKind::Sync),
    ("network", "Network", ProfileKind::Network),
    ("syscall", "System calls", ProfileKind::Syscall),
    ("cpu", "CPU samples", ProfileKind::Cpu),
    ("reason", "Waiting by reason", ProfileKind::WaitByReason),
    ("spawn", "Running by spawn", ProfileKind::RunBySpawn),
];

pub(super) fn kind(name: &str) -> Option<ProfileKind> {
    let found = KINDS.iter().find(|(known, ..)| *known == name)?;
    Some(found.2)
}

pub(super) fn page(answer: &Answer, page: &Page<'_>) -> Markup {
    let Some(profile) = answer.analysis.profiles.first() else {
        return html! {};
    };
    let title = KINDS.iter().find(|known| known.2 == profile.kind);
    html! {
        h1 { "Profile: " (title.map_or("", |known| known.1)) }
        nav.kinds aria-label="Profiles" {
            @for (name, title, kind) in KINDS {
                a href=(page.link(&format!("profile/{name}"))) aria-current=[(kind == profile.kind).then_some("page")] { (title) }
            }
        }
        @if profile.samples.is_empty() {
            p { "There is nothing of this in this part of the trace." }
        } @else {
            (flame_graph(profile))
            (top(profile))
        }
    }
}

/// A frame of the flame graph: what ran, or waited, in a function and in what that called.
#[derive(Debug, Default)]
struct Node {
    weight: u64,
    children: BTreeMap<String, Node>,
}

/// Frames of a stack that are drawn.
const MAX_DEPTH: usize = 64;
/// Narrower frames are not drawn.
const LEAST_SHARE: f64 = 0.001;
const ROW: f64 = 18.0;
const WIDTH: f64 = 1_200.0;

fn flame_graph(profile: &Profile) -> Markup {
    let mut root = Node::default();
    for sample in &profile.samples {
        let weight = profile.weight(sample);
        root.weight += weight;
        let mut node = &mut root;
        for function in functions_of(sample).rev().take(MAX_DEPTH) {
            node = node.children.entry(names::name(function)).or_default();
            node.weight += weight;
        }
    }
    let mut frames = Vec::new();
    place(&root, &mut frames);
    let depth = frames
        .iter()
        .map(|frame| frame.depth + 1)
        .max()
        .unwrap_or(0);
    let shown = |weight: u64| amount(profile.kind, weight);
    html! {
        section {
            h2 { "Flame graph " small { "the widest first; " (shown(root.weight)) " in all" } }
            svg.flame viewBox={ "0 0 " (WIDTH) " " (depth as f64 * ROW) } role="img" aria-label="flame graph; the table below has the same numbers" {
                @for frame in &frames {
                    @let width = frame.share * WIDTH;
                    g {
                        title { (frame.name) ", " (shown(frame.weight)) ", " (units::percent(frame.weight, root.weight)) }
                        rect class={ "c" (crate::index::Class::of_name(frame.name).0) }
                            x=(frame.from * WIDTH) y=(frame.depth as f64 * ROW) width=(width) height=(ROW - 1.0) {}
                        @if width > 30.0 {
                            text x=(frame.from * WIDTH + 3.0) y=(frame.depth as f64 * ROW + 13.0) {
                                (frame.name.chars().take((width / 7.0) as usize).collect::<String>())
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The functions of a stack, the innermost first; what has no stack is called so.
fn functions_of(sample: &ProfileSample) -> impl DoubleEndedIterator<Item = &str> {
    let none = sample.stack.is_empty().then_some("(no stack)");
    let functions = sample.stack.iter().map(|place| place.function.as_str());
    none.into_iter().chain(functions)
}

/// A frame with its place: shares of the whole width.
struct Frame<'a> {
    name: &'a str,
    weight: u64,
    depth: usize,
    from: f64,
    share: f64,
}

/// The frames that are wide enough, each next to its heaviest sibling.
fn place<'a>(root: &'a Node, frames: &mut Vec<Frame<'a>>) {
    let mut waiting = vec![(root, 0, 0.0)];
    while let Some((node, depth, from)) = waiting.pop() {
        let mut children: Vec<_> = node.children.iter().collect();
        children.sort_by_key(|(_, child)| std::cmp::Reverse(child.weight));
        let mut next = from;
        for (name, child) in children {
            let share = child.weight as f64 / root.weight.max(1) as f64;
            if share >= LEAST_SHARE {
                frames.push(Frame {
                    name,
                    weight: child.weight,
                    depth,
                    from: next,
                    share,
                });
                waiting.push((child, depth + 1, next));
            }
            next += share;
        }
    }
}

/// What the numbers of a profile are.
fn amount(kind: ProfileKind, weight: u64) -> String {
    match kind {
        ProfileKind::Cpu => units::plural(weight, "sample"),
        _ => units::duration(weight),
    }
}

/// By function: while it was the innermost one, and while it was anywhere on the stack.
fn top(profile: &Profile) -> Markup {
    let mut functions: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    let mut whole = 0;
    for sample in &profile.samples {
        let weight = profile.weight(sample);
        whole += weight;
        let mut seen: Vec<&str> = functions_of(sample).collect();
        if let Some(leaf) = seen.first() {
            functions.entry(leaf).or_default().0 += weight;
        }
        seen.sort_unstable();
        seen.dedup();
        for function in seen {
            functions.entry(function).or_default().1 += weight;
        }
    }
    let mut rows: Vec<_> = functions.into_iter().collect();
    rows.sort_by_key(|&(name, (own, all))| (std::cmp::Reverse((own, all)), name));
    let mut table = Table::new()
        .number("self")
        .number("share")
        .number("with what it called")
        .number("share")
        .text("function");
    let shown = |weight| match profile.kind {
        ProfileKind::Cpu => text(units::count(weight)),
        _ => duration(weight),
    };
    for (function, (own, all)) in rows.into_iter().take(200) {
        table.row([
            shown(own),
            text(units::percent(own, whole)),
            shown(all),
            text(units::percent(all, whole)),
            html! { bdi { (names::name(function)) } },
        ]);
    }
    table.section("By function", "the heaviest first")
}
