use std::path::Path;
use std::time::{Duration, Instant as Stopwatch};

use actix_multipart::{Field, Multipart};
use actix_web::http::StatusCode;
use futures_util::StreamExt;
use tempfile::TempPath;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::domain::StoreId;
use crate::intake::FileHints;
use crate::intake::bills::FILE_BYTES_MAX;
use crate::intake::import::ImportRequest;
use crate::intake::mapping::MAPPING_BYTES_MAX;
use crate::intake::uploads::uploads_in;
use crate::web::error::WebError;
use crate::web::state::AppState;

/// Largest file that is taken over the network: as large as any that is read.
pub const UPLOAD_BYTES_MAX: u64 = FILE_BYTES_MAX;
/// Fields of a form.
const FIELDS_MAX: usize = 8;
/// Bytes of a field that is neither file nor mapping.
const TEXT_BYTES_MAX: usize = 1_024;
/// Longest wait for the next piece of a form; and the time that every file has.
const PATIENCE: Duration = Duration::from_secs(30);
/// After that a file must keep this pace on average.
const BYTES_PER_SECOND_MIN: u64 = 1 << 10;
/// After so many bytes it is asked again whether the disk has room.
const ASK_AGAIN_BYTES: u64 = 16 << 20;

/// What a form with a file brought.
pub struct Upload {
    pub file: Option<TempPath>,
    pub file_name: String,
    pub size_bytes: u64,
    pub mapping: Option<String>,
    pub store: String,
    /// The account that the file is of, where it does not say so itself.
    pub account: String,
}

/// Judges the token of a form.
pub type Admit<'a> = &'a dyn Fn(&str) -> Result<(), WebError>;

/// Why a form with a file is not taken.
#[derive(Debug)]
pub enum UploadError {
    /// Something that has a page or an answer of its own.
    Web(WebError),
    /// Something that the form itself should say.
    Fault(UploadFault),
}

impl From<WebError> for UploadError {
    fn from(error: WebError) -> Self {
        Self::Web(error)
    }
}

impl From<UploadError> for WebError {
    fn from(error: UploadError) -> Self {
        match error {
            UploadError::Web(error) => error,
            UploadError::Fault(fault) => Self::Refused {
                status: fault.status(),
                code: fault.code(),
                detail: fault.sentence().to_owned(),
            },
        }
    }
}

/// What is wrong with a form; pages say it by the key `imports-fault-{code}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UploadFault {
    /// No form, or one that is cut off.
    Unreadable,
    FileMissing,
    SeveralFiles,
    TooLarge,
    TooSlow,
    /// The server's disk is too full to take anything in.
    DiskFull,
    /// The store has too many files waiting for a yes.
    TooManyWaiting,
    /// The store has too many bytes waiting for a yes.
    TooMuchWaiting,
}

impl UploadFault {
    /// Stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unreadable => "form_unreadable",
            Self::FileMissing => "file_missing",
            Self::SeveralFiles => "several_files",
            Self::TooLarge => "too_large",
            Self::TooSlow => "body_too_slow",
            Self::DiskFull => "disk_full",
            Self::TooManyWaiting => "too_many_waiting",
            Self::TooMuchWaiting => "too_much_waiting",
        }
    }

    pub const fn status(self) -> StatusCode {
        match self {
            Self::Unreadable => StatusCode::BAD_REQUEST,
            Self::FileMissing | Self::SeveralFiles => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::DiskFull => StatusCode::SERVICE_UNAVAILABLE,
            Self::TooManyWaiting | Self::TooMuchWaiting => StatusCode::CONFLICT,
        }
    }

    const fn sentence(self) -> &'static str {
        match self {
            Self::Unreadable => "the form cannot be read, or was cut off; send it again",
            Self::FileMissing => "send a file in the field `file`",
            Self::SeveralFiles => "send one file at a time",
            Self::TooLarge => {
                "the file is larger than 4 GiB, the most that is taken; split it by month or day"
            }
            Self::TooSlow => "the file came too slowly; nothing was taken",
            Self::DiskFull => "the server's disk is full; nothing was taken",
            Self::TooManyWaiting | Self::TooMuchWaiting => {
                "too many files of this store wait to be confirmed; confirm or discard some"
            }
        }
    }
}

const fn fault<T>(fault: UploadFault) -> Result<T, UploadError> {
    Err(UploadError::Fault(fault))
}

