//! The filter language: which async tasks count.

/// Lets some async tasks through. The default lets all through.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// If it is given, only async tasks of this name.
    pub group: Option<String>,
}

/// [`Filter`] in terms of one trace.
#[derive(Debug)]
pub(crate) struct Compiled {
    group: Option<crate::names::Text>,
}

impl Compiled {
    pub(crate) fn new(filter: &Filter, names: &mut crate::names::Names) -> Self {
        Self {
            group: filter.group.as_deref().map(|group| names.intern(group)),
        }
    }

    #[inline]
    pub(crate) fn lets_through(&self, flow: &crate::play::Flow) -> bool {
        self.group.is_none_or(|group| flow.name == group)
    }
}
