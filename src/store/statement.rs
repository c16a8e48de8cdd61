//! One statement, whichever engine answers it.

use std::borrow::Cow;
use std::time::Duration;

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments, Decode, FromRow, Postgres, Sqlite, Type};

use super::StoreError;
use super::connection::{Connection, Readers};

/// How long a statement may take on PostgreSQL until its connection counts as dead: a little more than the server
/// itself gives it. A cut network answers nothing, not even an error.
const POSTGRES_ANSWERS_WITHIN: Duration = Duration::from_secs(40);

/// A value bound to a statement. Both engines keep numbers, instants (milliseconds) and truth as 64-bit integers.
#[derive(Debug)]
pub(super) enum Value<'v> {
    Int(Option<i64>),
    Text(Option<Cow<'v, str>>),
    Bytes(Cow<'v, [u8]>),
}

/// A statement and the values bound to it so far.
#[derive(Debug)]
pub(super) struct Statement<'v> {
    sqlite: &'static str,
    postgres: &'static str,
    values: Vec<Value<'v>>,
}

/// A statement that both engines understand: the text of a file of `sql/`.
pub(super) const fn statement<'v>(sql: &'static str) -> Statement<'v> {
    statement_per_engine(sql, sql)
}

/// A statement that has to differ: the texts of `sql/name.sql` and `sql/name.postgres.sql`.
pub(super) const fn statement_per_engine<'v>(sqlite: &'static str, postgres: &'static str) -> Statement<'v> {
    Statement { sqlite, postgres, values: Vec::new() }
}

/// A row type that either engine's rows can be read into: a tuple, or a struct that derives `sqlx::FromRow`.
pub(super) trait Record:
    for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{
}

impl<T> Record for T where T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin {}

/// A single value that either engine can answer.
pub(super) trait Scalar:
    for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres> + Send + Unpin
{
}

impl<T> Scalar for T where
    T: for<'r> Decode<'r, Sqlite>
        + Type<Sqlite>
        + for<'r> Decode<'r, Postgres>
        + Type<Postgres>
        + Send
        + Unpin
{
}

/// Where a statement runs: on a connection at hand, or on one of the readers'.
pub(super) enum Place<'c> {
    Connection(&'c mut Connection),
    Readers(&'c Readers),
}

impl<'c> From<&'c mut Connection> for Place<'c> {
    fn from(connection: &'c mut Connection) -> Self {
        Self::Connection(connection)
    }
}

impl<'c> From<&'c Readers> for Place<'c> {
    fn from(readers: &'c Readers) -> Self {
        Self::Readers(readers)
    }
}

/// Runs `$query` (one of sqlx's ways to ask) with method `$fetch` on whichever engine the place belongs to.
macro_rules! ask {
    ($statement:expr, $place:expr, $query:path, $fetch:ident) => {{
        let Statement { sqlite, postgres, values } = $statement;
        let mut lent;
        let connection = match $place.into() {
            Place::Connection(connection) => connection,
            Place::Readers(readers) => {
                lent = readers.acquire().await?;
                &mut lent
            }
        };
        match connection {
            Connection::Sqlite(connection) => {
                $query(sqlite, sqlite_arguments(values)?).$fetch(&mut **connection).await
            }
            Connection::Postgres(connection) => {
                let live = connection.live()?;
                let asked = $query(postgres, postgres_arguments(values)?).$fetch(&mut **live);
                let answered = tokio::time::timeout(POSTGRES_ANSWERS_WITHIN, asked).await;
                answered.unwrap_or_else(|_| Err(connection.give_up()))
            }
        }
    }};
}

impl<'v> Statement<'v> {
    /// Binds the next placeholder.
    pub(super) fn bind(mut self, value: impl Into<Value<'v>>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Runs it and says how many rows it changed.
    pub(super) async fn execute<'c>(self, place: impl Into<Place<'c>>) -> Result<u64, StoreError> {
        let mut lent;
        let connection = match place.into() {
            Place::Connection(connection) => connection,
            Place::Readers(readers) => {
                lent = readers.acquire().await?;
                &mut lent
            }
        };
        let Statement { sqlite, postgres, values } = self;
        match connection {
            Connection::Sqlite(connection) => {
                let asked = sqlx::query_with(sqlite, sqlite_arguments(values)?).execute(&mut **connection);
                Ok(asked.await?.rows_affected())
            }
            Connection::Postgres(connection) => {
                let live = connection.live()?;
                let asked = sqlx::query_with(postgres, postgres_arguments(values)?).execute(&mut **live);
                let answered = tokio::time::timeout(POSTGRES_ANSWERS_WITHIN, asked).await;
                Ok(answered.unwrap_or_else(|_| Err(connection.give_up()))?.rows_affected())
            }
        }
    }

