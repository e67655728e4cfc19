//! Where a client's files are.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::exit::Failure;

/// Name of the variable that names the directory.
pub(super) const VARIABLE: &str = "BIPLANE_DIR";
/// The client's own file in it.
pub(super) const CLIENT_FILE: &str = "client.toml";

/// What a process is told about directories.
#[derive(Clone, Debug, Default)]
pub(super) struct Surroundings {
    /// `--dir`.
    pub(super) option: Option<PathBuf>,
    /// `$BIPLANE_DIR`.
    pub(super) variable: Option<OsString>,
    /// `$HOME`.
    pub(super) home: Option<OsString>,
}

impl Surroundings {
    /// Those of this process.
    pub(super) fn of_this_process(option: Option<PathBuf>) -> Self {
        Self { option, variable: std::env::var_os(VARIABLE), home: std::env::var_os("HOME") }
    }

    /// `--dir`, else `$BIPLANE_DIR`, else `~/.config/biplane`. The first that is given must hold the client's
    /// file: a mistyped directory must not lead to another cluster.
    pub(super) fn directory(&self) -> Result<PathBuf, Failure> {
        let filled = |value: &Option<OsString>| value.clone().filter(|value| !value.is_empty());
        let (dir, source) = if let Some(dir) = &self.option {
            (dir.clone(), "--dir")
        } else if let Some(dir) = filled(&self.variable) {
            (PathBuf::from(dir), "$BIPLANE_DIR")
        } else if let Some(home) = filled(&self.home) {
            (Path::new(&home).join(".config/biplane"), "the default")
        } else {
            return Err(Failure::usage(
                "no directory with client.toml is known: neither --dir, $BIPLANE_DIR nor $HOME is set",
                "give --dir DIR, the directory that `biplane init` made",
            ));
        };
        if dir.join(CLIENT_FILE).is_file() {
            return Ok(dir);
        }
        Err(Failure::usage(
            format!("{} ({source}) has no {CLIENT_FILE}", dir.display()),
            "give --dir DIR or set BIPLANE_DIR to the directory that `biplane init` made",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place_with_client_file() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(CLIENT_FILE), "").unwrap();
        dir
    }

    #[test]
    fn the_option_comes_before_the_variable_and_the_variable_before_home() {
        let (a, b, home) =
            (place_with_client_file(), place_with_client_file(), tempfile::tempdir().unwrap());
        let at_home = home.path().join(".config/biplane");
        std::fs::create_dir_all(&at_home).unwrap();
        std::fs::write(at_home.join(CLIENT_FILE), "").unwrap();
        let mut around = Surroundings {
            option: Some(a.path().to_owned()),
            variable: Some(b.path().into()),
            home: Some(home.path().into()),
        };
        assert_eq!(around.directory().unwrap(), a.path());
        around.option = None;
        assert_eq!(around.directory().unwrap(), b.path());
        around.variable = Some(OsString::new());
        assert_eq!(around.directory().unwrap(), at_home);
    }

    #[test]
    fn a_mistyped_directory_never_leads_to_another_cluster() {
        let good = place_with_client_file();
        let around = Surroundings {
            option: Some(PathBuf::from("/nowhere")),
            variable: Some(good.path().into()),
            home: None,
        };
        let failure = around.directory().unwrap_err();
        assert!(failure.what.contains("/nowhere") && failure.what.contains("--dir"), "{failure}");
        assert!(Surroundings::default().directory().is_err());
    }
}
