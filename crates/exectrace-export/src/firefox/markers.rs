//! The kinds of markers, and what each of them has.

use std::marker::PhantomData;

use fxprof_processed_profile::{
    CategoryHandle, MarkerFieldFlags, MarkerFieldFormat, Profile, StaticSchemaMarker,
    StaticSchemaMarkerField, StringHandle,
};

/// A kind of marker: its name, how it is labelled, and its fields in the order of [`Mark`].
pub(super) trait Kind {
    const NAME: &'static str;
    const LABEL: &'static str;
    const FIELDS: &'static [StaticSchemaMarkerField];
}

/// A marker of this kind.
pub(super) struct Mark<K> {
    pub(super) name: StringHandle,
    pub(super) category: CategoryHandle,
    pub(super) texts: [StringHandle; 2],
    pub(super) number: f64,
    pub(super) kind: PhantomData<K>,
}

const fn text(key: &'static str, label: &'static str) -> StaticSchemaMarkerField {
    StaticSchemaMarkerField {
        key,
        label,
        format: MarkerFieldFormat::String,
        flags: MarkerFieldFlags::SEARCHABLE,
    }
}

const fn number(
    key: &'static str,
    label: &'static str,
    format: MarkerFieldFormat,
) -> StaticSchemaMarkerField {
    StaticSchemaMarkerField {
        key,
        label,
        format,
        flags: MarkerFieldFlags::SEARCHABLE,
    }
}

/// An async task on a worker or thread.
pub(super) struct Ran;
/// An async task in a state.
pub(super) struct Was;
/// A region.
pub(super) struct InRegion;
/// A user task.
pub(super) struct InUserTask;
/// A log.
pub(super) struct Said;
/// A range of garbage collection.
pub(super) struct Collected;
/// A time in which a thread had no processor.
pub(super) struct OffProcessor;

impl Kind for Ran {
    const NAME: &'static str = "run";
    const LABEL: &'static str = "{marker.name} {marker.data.task}";
    const FIELDS: &'static [StaticSchemaMarkerField] = &[
        text("task", "Async task"),
        text("next", "Then"),
        number("ready", "Ready before", MarkerFieldFormat::Nanoseconds),
    ];
}

impl Kind for Was {
    const NAME: &'static str = "state";
    const LABEL: &'static str = "{marker.name}";
    const FIELDS: &'static [StaticSchemaMarkerField] = &[
        text("task", "Async task"),
        text("wokenBy", "Woken by"),
        number("worker", "Worker", MarkerFieldFormat::Integer),
    ];
}

impl Kind for InRegion {
    const NAME: &'static str = "region";
    const LABEL: &'static str = "{marker.name}";
    const FIELDS: &'static [StaticSchemaMarkerField] = &[
        text("task", "Async task"),
        text("state", "Ended"),
        number("userTask", "User task", MarkerFieldFormat::Integer),
    ];
}

impl Kind for InUserTask {
    const NAME: &'static str = "userTask";
    const LABEL: &'static str = "{marker.name} {marker.data.number}";
    const FIELDS: &'static [StaticSchemaMarkerField] = &[
        text("number", "User task"),
        text("parent", "Parent"),
        number("task", "Began in async task", MarkerFieldFormat::Integer),
    ];
}

impl Kind for Said {
    const NAME: &'static str = "log";
    const LABEL: &'static str = "{marker.data.message}";
    const FIELDS: &'static [StaticSchemaMarkerField] = &[
        text("message", "Message"),
        text("task", "Async task"),
        number("userTask", "User task", MarkerFieldFormat::Integer),
    ];
}

impl Kind for Collected {
    const NAME: &'static str = "gc";
    const LABEL: &'static str = "{marker.name}";
    const FIELDS: &'static [StaticSchemaMarkerField] = &[text("whom", "Concerns")];
}

impl Kind for OffProcessor {
    const NAME: &'static str = "processor";
    const LABEL: &'static str = "no processor: {marker.name}";
    const FIELDS: &'static [StaticSchemaMarkerField] = &[];
}

impl<K: Kind> StaticSchemaMarker for Mark<K> {
    const UNIQUE_MARKER_TYPE_NAME: &'static str = K::NAME;
    const CHART_LABEL: Option<&'static str> = Some(K::LABEL);
    const TABLE_LABEL: Option<&'static str> = Some(K::LABEL);
    const FIELDS: &'static [StaticSchemaMarkerField] = K::FIELDS;

    fn name(&self, _profile: &mut Profile) -> StringHandle {
        self.name
    }

    fn category(&self, _profile: &mut Profile) -> CategoryHandle {
        self.category
    }

    fn string_field_value(&self, field: u32) -> StringHandle {
        self.texts[usize::from(field != 0)]
    }

    fn number_field_value(&self, _field: u32) -> f64 {
        self.number
    }
}