    /// The one row it answers.
    pub(super) async fn fetch_one<'c, T: Record>(self, place: impl Into<Place<'c>>) -> Result<T, StoreError> {
        Ok(ask!(self, place, sqlx::query_as_with, fetch_one)?)
    }

    /// The row it answers, if any.
    pub(super) async fn fetch_optional<'c, T: Record>(
        self,
        place: impl Into<Place<'c>>,
    ) -> Result<Option<T>, StoreError> {
        Ok(ask!(self, place, sqlx::query_as_with, fetch_optional)?)
    }

    /// Every row it answers.
    pub(super) async fn fetch_all<'c, T: Record>(
        self,
        place: impl Into<Place<'c>>,
    ) -> Result<Vec<T>, StoreError> {
        Ok(ask!(self, place, sqlx::query_as_with, fetch_all)?)
    }

    /// The first value of the one row it answers.
    pub(super) async fn scalar_one<'c, T: Scalar>(
        self,
        place: impl Into<Place<'c>>,
    ) -> Result<T, StoreError> {
        let (value,) = self.fetch_one(place).await?;
        Ok(value)
    }

    /// The first value of the row it answers, if any.
    pub(super) async fn scalar_optional<'c, T: Scalar>(
        self,
        place: impl Into<Place<'c>>,
    ) -> Result<Option<T>, StoreError> {
        Ok(self.fetch_optional(place).await?.map(|(value,)| value))
    }

    /// The first value of every row it answers.
    pub(super) async fn scalar_all<'c, T: Scalar>(
        self,
        place: impl Into<Place<'c>>,
    ) -> Result<Vec<T>, StoreError> {
        Ok(self.fetch_all(place).await?.into_iter().map(|(value,)| value).collect())
    }
}

fn sqlite_arguments(values: Vec<Value<'_>>) -> Result<SqliteArguments, sqlx::Error> {
    let mut arguments = SqliteArguments::default();
    for value in values {
        match value {
            Value::Int(number) => arguments.add(number),
            Value::Text(text) => arguments.add(text),
            Value::Bytes(bytes) => arguments.add(bytes),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

fn postgres_arguments(values: Vec<Value<'_>>) -> Result<PgArguments, sqlx::Error> {
    let mut arguments = PgArguments::default();
    for value in values {
        match value {
            Value::Int(number) => arguments.add(number),
            Value::Text(text) => arguments.add(text),
            Value::Bytes(bytes) => arguments.add(bytes),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

macro_rules! int_values {
    ($($from:ty => |$value:ident| $number:expr;)*) => {$(
        impl From<$from> for Value<'_> {
            fn from($value: $from) -> Self {
                Self::Int($number)
            }
        }
    )*};
}

int_values! {
    i64 => |value| Some(value);
    &i64 => |value| Some(*value);
    u32 => |value| Some(i64::from(value));
    bool => |value| Some(i64::from(value));
    Option<i64> => |value| value;
}

impl<'v> From<&'v str> for Value<'v> {
    fn from(text: &'v str) -> Self {
        Self::Text(Some(Cow::Borrowed(text)))
    }
}

impl<'v> From<&'v String> for Value<'v> {
    fn from(text: &'v String) -> Self {
        Self::Text(Some(Cow::Borrowed(text)))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Text(Some(Cow::Owned(text)))
    }
}

impl<'v> From<Option<&'v str>> for Value<'v> {
    fn from(text: Option<&'v str>) -> Self {
        Self::Text(text.map(Cow::Borrowed))
    }
}

impl From<Option<String>> for Value<'_> {
    fn from(text: Option<String>) -> Self {
        Self::Text(text.map(Cow::Owned))
    }
}

impl<'v> From<&'v Option<String>> for Value<'v> {
    fn from(text: &'v Option<String>) -> Self {
        Self::Text(text.as_deref().map(Cow::Borrowed))
    }
}

impl<'v> From<&'v [u8]> for Value<'v> {
    fn from(bytes: &'v [u8]) -> Self {
        Self::Bytes(Cow::Borrowed(bytes))
    }
}

impl<'v> From<&'v Vec<u8>> for Value<'v> {
    fn from(bytes: &'v Vec<u8>) -> Self {
        Self::Bytes(Cow::Borrowed(bytes))
    }
}

impl From<Vec<u8>> for Value<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(Cow::Owned(bytes))
    }
}
