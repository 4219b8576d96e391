//! The tables, by numbered steps; apart from the rows, since a database may be of an earlier version than the code.

use rusqlite::{Connection, params};

use super::digest::Digest;
use crate::store::StoreError;

/// "Hthr": says whose database it is.
const APPLICATION_ID: i64 = 0x4874_6872;

/// What makes each version of the one before. A step that was released is never changed.
const STEPS: [&str; 1] = ["
    CREATE TABLE meta (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        commits INTEGER NOT NULL,
        rooms INTEGER NOT NULL,
        hash INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE rooms (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        document INTEGER NOT NULL DEFAULT 0,
        sequence INTEGER NOT NULL DEFAULT 0,
        chain INTEGER NOT NULL DEFAULT 0,
        time_ms INTEGER NOT NULL DEFAULT 0,
        snapshot INTEGER NOT NULL DEFAULT 0,
        trimmed INTEGER NOT NULL DEFAULT 0,
        trimmed_chain INTEGER NOT NULL DEFAULT 0,
        records INTEGER NOT NULL DEFAULT 0,
        records_sum INTEGER NOT NULL DEFAULT 0,
        editors INTEGER NOT NULL DEFAULT 0,
        editors_sum INTEGER NOT NULL DEFAULT 0,
        hash INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE TABLE records (
        room INTEGER NOT NULL,
        id TEXT NOT NULL,
        version INTEGER NOT NULL,
        fields BLOB NOT NULL,
        hash INTEGER NOT NULL,
        PRIMARY KEY (room, id)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE editors (
        room INTEGER NOT NULL,
        editor BLOB NOT NULL,
        acks BLOB NOT NULL,
        hash INTEGER NOT NULL,
        PRIMARY KEY (room, editor)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE edits (
        room INTEGER NOT NULL,
        sequence INTEGER NOT NULL,
        time_ms INTEGER NOT NULL,
        user TEXT NOT NULL,
        slot INTEGER NOT NULL,
        generation INTEGER NOT NULL,
        editor BLOB NOT NULL,
        number INTEGER NOT NULL,
        ops BLOB NOT NULL,
        chain INTEGER NOT NULL,
        PRIMARY KEY (room, sequence)
    ) STRICT, WITHOUT ROWID;
"];

/// The version that the last step makes.
pub(super) const VERSION: i64 = STEPS.len() as i64;

/// What the whole database is about: one row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Meta {
    /// How often something was committed.
    pub(super) commits: u64,
    pub(super) rooms: u64,
}

/// Why a database is none of ours.
#[derive(Debug)]
pub(super) enum Foreign {
    /// Another program's.
    Application,
    /// Of a later version, or of none that there was.
    Version(i64),
    Failed(StoreError),
}

impl<E: Into<StoreError>> From<E> for Foreign {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Makes the tables where there are none, and what is of an earlier version one of this.
pub(super) fn prepare(connection: &mut Connection) -> Result<(), Foreign> {
    let of = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application, version) = (of("application_id")?, of("user_version")?);
    let is_new = application == 0 && version == 0 && tables(connection)?.is_empty();
    if !is_new && application != APPLICATION_ID {
        return Err(Foreign::Application);
    }
    let done =
        usize::try_from(version).ok().filter(|done| *done <= STEPS.len() && (is_new || *done > 0));
    migrate(connection, &STEPS[done.ok_or(Foreign::Version(version))?..], version)?;
    let mut expected = Connection::open_in_memory()?;
    migrate(&mut expected, &STEPS, 0)?;
    if tables(connection)? != tables(&expected)? {
        return Err(
            StoreError::Damaged("the tables are others than they were made".to_owned()).into()
        );
    }
    Ok(())
}

/// Takes the steps after `version`, all or none.
fn migrate(connection: &mut Connection, steps: &[&str], version: i64) -> Result<(), StoreError> {
    if steps.is_empty() {
        return Ok(());
    }
    let transaction = connection.transaction()?;
    for step in steps {
        transaction.execute_batch(step)?;
    }
    if version == 0 {
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.execute("INSERT INTO meta VALUES (1, 0, 0, 0)", [])?;
        Meta::default().save(&transaction)?;
    }
    transaction.pragma_update(None, "user_version", version + steps.len() as i64)?;
    Ok(transaction.commit()?)
}

/// All that was created, as it was said.
fn tables(connection: &Connection) -> rusqlite::Result<Vec<(String, Option<String>)>> {
    let mut statement = connection.prepare("SELECT name, sql FROM sqlite_schema ORDER BY name")?;
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

impl Meta {
    pub(super) fn load(connection: &Connection) -> Result<Self, StoreError> {
        let mut statement = connection.prepare_cached("SELECT commits, rooms, hash FROM meta")?;
        let (meta, hash) = statement.query_row([], |row| {
            let number = |index| row.get(index).map(i64::cast_unsigned);
            Ok((Self { commits: number(0)?, rooms: number(1)? }, number(2)?))
        })?;
        if meta.hash() != hash {
            return Err(StoreError::Damaged("the row of table meta".to_owned()));
        }
        Ok(meta)
    }

    pub(super) fn save(self, connection: &Connection) -> Result<(), StoreError> {
        let sql = "UPDATE meta SET commits = ?1, rooms = ?2, hash = ?3";
        let (commits, rooms) = (self.commits.cast_signed(), self.rooms.cast_signed());
        connection.prepare_cached(sql)?.execute(params![
            commits,
            rooms,
            self.hash().cast_signed()
        ])?;
        Ok(())
    }

    fn hash(self) -> u64 {
        Digest::default().number(self.commits).number(self.rooms).finish(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(connection: &Connection) -> i64 {
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
    }

    #[test]
    fn tables_are_made_once() {
        let mut connection = Connection::open_in_memory().unwrap();
        prepare(&mut connection).unwrap();
        let meta = Meta { commits: 3, rooms: 1 };
        meta.save(&connection).unwrap();
        prepare(&mut connection).unwrap();
        assert_eq!((Meta::load(&connection).unwrap(), version(&connection)), (meta, 1));
    }

    #[test]
    fn steps_are_taken_from_where_a_database_is() {
        let mut connection = Connection::open_in_memory().unwrap();
        prepare(&mut connection).unwrap();
        migrate(&mut connection, &["CREATE TABLE a (b) ;", "CREATE TABLE c (d)"], 1).unwrap();
        assert_eq!(version(&connection), 3);
        let failed = migrate(&mut connection, &["CREATE TABLE e (f)", "CREATE TABLE a (b)"], 3);
        assert!(failed.is_err());
        assert_eq!(version(&connection), 3);
        assert!(!tables(&connection).unwrap().iter().any(|(name, _)| name == "e"), "half a step");
    }

    #[test]
    fn what_is_not_ours_is_refused() {
        let with = |sql: &str| {
            let mut connection = Connection::open_in_memory().unwrap();
            prepare(&mut connection).unwrap();
            connection.execute_batch(sql).unwrap();
            prepare(&mut connection).unwrap_err()
        };
        assert!(matches!(with("PRAGMA user_version = 2"), Foreign::Version(2)));
        assert!(matches!(with("PRAGMA user_version = 0"), Foreign::Version(0)));
        assert!(matches!(with("PRAGMA user_version = -1"), Foreign::Version(-1)));
        assert!(matches!(with("PRAGMA application_id = 1"), Foreign::Application));
        assert!(matches!(with("DROP TABLE edits"), Foreign::Failed(StoreError::Damaged(_))));
        let mut other = Connection::open_in_memory().unwrap();
        other.execute_batch("CREATE TABLE a (b)").unwrap();
        assert!(matches!(prepare(&mut other), Err(Foreign::Application)));
    }
}
