//! Files that wait for a yes: kept, examined, discarded.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use actix_web::rt::task::JoinHandle;
use tempfile::TempPath;

use super::upload::{Upload, UploadError, UploadFault};
use crate::domain::Store;
use crate::intake::FileHints;
use crate::intake::bills::SpoolError;
use crate::intake::diagnosis::{Diagnosis, Examiner, Refused};
use crate::intake::import::{FILE_NAME_CHARS_MAX, ImportRequest, hash_of};
use crate::intake::unlock::{UnlockError, unlock};
use crate::intake::uploads::{PENDING_KEEP, uploads_in};
use crate::store::{Admitted, PendingDraft, PendingImport, PersonId};
use crate::web::error::WebError;
use crate::web::state::AppState;

/// Files that this process examines now, each with how far it is: one process may hold several services (tests do), so
/// the door's address is part of the key.
static EXAMINING: LazyLock<Mutex<Examinations>> = LazyLock::new(Mutex::default);

/// One door (by its address) and number of a waiting file; millionths that are read.
type Examinations = HashMap<(usize, i64), Arc<AtomicI64>>;

/// Code of the refusal that a password helps with.
pub const PASSWORD_NEEDED: &str = "password_needed";
/// Codes of other refusals that a person can do something about with the very file.
const REMEDIABLE: [&str; 2] = ["unknown_format", "mapping"];

/// What uploads are held against.
pub fn examiner(state: &AppState) -> Examiner {
    Examiner {
        database: state.database.clone(),
        lake: Arc::clone(&state.lake),
        snapshot: state.snapshots.current(),
        pseudonyms: Arc::clone(&state.pseudonyms),
    }
}

/// Keeps an upload until somebody says yes; gives it back under its number.
pub async fn keep(
    state: &AppState,
    store: &Store,
    person: PersonId,
    upload: Upload,
) -> Result<PendingImport, UploadError> {
    let (request, file) = upload.request(state, store.id)?;
    let path = file.to_path_buf();
    let hashed = tokio::task::spawn_blocking(move || hash_of(&path)).await;
    let (sha256, size_bytes) = hashed.map_err(internal)?.map_err(internal)?;
    let place = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let now = state.clock.now();
    let draft = PendingDraft {
        store: store.id,
        person,
        file_name: request.file_name.chars().take(FILE_NAME_CHARS_MAX).collect(),
        place,
        size_bytes,
        sha256,
        mapping: request.mapping,
        account: request.hints.account.unwrap_or_default(),
        expires_at: now + PENDING_KEEP,
    };
    let id = match state.database.add_pending_import(&draft, now).await.map_err(WebError::from)? {
        Admitted::Yes(id) => id,
        Admitted::TooMany => return Err(UploadError::Fault(UploadFault::TooManyWaiting)),
        Admitted::TooLarge => return Err(UploadError::Fault(UploadFault::TooMuchWaiting)),
    };
    // From here on the file goes with its row; a sweep removes it where the row is lost.
    file.keep().map_err(internal)?;
    let pending = state.database.pending_import(id, now).await.map_err(WebError::from)?;
    Ok(pending.ok_or(WebError::NotFound)?)
}

fn internal(error: impl Into<anyhow::Error>) -> UploadError {
    UploadError::Web(WebError::Internal(error.into()))
}

/// Where the file of a waiting import stands; `None` when it is not kept.
pub fn path_of(state: &AppState, pending: &PendingImport) -> Result<Option<PathBuf>, WebError> {
    let Some(place) = &pending.place else { return Ok(None) };
    let folder = uploads_in(&state.config.data_dir).map_err(|error| WebError::Internal(error.into()))?;
    Ok(Some(folder.join(place)))
}

/// The import that a yes would begin; `None` when the file is not kept.
pub fn request_of(state: &AppState, pending: &PendingImport) -> Result<Option<ImportRequest>, WebError> {
    let Some(path) = path_of(state, pending)? else { return Ok(None) };
    let scratch = path.parent().map(PathBuf::from).unwrap_or_default();
    Ok(Some(ImportRequest {
        store: pending.store,
        path,
        file_name: pending.file_name.clone(),
        mapping: pending.mapping.clone(),
        hints: FileHints {
            account: Some(pending.account.clone()).filter(|said| !said.is_empty()),
            zone: None,
        },
        scratch,
        now: state.clock.now(),
    }))
}

/// Millionths that are read of a file that this process examines now.
pub fn position_of(state: &AppState, id: i64) -> Option<i64> {
    let examining = EXAMINING.lock().unwrap_or_else(PoisonError::into_inner);
    examining.get(&key_of(state, id)).map(|position| position.load(Ordering::Relaxed))
}

fn key_of(state: &AppState, id: i64) -> (usize, i64) {
    (Arc::as_ptr(&state.intake).addr(), id)
}

/// Takes the key out again when the examination ends, however it ends.
struct Examining((usize, i64));

