//! The lock-sharded map from names to what closes for good once nobody uses it. Apart from rooms, so that it can be
//! tested and measured without any.

use std::hash::Hash;
use std::sync::Arc;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;

/// What a [`Registry`] holds.
pub trait Closable {
    /// Whether it is of no use any more. Once true, it stays true.
    fn is_closed(&self) -> bool;
}

/// Everything that is open, by name; of each name at most one. Whoever gets something that closes meanwhile asks again.
#[derive(Debug)]
pub struct Registry<K: Eq + Hash, V> {
    entries: DashMap<K, Arc<V>>,
}

impl<K: Clone + Eq + Hash, V: Closable> Registry<K, V> {
    /// What has this name and was not closed when looked at; `open` makes it if there is none. `open` runs under the
    /// lock of a shard, so it must be quick and must not come back here.
    pub fn get_or_open(&self, name: &K, open: impl FnOnce() -> Arc<V>) -> Arc<V> {
        if let Some(found) = self.entries.get(name).filter(|found| !found.is_closed()) {
            return found.clone();
        }
        match self.entries.entry(name.clone()) {
            Entry::Occupied(entry) if !entry.get().is_closed() => entry.get().clone(),
            Entry::Occupied(mut entry) => {
                let opened = open();
                entry.insert(opened.clone());
                opened
            }
            Entry::Vacant(entry) => entry.insert(open()).clone(),
        }
    }

    /// Everything that is open.
    pub fn all(&self) -> Vec<Arc<V>> {
        let open = self.entries.iter().map(|entry| entry.value().clone());
        open.filter(|value| !value.is_closed()).collect()
    }

    /// Takes out what is closed, unless its name stands for another one already.
    pub fn remove(&self, name: &K, closed: &Arc<V>) {
        self.entries.remove_if(name, |_, found| Arc::ptr_eq(found, closed));
    }
}

impl<K: Eq + Hash, V> Default for Registry<K, V> {
    fn default() -> Self {
        Self { entries: DashMap::new() }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[derive(Default)]
    struct Door(AtomicBool);

    impl Closable for Door {
        fn is_closed(&self) -> bool {
            self.0.load(Ordering::Acquire)
        }
    }

    #[test]
    fn a_name_stands_for_one_until_that_is_closed() {
        let registry = Registry::default();
        let first = registry.get_or_open(&"a", Arc::<Door>::default);
        assert!(Arc::ptr_eq(&first, &registry.get_or_open(&"a", || panic!("it is open"))));
        assert!(!Arc::ptr_eq(&first, &registry.get_or_open(&"b", Arc::default)));

        first.0.store(true, Ordering::Release);
        let second = registry.get_or_open(&"a", Arc::default);
        registry.remove(&"a", &first);
        assert_eq!(registry.all().len(), 2);
        assert!(Arc::ptr_eq(&second, &registry.get_or_open(&"a", || panic!("it is open"))));

        registry.remove(&"a", &second);
        assert!(!Arc::ptr_eq(&second, &registry.get_or_open(&"a", Arc::default)));
    }
}
