//! What all pages share: the head, the links to the others, what part of the trace they are about, and what of it is
//! missing.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use exectrace_analysis::display::units;
use exectrace_analysis::{Analysis, Damage};
use maud::{DOCTYPE, Markup, html};

use crate::question::Question;
use crate::trace::Opened;

/// A page that is being made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page<'a> {
    label: &'a str,
    question: &'a Question,
    root: &'static str,
}

const PAGES: [(&str, &str); 11] = [
    ("", "Overview"),
    ("timeline", "Time line"),
    ("tasks", "Async tasks"),
    ("usertasks", "User tasks"),
    ("regions", "Regions"),
    ("latency", "Latency"),
    ("workers", "Workers"),
    ("syscalls", "System calls"),
    ("profile/run", "Profiles"),
    ("logs", "Logs"),
    ("help", "Help"),
];

impl<'a> Page<'a> {
    /// `root` leads from the page to the first one.
    pub(super) fn new(label: &'a str, question: &'a Question, root: &'static str) -> Self {
        Self {
            label,
            question,
            root,
        }
    }

    /// A link to another page, which asks the same of the trace.
    pub(super) fn link(&self, path: &str) -> String {
        let root = if self.root.is_empty() {
            "./"
        } else {
            self.root
        };
        match self.question.query().as_str() {
            "" => format!("{root}{path}"),
            query => format!("{root}{path}?{query}"),
        }
    }

    /// A link to the time line around a span of time, with a row chosen in it.
    pub(super) fn time_line(&self, row: &str, begin_ns: u64, duration_ns: u64) -> String {
        let margin = (duration_ns / 2).max(500);
        let (t0, t1) = (
            begin_ns.saturating_sub(margin),
            begin_ns.saturating_add(duration_ns).saturating_add(margin),
        );
        let root = self.root;
        format!("{root}timeline?t0={t0}&t1={t1}&row={row}&at={begin_ns}")
    }

    /// A link to the same page, with another filter.
    pub(super) fn filtered(&self, path: &str, filter: &str) -> String {
        let question = Question {
            filter_text: filter.to_owned(),
            ..self.question.clone()
        };
        format!("{}{path}?{}", self.root, question.query())
    }

    /// The whole document. `analysis`: what the numbers come from, if they do.
    pub(super) fn document(&self, analysis: Option<&Analysis>, content: &Markup) -> Markup {
        self.framed(html! {
            @if let Some(analysis) = analysis { (self.part()) (missing(analysis)) }
            main {
                (content)
                @if let Some(analysis) = analysis { (gaps(analysis)) }
            }
        })
    }

    /// The document around what may fill the whole window.
    pub(super) fn framed(&self, body: Markup) -> Markup {
        let root = self.root;
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (self.label) " – exectrace" }
                    link rel="stylesheet" href={ (root) "ui/style.css" };
                    link rel="icon" href="data:,";
                }
                body {
                    header {
                        strong.name { (self.label) }
                        nav aria-label="Pages" {
                            @for (path, title) in PAGES {
                                a href=(self.link(path)) { (title) }
                            }
                        }
                    }
                    (body)
                }
            }
        }
    }

    /// Which part of the trace the page is about, and how to ask for another.
    fn part(&self) -> Markup {
        let question = self.question;
        let time = |ns: u64| {
            if ns == u64::MAX {
                String::new()
            } else {
                ns.to_string()
            }
        };
        let window = question.window;
        html! {
            form.part method="get" {
                label { "from " input name="t0" inputmode="numeric" size="14" value=(window.map_or(String::new(), |window| time(window.begin_ns))); }
                label { "to " input name="t1" inputmode="numeric" size="14" value=(window.map_or(String::new(), |window| time(window.end_ns))); }
                " ns since the begin "
                label { "filter " input.filter name="filter" size="40" value=(question.filter_text) placeholder="group~conn state:waiting dur>5ms"; }
                button { "Show" }
                @if let Some(window) = window {
                    span.aside {
                        "from " (units::instant(window.begin_ns))
                        @if window.end_ns < u64::MAX { " to " (units::instant(window.end_ns)) }
                    }
                }
                @if let Some(error) = &question.error {
                    p.warning role="alert" { "This is no filter: " (error) }
                }
            }
        }
    }
}

/// What of the trace is missing, said first.
fn missing(analysis: &Analysis) -> Markup {
    let lost = analysis.overview.lost.records;
    html! {
        @if let Some(damage) = &analysis.damage {
            @let damage = Damage::from(damage);
            p.warning role="alert" {
                "The trace is damaged at byte " (units::count(damage.offset)) ": " (damage.message)
                ". This covers what comes before."
            }
        }
        @if lost > 0 {
            p.warning role="alert" {
                (units::count(lost)) " records were dropped while recording: counts and times are too small, and some states are inferred."
            }
        }
    }
}

/// Why a number may be missing, for those who cannot point at it.
fn gaps(analysis: &Analysis) -> Markup {
    let blind = &analysis.overview.sight.blind;
    html! {
        @if !blind.is_empty() {
            section.aside aria-label="What the trace does not have" {
                @for blind in blind { p { "-: " (blind.why) } }
            }
        }
    }
}

/// The page for a trace that cannot be read at all.
pub(super) fn unreadable(opened: &Opened, root: &'static str, error: &str) -> Response {
    let question = Question::default();
    let page = Page::new(opened.trace.label(), &question, root);
    let body = html! {
        main {
            h1 { "This trace cannot be read" }
            p.warning role="alert" { (error) }
            p { "Nothing before that could be shown. " code { "exectrace check" } " says what is wrong with the file." }
        }
    };
    (StatusCode::INTERNAL_SERVER_ERROR, page.framed(body)).into_response()
}
