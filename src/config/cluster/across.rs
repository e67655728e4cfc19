//! What can only be seen of the whole: probe load, size, sites, quorum, front doors.

use std::collections::BTreeMap;

use super::super::limits;
use super::super::reader::Section;
use crate::kernel::consensus::limits::PROPOSAL_BYTES;
use crate::kernel::domain::Endpoint;
use crate::kernel::health::probe_rate;
use crate::kernel::ledger::{Cluster, Mode};

/// What a log entry holds beside the settings, at the most.
const ENVELOPE_BYTES: usize = 64 << 10;

pub(super) fn check(top: &Section<'_>, cluster: &Cluster) {
    let rate = probes_a_second(cluster);
    if rate > limits::PROBE_RATE.max {
        let what = format!(
            "one node would start up to {rate} probes a second while results disagree; the limit is {}",
            limits::PROBE_RATE.max
        );
        let place = top.place_of("services");
        top.fault(
            &place,
            "services",
            what,
            "raise fast_interval, or let services share checks of one endpoint",
        );
    }
    let bytes = serde_json::to_vec(cluster).map_or(usize::MAX, |json| json.len());
    let most = PROPOSAL_BYTES - ENVELOPE_BYTES;
    if bytes > most {
        let what = format!(
            "all settings together take {} KiB as one log entry; the limit is {} KiB",
            bytes >> 10,
            most >> 10
        );
        top.fault(&(0..0), "", what, "split the cluster, or shorten names and texts");
    }
}

/// The log holds the text too, so that it can be shown.
pub(super) fn check_text(top: &Section<'_>, text: &str) {
    let of = |byte: u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' => 2,
        0..0x20 => 6,
        _ => 1,
    };
    let bytes: usize = text.bytes().map(of).sum();
    let most = PROPOSAL_BYTES - ENVELOPE_BYTES;
    if bytes > most {
        let what = format!(
            "the text takes {bytes} bytes in a log entry, where quotes, backslashes, tabs and line ends count twice; the \
             limit is {most}"
        );
        top.fault(&(0..0), "", what, "remove comments, or split the cluster");
    }
}

/// Probes a second of one node at full speed, those of the other members and of reference targets among them.
fn probes_a_second(cluster: &Cluster) -> u64 {
    let [one, two] = &cluster.planes;
    let members = cluster.members.values().map(|member| Endpoint {
        host: member.member_address.ip().to_string(),
        port: member.member_address.port(),
    });
    let references = cluster.references.values().flatten().cloned();
    let references: Vec<Endpoint> = members.chain(references).collect();
    let planes = [one.name.clone(), two.name.clone()];
    probe_rate(&planes, &cluster.services, &references, cluster.timing.reference_interval)
}

