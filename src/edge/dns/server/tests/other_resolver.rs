//! The server asked by a resolver of another make.

use std::collections::BTreeSet;
use std::net::IpAddr;

use hickory_resolver::Resolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RecordType;

use super::*;
use crate::kernel::zone::EpochRecord;

#[tokio::test]
async fn a_resolver_of_another_make_understands_the_answers() {
    let server = start();
    let mut udp = ConnectionConfig::udp();
    udp.port = server.local_addr().port();
    let mut tcp = ConnectionConfig::tcp();
    tcp.port = server.local_addr().port();
    let one = NameServerConfig::new(server.local_addr().ip(), true, vec![udp, tcp]);
    let mut options = ResolverOpts::default();
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    options.ndots = 0;
    options.attempts = 0;
    options.timeout = DEADLINE;
    options.recursion_desired = false;
    options.case_randomization = true;
    let resolver = Resolver::builder_with_config(
        ResolverConfig::from_name_servers(vec![one]),
        TokioRuntimeProvider::default(),
    )
    .with_options(options)
    .build()
    .unwrap();

    let shop = resolver.lookup_ip("shop.biplane.test.").await.unwrap();
    let shop: BTreeSet<IpAddr> = shop.iter().collect();
    assert_eq!(shop, [[10, 1, 0, 1].into(), "2001:db8::1".parse().unwrap()].into());
    let epoch = resolver.lookup("_biplane.shop.biplane.test.", RecordType::TXT).await.unwrap();
    assert!(epoch.message().metadata.authoritative);
    let text = epoch.answers()[0].data.to_string();
    assert!(EpochRecord::from_text(text.trim_matches('"')).is_some(), "{text}");
    // Too long for UDP: it comes back by TCP.
    let crowd = resolver.lookup("crowd.biplane.test.", RecordType::A).await.unwrap();
    assert_eq!(crowd.answers().len(), 500);
    assert!(server.counters().truncated >= 1 && server.counters().tcp_queries >= 1);
    let nothing = resolver.lookup("nothing.biplane.test.", RecordType::A).await.unwrap_err();
    assert!(nothing.is_nx_domain(), "{nothing}");
    for nodata in ["between.biplane.test.", "biplane.test."] {
        let error = resolver.lookup(nodata, RecordType::A).await.unwrap_err();
        assert!(error.is_no_records_found() && !error.is_nx_domain(), "{nodata}: {error}");
    }
}
