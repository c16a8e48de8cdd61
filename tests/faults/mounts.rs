//! File systems of our own: small ones that fill, and one that can be copied in an instant as a power cut leaves it.
//!
//! Everything stands in a folder whose name is [`PREFIX`] and the process, so that `tests/unmount` can undo what a test
//! that was killed has left.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

const PREFIX: &str = "tillwatch-faults-";

/// Runs a tool of the system.
fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    let output =
        Command::new(program).args(arguments).output().map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{program} {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of our own")
}

/// A folder for mounts; in memory where that is possible, for a sync to a real disk only costs time here.
pub fn folder() -> TempDir {
    let shared_memory = Path::new("/dev/shm");
    let place = if shared_memory.is_dir() { shared_memory.to_owned() } else { std::env::temp_dir() };
    let prefix = format!("{PREFIX}{}-", std::process::id());
    let folder = tempfile::Builder::new().prefix(&prefix).tempdir_in(place).unwrap();
    // PostgreSQL runs for another user.
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

/// A mounted file system, unmounted when dropped.
pub struct Mount {
    at: PathBuf,
}

impl Mount {
    fn new(arguments: &[&str], at: &Path) -> Result<Self, String> {
        std::fs::create_dir_all(at).map_err(|error| error.to_string())?;
        let arguments: Vec<&str> = arguments.iter().copied().chain([text(at)]).collect();
        run("mount", &arguments)?;
        Ok(Self { at: at.to_owned() })
    }

    /// A file system in memory that holds so much and no more.
    pub fn in_memory(at: &Path, mebibytes: u64) -> Result<Self, String> {
        Self::new(&["-t", "tmpfs", "-o", &format!("size={mebibytes}m"), "tillwatch"], at)
    }

    fn image(image: &Path, at: &Path) -> Result<Self, String> {
        Self::new(&["-o", "loop", text(image)], at)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if run("umount", &[text(&self.at)]).is_err() {
            // Something still stands in it; it goes when that does.
            let _ = run("umount", &["-l", text(&self.at)]);
        }
    }
}

/// A disk that can lose power: an ext4 image in a file system with reflinks. A reflinked copy of the image is made in
/// an instant and holds what had reached the disk by then, and nothing of what only stood in the page cache.
pub struct Disk {
    live: Option<Mount>,
    /// Below `live` in the order of dropping: it holds the image.
    _outer: Mount,
    folder: PathBuf,
}

impl Disk {
    /// Makes the outer file system; the inner one is made by [`Disk::empty`].
    ///
    /// # Errors
    /// Why that is not possible here.
    pub fn new(folder: &Path) -> Result<Self, String> {
        let outer = folder.join("outer.xfs");
        run("truncate", &["-s", "12G", text(&outer)])?;
        run("mkfs.xfs", &["-q", "-m", "reflink=1", text(&outer)])?;
        let mount = Mount::image(&outer, &folder.join("outer"))?;
        Ok(Self { live: None, _outer: mount, folder: folder.to_owned() })
    }

    /// Where data are to be kept.
    pub fn path(&self) -> PathBuf {
        self.folder.join("live")
    }

    fn live_image(&self) -> PathBuf {
        self.folder.join("outer/live.ext4")
    }

    fn cut_image(&self) -> PathBuf {
        self.folder.join("outer/cut.ext4")
    }

    /// A new and empty inner file system.
    pub fn empty(&mut self) -> Result<(), String> {
        self.live = None;
        let _ = std::fs::remove_file(self.live_image());
        run("truncate", &["-s", "4G", text(&self.live_image())])?;
        run("mkfs.ext4", &["-q", "-E", "lazy_itable_init=1,lazy_journal_init=1", text(&self.live_image())])?;
        self.mount()
    }

    /// Lets everything reach the disk, so that what is prepared before a test is there after every cut.
    pub fn sync(&self) -> Result<(), String> {
        run("sync", &["--file-system", text(&self.path())])
    }

    fn mount(&mut self) -> Result<(), String> {
        self.live = Some(Mount::image(&self.live_image(), &self.path())?);
        Ok(())
    }

    /// Notes what has reached the disk at this instant. The live file system goes on as if nothing had happened.
    pub fn cut(&self) -> Result<(), String> {
        run("cp", &["--reflink=always", text(&self.live_image()), text(&self.cut_image())])
    }

    /// Power is back: the disk is as it was at the cut. Nothing may use it any more.
    pub fn power_on(&mut self) -> Result<(), String> {
        self.live = None;
        std::fs::rename(self.cut_image(), self.live_image()).map_err(|error| error.to_string())?;
        self.mount()
    }
}

#[test]
fn a_power_cut_takes_what_was_not_synced_and_leaves_what_was() {
    use std::io::Write;
    let folder = folder();
    let mut disk = match Disk::new(folder.path()) {
        Ok(disk) => disk,
        Err(why) => return println!("skipped: power cuts, for mounts are not possible here: {why}"),
    };
    disk.empty().unwrap();
    let write = |name: &str| {
        let mut file = std::fs::File::create(disk.path().join(name)).unwrap();
        file.write_all(b"written").unwrap();
        file
    };
    write("synced").sync_all().unwrap();
    std::fs::File::open(disk.path()).unwrap().sync_all().unwrap();
    drop(write("not synced"));
    disk.cut().unwrap();
    disk.power_on().unwrap();
    let read = |name: &str| std::fs::read(disk.path().join(name)).unwrap_or_default();
    assert_eq!((read("synced"), read("not synced")), (b"written".to_vec(), Vec::new()));
}
