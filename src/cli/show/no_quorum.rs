//! What a status without a quorum says before anything else.

use crate::cli::render::millis;
use crate::kernel::controller::{MemberStatus, Status};

/// Roles of members that take no part.
const MISSING: [&str; 2] = ["lost", "apart"];

/// What is so, who is missing, and what to do, in order. Empty while there is a quorum.
pub(super) fn no_quorum(status: &Status) -> Vec<String> {
    if status.quorum {
        return Vec::new();
    }
    let votes = |member: &&MemberStatus| member.kind != "observer";
    let members: Vec<&MemberStatus> = status.members.iter().filter(votes).collect();
    let is_missing = |member: &MemberStatus| MISSING.contains(&member.role.as_str());
    let missing: Vec<&MemberStatus> = members.iter().copied().filter(|m| is_missing(m)).collect();
    let (all, there, needed) =
        (members.len(), members.len() - missing.len(), members.len() / 2 + 1);
    let node = &status.node;
    let since = status.cut_off_ms.map_or_else(String::new, |ms| format!(" for {}", millis(ms)));
    let mut lines = vec![
        format!(
            "NO QUORUM{since}: {node} knows of {there} of {all} members, itself among them, and {needed} are needed"
        ),
        "  what is so: nothing can be switched or changed, by nobody, not with --forced either"
            .to_owned(),
        "              DNS and gateways go on with the routes below; a gateway still tries the other plane when a connect \
         fails"
            .to_owned(),
        "              what is shown below is what this node knew last".to_owned(),
    ];
    if all == 0 {
        return lines;
    }
    if there >= needed {
        lines.push(
            "  missing:    nobody, but there is no leader: an election takes seconds".to_owned(),
        );
        lines.push("  do this:    1. ask again; if it stays so, see that each member reaches the others at its".to_owned());
        lines.push(
            "                 `member` address in cluster.toml, and what their logs say".to_owned(),
        );
        return lines;
    }
    let name = |member: &&MemberStatus| {
        let apart = if member.role == "apart" { ", runs apart: its log says why" } else { "" };
        format!("{} (site {}{apart})", member.name, member.site)
    };
    let names: Vec<String> = missing.iter().map(name).collect();
    let enough = needed - there;
    lines.push(format!("  missing:    {}", names.join(", ")));
    lines.push(format!(
        "  do this:    1. see on their hosts that `biplane node` runs, and start it where it does not: {enough} of them \
         {} enough",
        if enough == 1 { "is" } else { "are" }
    ));
    lines.push(format!(
        "              2. where it runs, see that it and {node} reach each other at the `member` addresses of \
         cluster.toml;"
    ));
    lines.push("                 the logs of both say whom they cannot reach".to_owned());
    lines.push(
        "              3. where a disk is lost, leave that member stopped: an old copy or an empty directory must not \
         vote"
        .to_owned(),
    );
    lines.push(
        "              4. with the disks of a majority lost this cluster cannot decide again: leave the rest running, and"
            .to_owned(),
    );
    lines.push("                 make a new one with `biplane init`".to_owned());
    lines
}
