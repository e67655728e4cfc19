//! Troubles of the network as cuts, and the ways to planes among them.

use super::files::{API, DNS, MEMBER};
use super::network::{Cut, Host};
use super::schedule::{Kind, Trouble, Way};

/// Ways of nodes to planes that a trouble cuts.
pub(crate) fn ways_to_planes(trouble: &Trouble) -> Vec<(usize, usize)> {
    let Trouble { kind, node, other, plane, amount, .. } = *trouble;
    match kind {
        Kind::Isolate | Kind::LosePackets => vec![(node, 0), (node, 1)],
        Kind::CutProbes if amount == 2 => vec![(node, plane), (other, plane)],
        Kind::CutProbes => vec![(node, plane)],
        _ => Vec::new(),
    }
}

/// What a trouble of the network cuts.
pub(crate) fn cuts(trouble: &Trouble) -> Vec<Cut> {
    let Trouble { kind, node, other, plane, way, amount, .. } = *trouble;
    let node = Some(Host::Node(node));
    let between = |a: Option<Host>, b: Option<Host>, port: Option<u16>| {
        let cut = |from, to| Cut { from, to, port, percent: 100 };
        match way {
            Way::Out => vec![cut(a, b)],
            Way::In => vec![cut(b, a)],
            Way::Both => vec![cut(a, b), cut(b, a)],
        }
    };
    let (other, plane) = (Some(Host::Node(other)), Some(Host::Plane(plane)));
    match kind {
        Kind::CutOneWay => vec![Cut::all(node, other)],
        Kind::CutBothWays => vec![Cut::all(node, other), Cut::all(other, node)],
        Kind::Isolate => vec![Cut::all(node, None), Cut::all(None, node)],
        Kind::CutMembers => between(node, None, Some(MEMBER)),
        Kind::CutApi => between(node, None, Some(API)),
        Kind::CutDns => between(node, None, Some(DNS)),
        Kind::CutProbes if amount == 2 => {
            [between(node, plane, None), between(other, plane, None)].concat()
        }
        Kind::CutProbes => between(node, plane, None),
        Kind::CutGateway => between(Some(Host::Gateway), None, Some(API)),
        Kind::CutUpstream => between(Some(Host::Gateway), plane, None),
        _ => {
            let percent = u8::try_from(amount).unwrap_or(100);
            vec![Cut { percent, ..Cut::all(node, None) }, Cut { percent, ..Cut::all(None, node) }]
        }
    }
}
