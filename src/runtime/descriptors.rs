//! How many descriptors a node may have: systemd starts a service with 1,024, and lets it take many more by itself.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::limits::DESCRIPTORS;

/// Takes as many as the bounds of its servers may need, as far as it may. Says so where it may not.
pub(super) fn take() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.map_or(DESCRIPTORS, |maximum| maximum.min(DESCRIPTORS));
    if current.is_none_or(|current| current >= wanted) {
        return tell(current);
    }
    let raised = Rlimit { current: Some(wanted), maximum };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => tell(Some(wanted)),
        Err(error) => {
            tracing::warn!(%error, "this node cannot raise its limit of descriptors");
            tell(current);
        }
    }
}

fn tell(may_have: Option<u64>) {
    if let Some(few) = may_have.filter(|may_have| *may_have < DESCRIPTORS) {
        tracing::warn!(
            "this node may have {few} descriptors, and under many connections it may need {DESCRIPTORS}: set \
             LimitNOFILE={DESCRIPTORS} in its unit, or `ulimit -n`"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In a process of its own: the limit is the whole process's.
    #[test]
    fn a_process_takes_the_descriptors_that_it_may_have() {
        const CHILD: &str = "BIPLANE_TEST_DESCRIPTORS";
        if std::env::var_os(CHILD).is_some() {
            let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
            setrlimit(Resource::Nofile, Rlimit { current: Some(64), maximum }).unwrap();
            take();
            let most = maximum.map_or(DESCRIPTORS, |maximum| maximum.min(DESCRIPTORS));
            assert_eq!(getrlimit(Resource::Nofile).current, Some(most));
            return;
        }
        let name = std::thread::current().name().unwrap().to_owned();
        let status = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &name])
            .env(CHILD, "1")
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .status()
            .unwrap();
        assert!(status.success());
    }
}