pub(super) fn warnings(cluster: &Cluster) -> Vec<String> {
    let mut warnings = cluster.sites_that_take_the_quorum();
    let sites = cluster.sites().len();
    let automatic = cluster.groups.values().any(|group| group.policy.mode == Mode::Auto);
    if sites < 3 {
        let mode = if automatic { "; groups with mode = \"auto\" will only hold" } else { "" };
        warnings.push(format!(
            "automation is off: observers stand at {sites} site(s), and an automatic switch needs three{mode}"
        ));
    }
    let serving = cluster.serving().count();
    if serving == 1 && cluster.members.len() > 1 {
        warnings.push(
            "one member alone answers DNS and clients: while it is away, gateways and resolvers keep what they know"
                .to_owned(),
        );
    }
    let mut doors = BTreeMap::new();
    for (name, route) in &cluster.routes {
        let Some(door) = &route.front_door else { continue };
        if let Some(other) = doors.insert(door, name) {
            warnings.push(format!(
                "routes.{other}.front_door and routes.{name}.front_door are both {door}: a gateway's listener carries \
                 one route, so one of the two would be verified at the door of the other"
            ));
        }
        if let Some((plane, _)) = route.upstream.iter().find(|(_, upstream)| *upstream == door) {
            warnings.push(format!(
                "routes.{name}.front_door is the upstream of plane {plane}: a switchover would be verified there, \
                 and not where users come in; write the gateway's address"
            ));
        }
    }
    warnings
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::super::reader::Reader;
    use super::super::parse_cluster;
    use super::*;
    use crate::kernel::domain::{LedgerTime, MemberId, ProbeKind, WallTime};
    use crate::kernel::ledger::{Command, Envelope, FORMAT};

    const EXAMPLE: &str = include_str!("../../../config/cluster.toml");

    /// The example with settings of so many bytes: what a page must contain is that long.
    fn taking(bytes: usize) -> Cluster {
        let mut cluster = parse_cluster("cluster.toml", EXAMPLE).unwrap().cluster;
        let shorter = bytes - serde_json::to_vec(&cluster).unwrap().len();
        let checks = cluster.services.values_mut().flat_map(|service| service.checks.values_mut());
        let mut targets = checks.flat_map(|check| check.targets.values_mut());
        let page = targets.find(|target| matches!(target.kind, ProbeKind::Http(_))).unwrap();
        if let ProbeKind::Http(page) = &mut Arc::make_mut(page).kind {
            page.body_contains.push_str(&"x".repeat(shorter));
        }
        cluster
    }

    #[test]
    fn a_text_of_the_limit_fits_an_entry_whatever_its_signs_and_one_byte_more_is_refused() {
        let most = PROPOSAL_BYTES - ENVELOPE_BYTES;
        for sign in ["\"", "\n", "\u{202e}"] {
            let begin = format!("{EXAMPLE}\n# {}", if sign == "\n" { "\n" } else { "" });
            let bytes = |text: &str| serde_json::to_string(text).unwrap().len() - 2;
            let room = most - bytes(&begin);
            let text =
                begin + &sign.repeat(room / bytes(sign)) + "#" + &"#".repeat(room % bytes(sign));
            let fits = text.strip_suffix('#').expect("one too many");
            assert_eq!(
                parse_cluster("cluster.toml", fits).map(|_| ()).map_err(|e| e.to_string()),
                Ok(())
            );
            let shown =
                parse_cluster("cluster.toml", &text).expect_err("one byte too many").to_string();
            assert!(shown.contains("line ends count twice; the limit is 25100288"), "{shown}");
            let command = Command::ConfigText { version: u64::MAX, text: fits.to_owned() };
            let (at, wall, by) = (LedgerTime(u64::MAX), WallTime(u64::MAX), MemberId(u64::MAX));
            let envelope = Envelope { format: FORMAT, at, wall, by, commands: vec![command] };
            assert!(envelope.encode().len() <= PROPOSAL_BYTES, "{sign:?}");
        }
    }

    #[test]
    fn settings_of_the_limit_fit_an_entry_and_one_byte_more_is_refused() {
        let most = PROPOSAL_BYTES - ENVELOPE_BYTES;
        let told = |cluster: &Cluster| {
            let checked = |top: &Section<'_>| {
                check(top, cluster);
                Some(())
            };
            Reader::read("cluster.toml", "", checked).map_err(|faults| faults.to_string())
        };
        let largest = taking(most);
        assert_eq!(told(&largest), Ok(()));
        let shown = told(&taking(most + 1)).expect_err("one byte too many");
        assert!(shown.contains("as one log entry; the limit is 24512 KiB"), "{shown}");
        // And what the first leader makes of them is an entry that consensus takes.
        let envelope = Envelope {
            format: FORMAT,
            at: LedgerTime(u64::MAX),
            wall: WallTime(u64::MAX),
            by: MemberId(u64::MAX),
            commands: vec![Command::Configure(Box::new(largest))],
        };
        assert!(envelope.encode().len() <= PROPOSAL_BYTES);
    }
}
