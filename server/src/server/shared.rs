//! What all connections of a server share, made of its config. Apart from the server's start and stop, which has the
//! listeners and tasks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hither_core::{Rates, RoomPolicy, SessionPolicy};
use hither_transport::Clock;
use tokio::sync::{Notify, watch};

use crate::auth::{Authenticator, Jwt, Key, KeyError};
use crate::config::{AuthConfig, Config, DocumentsConfig, NamespaceConfig, Origins};
use crate::connection::{Admission, Shared};
use crate::data::{DataDir, Saved, Saver, Secrets};
use crate::event_log::{
    self, EventLog, MemoryEventLog, Retentions, SqliteEventLog, SqliteEventLogOptions,
};
use crate::metrics::Metrics;
use crate::rooms::{Node, Rooms};
use crate::sessions::{ResumeKey, Sessions};
use crate::store::{MemoryStore, OpenError, Retention, SqliteOptions, SqliteStore, Store};

/// The most bytes of records that the memory store keeps.
const MEMORY_STORE_BYTES_MAX: usize = 256 * 1024 * 1024;
/// The most bytes of events that are kept in memory.
const MEMORY_EVENT_LOG_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The parts that a server has made before its first connection.
pub(super) struct Assembly {
    pub(super) authenticator: Authenticator,
    pub(super) origins: Origins,
    pub(super) metrics: Arc<Metrics>,
    pub(super) draining: watch::Receiver<bool>,
    pub(super) secrets: Secrets,
    pub(super) data: Option<DataDir>,
    pub(super) clock: Clock,
    pub(super) store: Arc<dyn Store>,
    pub(super) event_log: Arc<dyn EventLog>,
}

impl Assembly {
    /// Puts them together, and takes up what the process before has saved. Within a data directory comes what saves it
    /// again.
    pub(super) fn shared(self, config: &Config) -> (Arc<Shared>, Option<Arc<Saver>>) {
        let Self {
            authenticator,
            origins,
            metrics,
            draining,
            secrets,
            data,
            clock,
            store,
            event_log,
        } = self;
        let changed = Arc::new(Notify::new());
        let now_ms = clock.now().as_millis();
        let saved = data.as_ref().map_or_else(Saved::default, |data| data.load(now_ms));
        let sessions = Sessions::new(
            ResumeKey::new(&secrets.resume),
            saved.saved_ms,
            saved.sessions,
            clock,
            metrics.clone(),
            changed.clone(),
        );
        let policies = config.namespaces.iter();
        let policies = policies.map(|(name, namespace)| (name.clone(), room_policy(namespace)));
        let policies = policies.collect();
        let node =
            Node { clock, store, event_log, metrics: metrics.clone(), changed: changed.clone() };
        let rooms = Rooms::new(policies, node);
        rooms.restore(saved.rooms);
        let saver = data.map(|dir| {
            let (sessions, rooms) = (sessions.clone(), rooms.clone());
            Arc::new(Saver { dir, clock, sessions, rooms, changed, turn: Default::default() })
        });
        let shared = Shared {
            rooms,
            authenticator,
            sessions,
            origins,
            policy: SessionPolicy {
                hello_deadline: Duration::from_millis(config.limits.hello_deadline_ms),
                rooms_max: config.limits.rooms_per_session_max,
            },
            admission: Admission::new(&config.limits),
            limits: config.limits.clone(),
            clock,
            metrics,
            draining,
        };
        (Arc::new(shared), saver)
    }
}

fn room_policy(namespace: &NamespaceConfig) -> RoomPolicy {
    RoomPolicy {
        motion: namespace.motion_format(),
        members_max: namespace.members_max,
        grace: Duration::from_millis(namespace.grace_ms),
        presence_bytes_max: namespace.presence_bytes_max,
        event_bytes_max: namespace.event_bytes_max,
        keeps_events: namespace.kept_events > 0,
        record_bytes_max: namespace.record_bytes_max,
        document_bytes_max: namespace.document_bytes_max,
        records_max: namespace.records_max,
        depth_max: namespace.depth_max,
        validator: namespace.validator.clone(),
        rates: Rates {
            motion: namespace.motion_per_s,
            presence: namespace.presence_per_s,
            events: namespace.events_per_s,
            edits: namespace.edits_per_s,
        },
    }
}

/// Where documents are: in the data directory, else in memory.
///
/// # Errors
/// [`OpenError`].
pub(super) fn open_store(
    data: Option<&DataDir>,
    documents: &DocumentsConfig,
    clock: Clock,
    metrics: &Arc<Metrics>,
) -> Result<Arc<dyn Store>, OpenError> {
    let Some(data) = data else {
        return Ok(Arc::new(MemoryStore::new(MEMORY_STORE_BYTES_MAX)));
    };
    let retention = Retention { edits: documents.history_edits, age: documents.history_age() };
    let options = SqliteOptions { retention, clock, ..SqliteOptions::default() };
    let store = SqliteStore::open(data.path(), options, metrics.clone())?;
    Ok(Arc::new(store))
}

/// Where events are kept: in the data directory, else in memory. A server that keeps none makes no file for them, and
/// forgets what one before has kept.
///
/// # Errors
/// [`event_log::OpenError`].
pub(super) fn open_event_log(
    data: Option<&DataDir>,
    namespaces: &BTreeMap<String, NamespaceConfig>,
    metrics: &Arc<Metrics>,
) -> Result<Arc<dyn EventLog>, event_log::OpenError> {
    let retention = |(name, namespace): (&String, &NamespaceConfig)| {
        (name.clone(), namespace.event_retention())
    };
    let retentions: Retentions = namespaces.iter().map(retention).collect();
    let keeps_any = retentions.values().any(|retention| retention.events > 0);
    let Some(data) = data.filter(|data| keeps_any || event_log::exists(data.path())) else {
        return Ok(Arc::new(MemoryEventLog::new(retentions, MEMORY_EVENT_LOG_BYTES_MAX)));
    };
    let options = SqliteEventLogOptions::default();
    let log = SqliteEventLog::open(data.path(), retentions, options, metrics.clone())?;
    Ok(Arc::new(log))
}

/// The way to judge hellos that the config says.
pub(super) fn authenticator(config: &AuthConfig) -> Result<Authenticator, KeyError> {
    Ok(match config {
        AuthConfig::Anonymous => Authenticator::Anonymous,
        AuthConfig::LocalAnonymous => Authenticator::LocalAnonymous,
        AuthConfig::Secret(secret) => Authenticator::Secret(secret.clone()),
        AuthConfig::Tokens(tokens) => {
            let key = Key::read(&tokens.key_file)?;
            let jwt = Jwt::new(&key, tokens.audience.clone(), tokens.leeway_ms);
            Authenticator::Jwt(Box::new(jwt))
        }
    })
}
