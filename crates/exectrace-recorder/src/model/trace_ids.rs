//! Which distributed trace a user task is a part of.
//!
//! Its span says so, in a field. What is recognised becomes a log of the user task, in one form, so that readers
//! need not know what the program calls its fields. The first id of each open user task is kept for preambles: a
//! file that begins while the task is open has it, too.

use exectrace_format::TaskId;
use exectrace_format::conventions::{TRACE_ID_CATEGORY, TraceId};
use rustc_hash::FxHashMap;

use super::names::{Leaf, NameId, Names};
use super::sites::{FieldRole, SiteId};
use super::threads::ThreadIndex;
use super::{BACKGROUND_TASK, Model};
use crate::input::FieldValues;
use crate::values::Value;

/// Most open user tasks whose ids are kept, some 40 bytes each. Files that begin later have no ids of others.
const MAX_TRACE_IDS: usize = 1 << 20;

/// The first id of each open user task that has one.
#[derive(Debug)]
pub(super) struct TraceIds {
    ids: FxHashMap<TaskId, TraceId>,
    category: NameId,
}

impl TraceIds {
    pub(super) fn new(names: &mut Names) -> Self {
        Self {
            ids: FxHashMap::default(),
            category: names.intern_static(TRACE_ID_CATEGORY),
        }
    }

    /// Keeps an id. `false` if it is the one that the task has already.
    fn insert(&mut self, task: TaskId, id: TraceId) -> bool {
        if let Some(&first) = self.ids.get(&task) {
            return first != id;
        }
        if self.ids.len() < MAX_TRACE_IDS {
            self.ids.insert(task, id);
        }
        true
    }

    pub(super) fn of(&self, task: TaskId) -> Option<TraceId> {
        self.ids.get(&task).copied()
    }

    /// The task has ended.
    #[inline]
    pub(super) fn forget(&mut self, task: TaskId) {
        if !self.ids.is_empty() {
            self.ids.remove(&task);
        }
    }

    /// A log of the annotation API: whether a program says so itself.
    #[inline]
    pub(super) fn look_at_log(&mut self, task: TaskId, category: NameId, message: &str) {
        if category == self.category
            && task != BACKGROUND_TASK
            && let Some(id) = TraceId::parse(message)
        {
            self.insert(task, id);
        }
    }
}

impl Model {
    /// Writes the ids that are among the fields of a span as logs of its task. What belongs to no task of the
    /// program has none.
    #[cold]
    pub(super) fn write_trace_ids(
        &mut self,
        thread: ThreadIndex,
        site: SiteId,
        task: TaskId,
        fields: FieldValues<'_>,
    ) {
        for (index, value) in fields.values {
            if self.sites.get(site).role(index) == FieldRole::TraceId {
                self.write_trace_id(thread, site, task, value);
            }
        }
    }

    /// Writes a value as a log of a span's task, if it is an id, and not the one that is known.
    pub(super) fn write_trace_id(
        &mut self,
        thread: ThreadIndex,
        site: SiteId,
        task: TaskId,
        value: Value<'_>,
    ) {
        if let Some(id) = id_of(value)
            && task != BACKGROUND_TASK
            && self.trace_ids.insert(task, id)
        {
            let place = Leaf::Place(self.sites.get(site).frame);
            let category = self.trace_ids.category;
            self.write_log_event(thread, task, category, &id.to_string(), place);
        }
    }
}

fn id_of(value: Value<'_>) -> Option<TraceId> {
    match value {
        Value::Text(text) | Value::Formatted(text) => TraceId::parse(text),
        Value::U64(number) => TraceId::new(number.into()),
        Value::U128(number) => TraceId::new(number),
        Value::I64(number) => TraceId::new(number.cast_unsigned().into()),
        Value::I128(number) => TraceId::new(number.cast_unsigned()),
        Value::F64(_) | Value::Bool(_) | Value::Redacted => None,
    }
}