impl Upload {
    /// Reads a form, the file straight to the disk. `admit` is given the token in the field `csrf`, which must come
    /// before the file; machines that show a key have none.
    pub async fn read(
        state: &AppState,
        mut form: Multipart,
        admit: Option<Admit<'_>>,
    ) -> Result<Self, UploadError> {
        let folder = uploads_in(&state.config.data_dir).map_err(internal)?;
        let mut upload = Self {
            file: None,
            file_name: String::new(),
            size_bytes: 0,
            mapping: None,
            store: String::new(),
            account: String::new(),
        };
        let mut admitted = admit.is_none();
        let mut fields = 0;
        while let Some(mut field) = next_field(&mut form).await? {
            fields += 1;
            if fields > FIELDS_MAX {
                return fault(UploadFault::Unreadable);
            }
            match field.name().unwrap_or_default().to_owned().as_str() {
                "csrf" => {
                    let token = text(&mut field, TEXT_BYTES_MAX).await?;
                    if let Some(admit) = admit {
                        admit(&token)?;
                    }
                    admitted = true;
                }
                _ if !admitted => return Err(WebError::Forged.into()),
                "store" => upload.store = text(&mut field, TEXT_BYTES_MAX).await?,
                "account" => {
                    text(&mut field, TEXT_BYTES_MAX).await?.trim().clone_into(&mut upload.account);
                }
                "mapping" => {
                    let mapping = text(&mut field, MAPPING_BYTES_MAX + 1).await?;
                    upload.mapping = Some(mapping).filter(|text| !text.trim().is_empty());
                }
                "file" => upload.take_file(state, &mut field, &folder).await?,
                _ => {
                    text(&mut field, TEXT_BYTES_MAX).await?;
                }
            }
        }
        Ok(upload)
    }

    async fn take_file(
        &mut self,
        state: &AppState,
        field: &mut Field,
        folder: &Path,
    ) -> Result<(), UploadError> {
        let name = field.content_disposition().and_then(|about| about.get_filename());
        let name = last_part(name.unwrap_or_default());
        let (path, size_bytes) = to_disk(state, field, folder).await?;
        // What a browser sends where no file was chosen.
        if name.is_empty() && size_bytes == 0 {
            return Ok(());
        }
        if self.file.is_some() {
            return fault(UploadFault::SeveralFiles);
        }
        self.file_name = name;
        (self.file, self.size_bytes) = (Some(path), size_bytes);
        Ok(())
    }

    /// The import of this upload, with the file that must live until it has ended.
    pub fn request(self, state: &AppState, store: StoreId) -> Result<(ImportRequest, TempPath), UploadError> {
        let Some(file) = self.file else { return fault(UploadFault::FileMissing) };
        let request = ImportRequest {
            store,
            path: file.to_path_buf(),
            file_name: self.file_name,
            mapping: self.mapping,
            hints: FileHints { account: Some(self.account).filter(|said| !said.is_empty()), zone: None },
            scratch: uploads_in(&state.config.data_dir).map_err(internal)?,
            now: state.clock.now(),
        };
        Ok((request, file))
    }
}

fn internal(error: std::io::Error) -> UploadError {
    UploadError::Web(WebError::Internal(error.into()))
}

/// The next field; a form that is none, is cut off, or does not come is told as such.
async fn next_field(form: &mut Multipart) -> Result<Option<Field>, UploadError> {
    match timeout(PATIENCE, form.next()).await {
        Err(_) => fault(UploadFault::TooSlow),
        Ok(None) => Ok(None),
        Ok(Some(Err(_))) => fault(UploadFault::Unreadable),
        Ok(Some(Ok(field))) => Ok(Some(field)),
    }
}

async fn next_piece(field: &mut Field) -> Result<Option<bytes::Bytes>, UploadError> {
    match timeout(PATIENCE, field.next()).await {
        Err(_) => fault(UploadFault::TooSlow),
        Ok(None) => Ok(None),
        Ok(Some(Err(_))) => fault(UploadFault::Unreadable),
        Ok(Some(Ok(piece))) => Ok(Some(piece)),
    }
}

async fn text(field: &mut Field, bytes_max: usize) -> Result<String, UploadError> {
    let mut bytes = Vec::new();
    while let Some(piece) = next_piece(field).await? {
        if bytes.len() + piece.len() > bytes_max {
            return Err(WebError::TooLarge.into());
        }
        bytes.extend_from_slice(&piece);
    }
    String::from_utf8(bytes).map_err(|_| UploadError::Fault(UploadFault::Unreadable))
}

async fn to_disk(state: &AppState, field: &mut Field, folder: &Path) -> Result<(TempPath, u64), UploadError> {
    let gate = state.intake.gate();
    if gate.is_shut() {
        return fault(UploadFault::DiskFull);
    }
    let (file, path) = tempfile::NamedTempFile::new_in(folder).map_err(internal)?.into_parts();
    let mut file = tokio::fs::File::from_std(file);
    let begun = Stopwatch::now();
    let (mut total, mut asked_at) = (0_u64, 0_u64);
    while let Some(piece) = next_piece(field).await? {
        total += u64::try_from(piece.len()).unwrap_or(u64::MAX);
        if total > UPLOAD_BYTES_MAX {
            return fault(UploadFault::TooLarge);
        }
        let elapsed = begun.elapsed();
        if elapsed > PATIENCE && total < elapsed.as_secs() * BYTES_PER_SECOND_MIN {
            return fault(UploadFault::TooSlow);
        }
        if total - asked_at > ASK_AGAIN_BYTES {
            asked_at = total;
            if gate.is_shut() {
                return fault(UploadFault::DiskFull);
            }
        }
        file.write_all(&piece).await.map_err(internal)?;
    }
    file.flush().await.map_err(internal)?;
    Ok((path, total))
}

/// The name without a path that some browsers send.
fn last_part(name: &str) -> String {
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    name.chars().filter(|c| !c.is_control()).collect()
}
