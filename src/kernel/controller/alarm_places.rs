//! Places of alarms: each kind has its own, so that none crowds out another, however many things outsiders make up.
//! What finds no place is counted, and one alarm of the kind `more` says how much of that kind it is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Controller;
use super::alarming::{About, Conditions, patience};
use crate::kernel::domain::Moment;
use crate::kernel::ledger::{AlarmKind, Condition, limits as ledger_limits};

/// How many of each kind stand and find no place.
pub(super) type LeftOut = BTreeMap<AlarmKind, usize>;

impl Controller {
    /// New conditions that have stood for long enough, as many of each kind as there is room for; those that have stood
    /// longest have it first.
    pub(super) fn newly_raised(&mut self, conditions: &Conditions) -> (Vec<Condition>, LeftOut) {
        let ripe = self.ripe(conditions);
        let kept = self.ledger.alarms_kept();
        let mut rooms: BTreeMap<AlarmKind, usize> = BTreeMap::new();
        let (mut raised, mut left_out) = (Vec::new(), LeftOut::new());
        for (_, condition) in ripe {
            let kind = condition.kind;
            let room = rooms.entry(kind).or_insert_with(|| kept.room_for(kind));
            if *room > 0 {
                *room -= 1;
                raised.push(condition.clone());
            } else {
                *left_out.entry(kind).or_default() += 1;
            }
        }
        raised.extend(self.more_than_kept(&left_out));
        (raised, left_out)
    }

    /// Conditions that are no alarms and have stood for long enough, and since when.
    fn ripe<'a>(&mut self, conditions: &'a Conditions) -> Vec<(Moment, &'a Condition)> {
        let open = Arc::clone(self.ledger.alarms_kept());
        let open: BTreeSet<(AlarmKind, &str)> = open
            .open
            .values()
            .map(|alarm| (alarm.condition.kind, alarm.condition.subject.as_str()))
            .collect();
        let now = self.now;
        let seen = &mut self.leading.alarming.seen;
        seen.retain(|about, _| conditions.0.contains_key(about));
        let mut ripe = Vec::new();
        for (about, condition) in &conditions.0 {
            let (kind, subject): &About = about;
            if open.contains(&(*kind, subject.as_str())) {
                seen.remove(about);
                continue;
            }
            let since = *seen.entry(about.clone()).or_insert(now);
            if now.since(since) >= patience(*kind) {
                ripe.push((since, condition));
            }
        }
        ripe.sort_by_key(|(since, _)| *since);
        ripe
    }

    /// Says how many more there are, and says it anew when it is twice as many, or half.
    fn more_than_kept(&mut self, left_out: &LeftOut) -> Vec<Condition> {
        let kept = Arc::clone(self.ledger.alarms_kept());
        let told = &mut self.leading.alarming.more;
        told.retain(|kind, _| left_out.contains_key(kind));
        let mut all = Vec::new();
        for (kind, count) in left_out {
            let stands = kept.about(AlarmKind::More, kind.as_str()).is_some();
            let near = told.get(kind).is_some_and(|told| *count < 2 * told && *told < 2 * count);
            if stands && near {
                continue;
            }
            told.insert(*kind, *count);
            let (kind, places) = (kind.as_str(), ledger_limits::ALARMS_OF_KIND);
            let text = format!(
                "at least {count} more of the kind {kind} than the {places} that are kept: `biplane status` shows all"
            );
            let subject = kind.to_owned();
            all.push(Condition { kind: AlarmKind::More, subject, group: None, plane: None, text });
        }
        all
    }
}
