use std::path::{Path, PathBuf};

use actix_multipart::{Field, Multipart};
use futures_util::StreamExt;
use tempfile::TempPath;
use tokio::io::AsyncWriteExt;

use crate::domain::StoreId;
use crate::intake::FileHints;
use crate::intake::import::ImportRequest;
use crate::intake::mapping::MAPPING_BYTES_MAX;
use crate::web::error::WebError;
use crate::web::state::AppState;

/// Largest file that is taken over the network; larger ones go in by the command line.
pub const UPLOAD_BYTES_MAX: u64 = 512 << 20;
/// Folder of the data folder in which uploads and their unpacked text stand while they are read.
const UPLOADS: &str = "uploads";
/// Fields of a form.
const FIELDS_MAX: usize = 8;
/// Bytes of a field that is neither file nor mapping.
const TEXT_BYTES_MAX: usize = 1_024;

/// What a form with a file brought.
pub struct Upload {
    pub file: Option<TempPath>,
    pub file_name: String,
    pub mapping: Option<String>,
    pub store: String,
    /// The account that the file is of, where it does not say so itself.
    pub account: String,
}

/// Judges the token of a form.
pub type Admit<'a> = &'a dyn Fn(&str) -> Result<(), WebError>;

impl Upload {
    /// Reads a form, the file straight to the disk. `admit` is given the token in the field `csrf`, which must come
    /// before the file; machines that show a key have none.
    pub async fn read(
        state: &AppState,
        mut form: Multipart,
        admit: Option<Admit<'_>>,
    ) -> Result<Self, WebError> {
        let folder = uploads(state)?;
        let mut upload = Self {
            file: None,
            file_name: String::new(),
            mapping: None,
            store: String::new(),
            account: String::new(),
        };
        let mut admitted = admit.is_none();
        for _ in 0..FIELDS_MAX {
            let Some(field) = form.next().await else { break };
            let mut field = field.map_err(|_| WebError::BadRequest)?;
            match field.name().unwrap_or_default().to_owned().as_str() {
                "csrf" => {
                    let token = text(&mut field, TEXT_BYTES_MAX).await?;
                    if let Some(admit) = admit {
                        admit(&token)?;
                    }
                    admitted = true;
                }
                _ if !admitted => return Err(WebError::Forged),
                "store" => upload.store = text(&mut field, TEXT_BYTES_MAX).await?,
                "account" => {
                    text(&mut field, TEXT_BYTES_MAX).await?.trim().clone_into(&mut upload.account);
                }
                "mapping" => {
                    let mapping = text(&mut field, MAPPING_BYTES_MAX + 1).await?;
                    upload.mapping = Some(mapping).filter(|text| !text.trim().is_empty());
                }
                "file" => {
                    let name = field.content_disposition().and_then(|about| about.get_filename());
                    upload.file_name = last_part(name.unwrap_or_default());
                    upload.file = Some(to_disk(&mut field, &folder).await?);
                }
                _ => {
                    text(&mut field, TEXT_BYTES_MAX).await?;
                }
            }
        }
        Ok(upload)
    }

    /// The import of this upload, with the file that must live until it has ended.
    pub fn request(self, state: &AppState, store: StoreId) -> Result<(ImportRequest, TempPath), WebError> {
        let file = self.file.ok_or(WebError::BadRequest)?;
        let request = ImportRequest {
            store,
            path: file.to_path_buf(),
            file_name: self.file_name,
            mapping: self.mapping,
            hints: FileHints { account: Some(self.account).filter(|said| !said.is_empty()), zone: None },
            scratch: uploads(state)?,
            now: state.clock.now(),
        };
        Ok((request, file))
    }
}

fn uploads(state: &AppState) -> Result<PathBuf, WebError> {
    let folder = state.config.data_dir.join(UPLOADS);
    std::fs::create_dir_all(&folder).map_err(|error| WebError::Internal(error.into()))?;
    Ok(folder)
}

async fn text(field: &mut Field, bytes_max: usize) -> Result<String, WebError> {
    let mut bytes = Vec::new();
    while let Some(piece) = field.next().await {
        let piece = piece.map_err(|_| WebError::BadRequest)?;
        if bytes.len() + piece.len() > bytes_max {
            return Err(WebError::TooLarge);
        }
        bytes.extend_from_slice(&piece);
    }
    String::from_utf8(bytes).map_err(|_| WebError::BadRequest)
}

async fn to_disk(field: &mut Field, folder: &Path) -> Result<TempPath, WebError> {
    let internal = |error: std::io::Error| WebError::Internal(error.into());
    let (file, path) = tempfile::NamedTempFile::new_in(folder).map_err(internal)?.into_parts();
    let mut file = tokio::fs::File::from_std(file);
    let mut total = 0_u64;
    while let Some(piece) = field.next().await {
        let piece = piece.map_err(|_| WebError::BadRequest)?;
        total += u64::try_from(piece.len()).unwrap_or(u64::MAX);
        if total > UPLOAD_BYTES_MAX {
            return Err(WebError::TooLarge);
        }
        file.write_all(&piece).await.map_err(internal)?;
    }
    file.flush().await.map_err(internal)?;
    Ok(path)
}

/// The name without a path that some browsers send.
fn last_part(name: &str) -> String {
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    name.chars().filter(|c| !c.is_control()).collect()
}
