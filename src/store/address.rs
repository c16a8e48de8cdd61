use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;

use super::StoreError;

/// Which database: a file of SQLite's, or a PostgreSQL server.
#[derive(Clone)]
pub enum DatabaseAddress {
    File(PathBuf),
    Postgres(Box<PgConnectOptions>),
}

impl DatabaseAddress {
    /// Reads `postgres://user:password@host:port/database`; anything else is the path of a file.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when an address of PostgreSQL is malformed; the message does not repeat it, for it
    /// may hold a password.
    pub fn parse(text: &str) -> Result<Self, StoreError> {
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            return Ok(Self::File(PathBuf::from(text)));
        }
        Ok(Self::Postgres(Box::new(PgConnectOptions::from_str(text)?)))
    }

    /// The database file; `None` for PostgreSQL.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Postgres(_) => None,
        }
    }
}

/// Without password.
impl fmt::Display for DatabaseAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = match self {
            Self::File(path) => return write!(formatter, "{}", path.display()),
            Self::Postgres(options) => options,
        };
        let (user, port) = (options.get_username(), options.get_port());
        let database = options.get_database().unwrap_or(user);
        match options.get_socket() {
            Some(folder) => write!(formatter, "postgres://{user}@{}:{port}/{database}", folder.display()),
            None => write!(formatter, "postgres://{user}@{}:{port}/{database}", options.get_host()),
        }
    }
}

/// As [`fmt::Display`]: sqlx's own would tell the password.
impl fmt::Debug for DatabaseAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl From<&Path> for DatabaseAddress {
    fn from(path: &Path) -> Self {
        Self::File(path.to_owned())
    }
}

impl From<&PathBuf> for DatabaseAddress {
    fn from(path: &PathBuf) -> Self {
        Self::File(path.clone())
    }
}

impl From<PathBuf> for DatabaseAddress {
    fn from(path: PathBuf) -> Self {
        Self::File(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        let address = DatabaseAddress::parse("postgres://till:s3cr3t-canary@db.example:5433/sales").unwrap();
        assert_eq!(address.to_string(), "postgres://till@db.example:5433/sales");
        assert!(!format!("{address:?}").contains("s3cr3t"));
        let socket = DatabaseAddress::parse("postgres:///sales?host=/run/postgresql&user=till").unwrap();
        assert_eq!(socket.to_string(), "postgres://till@/run/postgresql:5432/sales");
        let wrong =
            DatabaseAddress::parse("postgres://till:s3cr3t-canary@db.example:port/sales").unwrap_err();
        assert!(!wrong.to_string().contains("s3cr3t"), "{wrong}");
        assert_eq!(DatabaseAddress::parse("/data/t.db").unwrap().file(), Some(Path::new("/data/t.db")));
    }
}
