//! The names that can be asked for, whatever a filter lets through.

use exectrace_replay::{Names, Text};

use crate::names::Places;

/// The names in a trace, each once and in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vocabulary {
    /// Of async tasks, and of threads' own code.
    pub tasks: Vec<String>,
    /// Of spans and regions.
    pub regions: Vec<String>,
    /// Of spans that were concurrent with others of their async task; they are among the regions, too.
    pub concurrent_spans: Vec<String>,
    /// Of user tasks.
    pub user_tasks: Vec<String>,
}

/// Which texts are names of what, by their numbers.
#[derive(Debug, Default)]
pub(crate) struct Used {
    pub(crate) tasks: Marks,
    pub(crate) regions: Marks,
    pub(crate) concurrent_spans: Marks,
    pub(crate) user_tasks: Marks,
}

/// Some texts of a trace.
#[derive(Debug, Default)]
pub(crate) struct Marks(Vec<bool>);

impl Marks {
    #[inline]
    pub(crate) fn add(&mut self, text: Text) {
        let place = text.index();
        if self.0.len() <= place {
            self.0.resize(place + 1, false);
        }
        self.0[place] = true;
    }

    fn texts(&self, names: &Names) -> Vec<String> {
        let marked = self
            .0
            .iter()
            .zip(names.texts())
            .filter(|(is_marked, _)| **is_marked);
        let mut texts: Vec<String> = marked.map(|(_, id)| names.owned(id)).collect();
        texts.sort_unstable();
        texts
    }
}

impl Used {
    pub(crate) fn names(&self, names: &Names) -> Vocabulary {
        Vocabulary {
            tasks: self.tasks.texts(names),
            regions: self.regions.texts(names),
            concurrent_spans: self.concurrent_spans.texts(names),
            user_tasks: self.user_tasks.texts(names),
        }
    }
}
