//! The few greatest of many.

/// Keeps the items with the greatest keys; of equal ones the first.
#[derive(Clone, Debug)]
pub(crate) struct Top<T> {
    limit: usize,
    /// By falling key.
    items: Vec<(u64, T)>,
}

impl<T> Top<T> {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            items: Vec::new(),
        }
    }

    /// Whether an item with this key would be kept.
    #[inline]
    pub(crate) fn wants(&self, key: u64) -> bool {
        if self.items.len() < self.limit {
            return true;
        }
        self.items.last().is_some_and(|&(least, _)| key > least)
    }

    pub(crate) fn push(&mut self, key: u64, item: T) {
        if self.wants(key) {
            if self.items.len() == self.limit {
                self.items.pop();
            }
            let place = self.items.partition_point(|&(other, _)| other >= key);
            self.items.insert(place, (key, item));
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.items.iter().map(|(_, item)| item)
    }

    /// The items, the greatest first.
    pub(crate) fn into_items(self) -> Vec<T> {
        self.items.into_iter().map(|(_, item)| item).collect()
    }
}
