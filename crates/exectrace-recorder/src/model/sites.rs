//! Call sites of spans and events: described once, kept as ids.

use exectrace_format::conventions::{UNKNOWN_FILE, UNKNOWN_SPAN};
use rustc_hash::FxHashMap;

use super::names::{FrameId, NameId, Names};
use crate::input::CallsiteKey;
use crate::span_source::{Callsite, CallsiteKind, TaskRule};

/// A call site that the model knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SiteId(u32);

/// What the model needs of a call site.
#[derive(Debug)]
pub(crate) struct Site {
    /// `None` if it stands for what is unknown.
    pub(crate) key: Option<CallsiteKey>,
    /// The span's name.
    pub(crate) name: NameId,
    /// Level and target: the category of its events.
    pub(crate) category: NameId,
    pub(crate) frame: FrameId,
    pub(crate) task: TaskRule,
    /// The field that says whether a span is a user task.
    task_field: Option<usize>,
    /// What each field is.
    roles: Box<[FieldRole]>,
    /// Whether any is the id of a distributed trace.
    pub(crate) has_trace_ids: bool,
    pub(crate) callsite: Callsite,
}

/// What a field is to the text of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldRole {
    /// It is the message.
    Message,
    /// It is shown with its name.
    Shown,
    /// It is shown with its name, and is the id of a distributed trace.
    TraceId,
    /// It says something to the tracer alone.
    Hidden,
}

/// The boolean field that makes a span a user task, or keeps it from being one.
const TASK_FIELD: &str = "exectrace.task";

/// Fields of a `log` record that say where it comes from; they are not part of its text.
const LOG_PREFIX: &str = "log.";

impl Site {
    /// The name of a field.
    pub(crate) fn field(&self, index: usize) -> &'static str {
        self.callsite.fields.get(index).copied().unwrap_or("?")
    }

    /// What a field is.
    #[inline]
    pub(crate) fn role(&self, index: usize) -> FieldRole {
        self.roles.get(index).copied().unwrap_or(FieldRole::Shown)
    }

    /// The index of the field that says whether a span is a user task, if there is one.
    #[inline]
    pub(crate) fn task_field(&self) -> Option<usize> {
        self.task_field
    }
}

fn roles(callsite: &Callsite) -> Box<[FieldRole]> {
    let is_trace_id = |index| callsite.trace_id_fields.contains(&index);
    let fields = callsite.fields.iter().enumerate();
    let roles = fields.map(|(index, name)| match role(name, callsite.kind) {
        FieldRole::Shown if is_trace_id(index) => FieldRole::TraceId,
        role => role,
    });
    roles.collect()
}

fn role(name: &str, kind: CallsiteKind) -> FieldRole {
    match name {
        "message" => FieldRole::Message,
        TASK_FIELD => FieldRole::Hidden,
        _ if kind == CallsiteKind::Log && name.starts_with(LOG_PREFIX) => FieldRole::Hidden,
        _ => FieldRole::Shown,
    }
}

/// Asks a span source what stands at an address.
pub(crate) type Describe = Box<dyn Fn(CallsiteKey) -> Option<Callsite> + Send>;

/// The call sites that were seen.
pub(crate) struct Sites {
    describe: Describe,
    sites: Vec<Site>,
    by_key: FxHashMap<CallsiteKey, SiteId>,
    unknown_span: Option<SiteId>,
}

impl std::fmt::Debug for Sites {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sites").field("sites", &self.sites).finish()
    }
}

impl Sites {
    pub(crate) fn new(describe: Describe) -> Self {
        Self {
            describe,
            sites: Vec::new(),
            by_key: FxHashMap::default(),
            unknown_span: None,
        }
    }

    /// The call site of a key, which is described the first time.
    #[inline]
    pub(crate) fn id_of(&mut self, key: CallsiteKey, names: &mut Names) -> SiteId {
        match self.by_key.get(&key) {
            Some(&site) => site,
            None => self.add(key, names),
        }
    }

    #[cold]
    fn add(&mut self, key: CallsiteKey, names: &mut Names) -> SiteId {
        let callsite = (self.describe)(key).unwrap_or_else(|| unknown("unknown"));
        let id = self.push(Some(key), callsite, names);
        self.by_key.insert(key, id);
        id
    }

    /// The call site of spans whose making was not seen.
    pub(crate) fn unknown_span(&mut self, names: &mut Names) -> SiteId {
        if let Some(site) = self.unknown_span {
            return site;
        }
        let site = self.push(None, unknown(UNKNOWN_SPAN), names);
        self.unknown_span = Some(site);
        site
    }

    fn push(&mut self, key: Option<CallsiteKey>, callsite: Callsite, names: &mut Names) -> SiteId {
        let module = callsite.module.unwrap_or(callsite.target);
        let function = match callsite.kind {
            CallsiteKind::Span | CallsiteKind::AsyncTask => format!("{module}::{}", callsite.name),
            CallsiteKind::Event | CallsiteKind::Log => module.to_owned(),
        };
        let file = callsite.file.unwrap_or(UNKNOWN_FILE);
        let roles = roles(&callsite);
        let site = Site {
            key,
            name: names.intern(callsite.name),
            category: names.intern(&category(callsite.level, callsite.target)),
            frame: names.frame_of(&function, file, callsite.line.unwrap_or(1)),
            task: callsite.task,
            task_field: callsite.fields.iter().position(|name| *name == TASK_FIELD),
            has_trace_ids: roles.contains(&FieldRole::TraceId),
            roles,
            callsite,
        };
        let id = SiteId(self.sites.len() as u32);
        self.sites.push(site);
        id
    }

    #[inline]
    pub(crate) fn get(&self, site: SiteId) -> &Site {
        &self.sites[site.0 as usize]
    }
}

fn unknown(name: &'static str) -> Callsite {
    Callsite {
        name,
        target: "unknown",
        level: "",
        module: None,
        file: None,
        line: None,
        fields: Vec::new(),
        trace_id_fields: Vec::new(),
        kind: CallsiteKind::Span,
        task: TaskRule::Roots,
    }
}

/// The category of a log: level and target.
pub(crate) fn category(level: &str, target: &str) -> String {
    if level.is_empty() {
        target.to_owned()
    } else {
        format!("{level} {target}")
    }
}
