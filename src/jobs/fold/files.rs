//! Files: reading what a fold needs of them, and getting new ones onto the disk for good.

use std::sync::Arc;

use chrono::NaiveDate;

use crate::domain::Stream;
use crate::lake::{
    ControlTotal, FileFilters, FileSet, FrameError, GROUP_HASH_COLUMNS, Lake, LakeError, LakeFile,
    SupersededRows, Table, VERSION_COLUMNS, Version,
};

use super::protocol::{Fault, catch_up};
use super::world::{Event, Intent, World};

/// A file that is computed and not written yet.
pub(super) struct NewFile {
    pub file: LakeFile,
    bytes: Vec<u8>,
    filters: Arc<FileFilters>,
}

/// Makes the bytes of a file of these rows, with all that the manifest says of it.
pub(super) fn encode_file<T: Table>(
    rows: &T,
    stream: Stream,
    day: NaiveDate,
    set: FileSet,
    id: &str,
) -> Result<NewFile, FrameError> {
    let bytes = T::encode(std::iter::once(Ok(rows.clone())))?;
    let last_event_ms = rows.last_event_ms(stream);
    Ok(describe(bytes, &rows.versions()?, &rows.groups()?, last_event_ms, (stream, day, set, id)))
}

/// What the manifest says of these bytes, made from their rows.
pub(super) fn describe(
    bytes: Vec<u8>,
    versions: &[Version],
    groups: &[Option<u64>],
    last_event_ms: i64,
    (stream, day, file_set, id): (Stream, NaiveDate, FileSet, &str),
) -> NewFile {
    let filters =
        FileFilters::of(versions.iter().map(|version| version.key), groups.iter().copied().flatten());
    let file = LakeFile {
        id: id.to_owned(),
        stream,
        day,
        file_set,
        path: Lake::path_for(stream, day, file_set, id),
        rows: u64::try_from(versions.len()).unwrap_or(u64::MAX),
        size_bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
        blake3: blake3::hash(&bytes).to_hex().to_string(),
        last_event_ms,
        control: Some(control_of(versions)),
        superseded: Arc::new(SupersededRows::default()),
    };
    NewFile { file, bytes, filters: Arc::new(filters) }
}

fn control_of(versions: &[Version]) -> ControlTotal {
    let mut total = ControlTotal::default();
    for version in versions {
        total.add_row(version.key, version.row_hash);
    }
    total
}

/// Gets new files onto the disk for good: noted as intended, written beside, synced, read back, named, names synced.
/// They are live when a commit says so; until then, whatever happens, the intents name all that is on the disk.
pub(super) async fn store_files<W: World>(world: &W, token: &str, files: &[NewFile]) -> Result<(), Fault> {
    if files.is_empty() {
        return Ok(());
    }
    let intents: Vec<Intent> = files
        .iter()
        .map(|NewFile { file, .. }| {
            (file.id.clone(), file.stream, file.day, file.file_set, file.path.clone())
        })
        .collect();
    world.note_intents(token, &intents).await?;
    let paths: Vec<&str> = files.iter().map(|new| new.file.path.as_str()).collect();
    for new in files {
        world.write_beside(&new.file.path, &new.bytes).await.map_err(Fault::elsewhere)?;
    }
    world.sync_beside(&paths).await.map_err(Fault::elsewhere)?;
    for new in files {
        let read = world.read_beside(&new.file.path).await.map_err(Fault::elsewhere)?;
        check_read_back::<W::Rows>(&new.file, &read).map_err(Fault::elsewhere)?;
    }
    for new in files {
        world.settle(&new.file.path).await.map_err(Fault::elsewhere)?;
    }
    world.sync_folders(&paths).await.map_err(Fault::elsewhere)?;
    for new in files {
        world.stands_right(&new.file);
        world.filters().put(&new.file.id, Arc::clone(&new.filters));
    }
    Ok(())
}

/// The bytes are those that were made, and their rows, decoded, amount to what was to be written.
fn check_read_back<T: Table>(file: &LakeFile, bytes: &[u8]) -> Result<(), LakeError> {
    let is_same = blake3::hash(bytes).to_hex().as_str() == file.blake3;
    if is_same {
        let versions = T::decode(bytes, Some(&VERSION_COLUMNS))?.versions()?;
        if u64::try_from(versions.len()) == Ok(file.rows) && Some(control_of(&versions)) == file.control {
            return Ok(());
        }
    }
    Err(LakeError::ReadBack(file.path.clone()))
}

/// All rows of a file, superseded ones too, in these columns.
pub(super) async fn read_columns<W: World>(
    world: &W,
    file: &LakeFile,
    columns: &[&str],
) -> Result<W::Rows, Fault> {
    let bytes = read_bytes(world, file).await?;
    W::Rows::decode(&bytes, Some(columns)).map_err(|error| unreadable(file, &error.to_string()))
}

/// The rows of a file at these rising places.
pub(super) async fn read_rows<W: World>(
    world: &W,
    file: &LakeFile,
    columns: Option<&[&str]>,
    places: &[usize],
) -> Result<W::Rows, Fault> {
    let bytes = read_bytes(world, file).await?;
    W::Rows::decode_rows(&bytes, columns, places).map_err(|error| unreadable(file, &error.to_string()))
}

/// The filters of a file: kept from when it was written or last needed, else made from its columns now.
pub(super) async fn filters_of<W: World>(world: &W, file: &LakeFile) -> Result<Arc<FileFilters>, Fault> {
    if let Some(filters) = world.filters().get(&file.id) {
        return Ok(filters);
    }
    let mut columns = VERSION_COLUMNS.to_vec();
    if file.stream == Stream::Transactions {
        columns.extend(GROUP_HASH_COLUMNS);
    }
    let rows = read_columns(world, file, &columns).await?;
    let keys: Vec<_> = rows.versions()?.into_iter().map(|version| version.key).collect();
    let filters = Arc::new(FileFilters::of(keys.into_iter(), rows.groups()?.into_iter().flatten()));
    world.filters().put(&file.id, Arc::clone(&filters));
    Ok(filters)
}

/// The bytes of a live file. A lost one is told of, and is the fault of the batches that need it, so that only they
/// wait for its repair; any other failure is nobody's fault and tried again. One that somebody retired or set aside
/// meanwhile is not lost: the step begins anew from what they left.
pub(super) async fn read_bytes<W: World>(world: &W, file: &LakeFile) -> Result<Vec<u8>, Fault> {
    let error = match world.read_file(file).await {
        Ok(bytes) => return Ok(bytes),
        Err(error) if error.is_lost_file() => error,
        Err(error) => return Err(Fault::elsewhere(error)),
    };
    catch_up(world).await.map_err(Fault::Elsewhere)?;
    let snapshot = world.current();
    let files = snapshot.files.get(&(file.stream, file.day)).map_or(&[][..], Vec::as_slice);
    if !files.iter().any(|live| live.id == file.id) {
        return Err(Fault::Conflict);
    }
    let reason = error.to_string();
    world.note(Event::Lost { file, reason: &reason });
    Err(unreadable(file, &reason))
}

fn unreadable(file: &LakeFile, reason: &str) -> Fault {
    Fault::Batches(format!("needs the file {}, which cannot be read: {reason}", file.id))
}