impl Drop for Examining {
    fn drop(&mut self) {
        EXAMINING.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

/// Begins to examine a waiting file, unless this process does so already; the result is kept with its row.
pub fn examine(state: &AppState, pending: &PendingImport) -> Result<Option<JoinHandle<()>>, WebError> {
    let Some(request) = request_of(state, pending)? else { return Ok(None) };
    let key = key_of(state, pending.id);
    let position = Arc::new(AtomicI64::new(0));
    {
        let mut examining = EXAMINING.lock().unwrap_or_else(PoisonError::into_inner);
        if examining.contains_key(&key) {
            return Ok(None);
        }
        examining.insert(key, Arc::clone(&position));
    }
    let guard = Examining(key);
    let (state, pending) = (state.clone(), pending.clone());
    Ok(Some(actix_web::rt::spawn(async move {
        let _guard = guard;
        let examined = examiner(&state).examine(request, position).await;
        let diagnosis = examined.unwrap_or_else(|error| {
            tracing::error!(upload = pending.id, %error, "a file could not be examined");
            not_read()
        });
        if let Err(error) = note(&state, &pending, &diagnosis).await {
            tracing::error!(upload = pending.id, %error, "what was found in a file could not be kept");
        }
    })))
}

/// Keeps what was found; a file that is refused for good goes at once.
async fn note(state: &AppState, pending: &PendingImport, diagnosis: &Diagnosis) -> anyhow::Result<()> {
    let refused = diagnosis.refusal.as_ref();
    if refused.is_some_and(|refused| !is_remediable(&refused.code))
        && let Some(path) = path_of(state, pending)?
        && state.database.replace_pending_file(pending, "", 0).await?
    {
        std::fs::remove_file(path)?;
    }
    let json = serde_json::to_string(diagnosis)?;
    Ok(state.database.note_pending_diagnosis(pending.id, &json).await?)
}

fn is_remediable(code: &str) -> bool {
    REMEDIABLE.contains(&code) || code == PASSWORD_NEEDED
}

/// What is said when our side could not read a file.
fn not_read() -> Diagnosis {
    let refusal = Refused {
        code: "not_read".to_owned(),
        sentence: "The server could not read the file; its log says why. Upload it again.".to_owned(),
        sentence_zh: "服务器未能读取该文件，原因见日志。请重新上传。".to_owned(),
    };
    Diagnosis { refusal: Some(refusal), ..Diagnosis::default() }
}

/// Opens the archive of a waiting import: what is inside takes its place, to be examined. What does not open is noted.
pub async fn open(state: &AppState, pending: &PendingImport, password: String) -> Result<(), WebError> {
    let Some(locked) = path_of(state, pending)? else { return Err(WebError::Conflict) };
    let folder = locked.parent().map(PathBuf::from).unwrap_or_default();
    let opening = {
        let locked = locked.clone();
        tokio::task::spawn_blocking(move || unlock(&locked, &folder, &password))
    };
    match opening.await.map_err(|died| WebError::Internal(died.into()))? {
        Ok(path) => {
            let about = std::fs::metadata(&path).map_err(|error| WebError::Internal(error.into()))?;
            let size_bytes = i64::try_from(about.len()).unwrap_or(i64::MAX);
            let place = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let taken = state.database.replace_pending_file(pending, &place, size_bytes).await?;
            // Of two who enter the password at once, one has opened it.
            remove(if taken { locked } else { path })
        }
        Err(UnlockError::WrongPassword) => note_refused(state, pending, wrong_password()).await,
        Err(UnlockError::Spool(SpoolError::Refused(refusal))) => {
            note_refused(state, pending, Refused::of(&refusal)).await
        }
        Err(UnlockError::Spool(SpoolError::Io(error))) => Err(WebError::Internal(error.into())),
    }
}

async fn note_refused(state: &AppState, pending: &PendingImport, refused: Refused) -> Result<(), WebError> {
    let diagnosis = Diagnosis { refusal: Some(refused), ..Diagnosis::default() };
    note(state, pending, &diagnosis).await.map_err(WebError::Internal)
}

/// What is said when a password does not open an archive.
fn wrong_password() -> Refused {
    Refused {
        code: PASSWORD_NEEDED.to_owned(),
        sentence: "This password does not open the archive. Enter the right one, or unpack the archive and import the file inside.".to_owned(),
        sentence_zh: "密码不正确，无法打开压缩包。请重新输入，或先解压再导入里面的文件。".to_owned(),
    }
}

/// Takes a waiting import out of the list and removes its file; false when somebody else has taken it.
pub async fn discard(state: &AppState, pending: &PendingImport) -> Result<bool, WebError> {
    let path = path_of(state, pending)?;
    let taken = state.database.take_pending_import(pending.id).await?;
    if taken && let Some(path) = path {
        remove(path)?;
    }
    Ok(taken)
}

fn remove(path: PathBuf) -> Result<(), WebError> {
    let gone = TempPath::try_from_path(path).and_then(TempPath::close);
    match gone {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(WebError::Internal(error.into())),
        _ => Ok(()),
    }
}
