//! A configuration takes the place of the one in force: a client's request, and what follows at every node.

use std::sync::Arc;

use super::{
    ConfigPlan, ConfigRequest, Controller, Level, Refusal, RefusalKind, RequestId, Response, limits,
};
use crate::kernel::ledger::{
    Cluster, Command, ConfigCommand, RECONFIGURE_SINCE, RefusalReason, changes, with_addresses_of,
};

impl Controller {
    /// The state is as fresh as the request demands: say what would change, or make a command of it.
    pub(super) fn begin_configure(&mut self, id: RequestId, by: String, wish: &ConfigRequest) {
        let Some(config) = self.ledger.config().cloned() else {
            return self.refuse_by(id, &RefusalReason::NotConfigured);
        };
        let version = self.ledger.config_version();
        let base = wish.base.unwrap_or(version);
        let may = self.ledger.may_take(base, &wish.cluster);
        let kept = self.ledger.configs().get(&version);
        let same = base == version && kept.is_some_and(|kept| kept.text == wish.text);
        if wish.dry_run {
            let (changes, all) = changes(&config, &wish.cluster);
            // Sent again, it is answered and not refused.
            let in_force = same || self.ledger.is_repeated(base, &wish.text, &by);
            let obstacle = may.err().filter(|_| !in_force).map(|reason| reason.to_string());
            let plan = ConfigPlan { version, changes, all, in_force, obstacle };
            return self.reply(id, Response::ConfigPlan(plan));
        }
        if let Err(refusal) = self.all_know(RECONFIGURE_SINCE) {
            return self.reply(id, Response::Refused(refusal));
        }
        // What is stale may be a request whose answer was lost: the log knows. Anything else need not be logged to be
        // refused.
        if let Err(reason) = &may
            && !matches!(reason, RefusalReason::StaleConfiguration { .. })
        {
            return self.refuse_by(id, reason);
        }
        if same {
            return self.reply(id, Response::Configured { version, changed: false });
        }
        let key = self.next_key();
        let command = Command::Reconfigure(ConfigCommand {
            request: key,
            by,
            reason: wish.reason.clone(),
            base,
            text: wish.text.clone(),
            cluster: Box::new(wish.cluster.as_ref().clone()),
        });
        let bytes = serde_json::to_vec(&command).expect("commands hold only text keys: all JSON");
        if bytes.len() > limits::COMMAND_BYTES {
            let why = format!(
                "the configuration and its text take {} bytes of the log, more than {}",
                bytes.len(),
                limits::COMMAND_BYTES
            );
            let next = "remove services or comments".to_owned();
            return self.reply(id, refused(RefusalKind::Unprocessable, why, next));
        }
        self.submit(id, key, command);
    }

    /// Whether every member knows the commands of this ruleset.
    pub(super) fn all_know(&self, needed: u32) -> Result<(), Refusal> {
        let rules = self.ledger.ruleset();
        if rules >= needed {
            return Ok(());
        }
        let why = format!(
            "the cluster decides by ruleset {rules}, and this command is known from ruleset \
             {needed} on: a member runs an older version, or has not been heard yet"
        );
        let next = "see `biplane status`: bring every member to this version and see that it runs";
        Err(Refusal { kind: RefusalKind::Unavailable, why, next: next.to_owned() })
    }

    /// Another configuration is in force here.
    pub(super) fn on_configured(&mut self) {
        self.configure_observer();
        self.brief_anew();
        self.publishing.all_zones = true;
        let version = self.ledger.config_version();
        let text = match self.ledger.configs().get(&version) {
            Some(kept) if !kept.reason.is_empty() => {
                format!("configuration {version} is in force, by {}: {}", kept.by, kept.reason)
            }
            Some(kept) => format!("configuration {version} is in force, by {}", kept.by),
            None => format!("configuration {version} is in force"),
        };
        self.tell(Level::Info, "config", None, text);
        if self.leads() {
            self.lead_configured();
        }
    }

    /// What a leader remembers of groups that are gone, or of who is asked about those that stay, is not true any more.
    fn lead_configured(&mut self) {
        let groups = self.ledger.groups().clone();
        let leading = &mut self.leading;
        leading.ask_at.retain(|group, _| groups.contains_key(group));
        leading.backoff.retain(|group, _| groups.contains_key(group));
        leading.suspected.retain(|group, _| groups.contains_key(group));
        leading.held.retain(|group, _| groups.contains_key(group));
        // What was proposed about a group that is gone is refused when it arrives, and counts no more until then.
        for proposed in [&mut leading.asking, &mut leading.asking_people, &mut leading.deciding] {
            proposed.retain(|group| groups.contains_key(group));
        }
        // Their questions were closed without an answer: prechecks may ask again.
        leading.prechecks.clear();
        self.verifying.clear();
        self.look_again();
    }

    /// Whether this node's cluster file says something else than what is in force, but for the members' addresses.
    pub(super) fn file_differs(&self) -> bool {
        let Some(config) = self.ledger.config() else { return false };
        let file = self.file_now.as_ref().unwrap_or(&self.file);
        config != file && **config != with_addresses_of(file.as_ref().clone(), config)
    }

    /// The cluster file was changed while this process runs.
    pub(super) fn on_cluster_file(&mut self, cluster: Arc<Cluster>) {
        self.file_now = Some(cluster);
        self.compare_file();
        self.publishing.dirty = true;
    }

    pub(super) fn compare_file(&mut self) {
        let differs = self.file_differs();
        if differs && !self.publishing.file_differs {
            let text = "this node's cluster file differs from the configuration in force, which is the one in the \
                        log: what the file says is not done"
                .to_owned();
            self.tell(Level::Warn, "config", None, text);
        }
        self.publishing.file_differs = differs;
    }

    /// The configuration that the first leader logged came without its text: a leader whose file says the same logs it.
    pub(super) fn keep_first_text(&mut self) {
        let version = self.ledger.config_version();
        if version == 0
            || self.ledger.configs().contains_key(&version)
            || self.ledger.ruleset() < RECONFIGURE_SINCE
            || self.now < self.leading.text_at
            || self.file_text.is_empty()
            || self.publishing.file_differs
        {
            return;
        }
        self.leading.text_at = self.now + limits::RESEND_CONFIG;
        let text = self.file_text.to_string();
        self.leading.push_own(Command::ConfigText { version, text });
    }

    fn refuse_by(&mut self, id: RequestId, reason: &RefusalReason) {
        self.reply(id, Response::Refused(super::requests::refusal(reason)));
    }
}

fn refused(kind: RefusalKind, why: String, next: String) -> Response {
    Response::Refused(Refusal { kind, why, next })
}

/// How long to wait until a command is sent again: a configuration takes longer on its way than others.
pub(super) const fn resend_after(command: &Command) -> std::time::Duration {
    match command {
        Command::Reconfigure(_) => limits::RESEND_CONFIG,
        _ => limits::RESEND,
    }
}
