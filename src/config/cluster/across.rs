//! What can only be seen of the whole: probe load, size, sites, quorum, front doors.

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
    for (name, route) in &cluster.routes {
        let Some(door) = &route.front_door else { continue };
        if let Some((plane, _)) = route.upstream.iter().find(|(_, upstream)| *upstream == door) {
            warnings.push(format!(
                "routes.{name}.front_door is the upstream of plane {plane}: a switchover would be verified there, \
                 and not where users come in; write the gateway's address"
            ));
        }
    }
    warnings
}
