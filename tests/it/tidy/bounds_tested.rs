//! Who tests which bound. A new bound is written here, or the tidy test fails.

/// Tests at the bound and one beyond; none where there is no such test yet.
pub(super) const TESTED: &[(&str, &[&str])] = &[
    ("cli/audit/judge FAULTS", &["so_many_faults_are_told_and_further_ones_are_left_out"]),
    (
        "cli/demo/load ANSWER_BYTES",
        &["an_answer_of_the_limit_is_read_and_one_byte_more_is_a_fault"],
    ),
    ("cli/simulate JOBS_MAX", &["a_search_has_so_many_threads_and_not_one_more"]),
    ("cli/simulate SEEDS_MAX", &["a_campaign_has_so_many_seeds_and_not_one_more"]),
    (
        "config/cluster/across ENVELOPE_BYTES",
        &[
            "settings_of_the_limit_fit_an_entry_and_one_byte_more_is_refused",
            "a_text_of_the_limit_fits_an_entry_whatever_its_signs_and_one_byte_more_is_refused",
        ],
    ),
    ("config/fault SHOWN", &["many_faults_are_counted_and_the_first_are_shown"]),
    ("config/reader FAULTS", &["so_many_faults_are_kept_and_further_ones_are_counted"]),
    ("config/suggest CANDIDATES", &["so_many_words_are_compared_and_no_further_one"]),
    (
        "config/suggest LONGEST",
        &["a_word_of_so_many_characters_is_worth_a_guess_and_a_longer_one_is_not"],
    ),
    (
        "edge/api/client/connection HEADER_BYTES",
        &["a_head_of_the_limit_is_taken_and_one_byte_more_is_refused"],
    ),
    (
        "edge/api/client/watch EVENTS",
        &["so_many_events_wait_for_their_reader_and_the_others_at_the_controller"],
    ),
    (
        "edge/api/limits ANSWER_BYTES",
        &[
            "an_answer_of_the_limit_is_taken_and_a_longer_one_is_not",
            "an_event_of_the_limit_is_read_and_one_byte_more_is_refused",
            "the_largest_configuration_of_the_worst_text_is_exported_verified_and_shown",
        ],
    ),
    (
        "edge/api/limits BODY_BYTES",
        &["malformed_requests_get_a_clear_error_and_slow_clients_leave_nothing_behind"],
    ),
    ("edge/api/limits CONFIG_BYTES", &["the_body_is_bounded"]),
    ("edge/api/limits HEADER_BYTES", &["a_head_of_the_limit_is_served_and_a_longer_one_is_not"]),
    ("edge/api/limits HEADER_COUNT", &["a_head_of_the_limit_is_served_and_a_longer_one_is_not"]),
    (
        "edge/api/limits KEY_CHARS",
        &["malformed_requests_get_a_clear_error_and_slow_clients_leave_nothing_behind"],
    ),
    ("edge/api/limits KNOCKERS", &["addresses_are_bounded"]),
    (
        "edge/api/limits REASON_CHARS",
        &["malformed_requests_get_a_clear_error_and_slow_clients_leave_nothing_behind"],
    ),
    ("edge/api/limits REPORT_BYTES", &["bodies_have_a_limit_and_reports_a_larger_one"]),
    (
        "edge/api/limits ROUTE_EVENTS",
        &["so_many_changed_routes_come_one_by_one_and_one_more_as_a_table"],
    ),
    ("edge/api/limits SPAN_MAX_MS", &["a_freeze_lasts_a_year_at_most"]),
    ("edge/api/limits UNCOUNTED_BYTES", &["a_small_answer_needs_no_room_and_one_byte_more_does"]),
    (
        "edge/api/limits answer_bytes",
        &["what_slow_readers_are_sent_is_bounded_in_bytes_and_given_back"],
    ),
    ("edge/api/limits connections", &["connections_have_a_limit"]),
    (
        "edge/api/limits connections_per_address",
        &["an_address_gets_as_many_places_as_it_may_and_gives_them_back"],
    ),
    (
        "edge/api/limits failed_logins",
        &[
            "so_many_failures_are_answered_and_the_address_is_forgiven_in_time",
            "failed_logins_are_limited_and_a_good_token_is_let_in_all_the_same",
        ],
    ),
    ("edge/api/limits requests", &["too_many_requests_at_once_are_turned_away"]),
    (
        "edge/api/limits watch_backlog",
        &["a_watcher_may_lag_so_many_changes_behind_and_not_one_more"],
    ),
    ("edge/api/limits watchers", &["watchers_have_a_limit_and_leave_room_behind"]),
    (
        "edge/audit DAMAGED_KEPT",
        &["so_many_damaged_files_are_kept_and_with_one_more_a_person_must_look"],
    ),
    ("edge/audit PAGE_BYTES", &["the_archive_is_bounded_and_loses_its_oldest_first"]),
    ("edge/audit PAGE_LINES", &["a_page_has_so_many_lines_and_no_more"]),
    ("edge/audit SEGMENT_BYTES", &["a_segment_of_the_limit_is_full_and_one_of_a_byte_less_is_not"]),
    (
        "edge/dns/limits MAX_QUERY",
        &["a_query_of_the_limit_is_answered_over_tcp_and_one_octet_more_ends_the_connection"],
    ),
    ("edge/dns/limits MAX_TCP_CONNECTIONS", &["all_addresses_together_get_no_more_than_all_seats"]),
    ("edge/dns/limits MAX_TCP_PER_ADDRESS", &["one_address_cannot_take_all_connections"]),
    ("edge/dns/limits MAX_THREADS", &["so_many_threads_answer_by_udp_and_not_one_more"]),
    ("edge/dns/limits NSID_MAX", &["so_many_octets_of_its_name_are_told_and_no_further_one"]),
    (
        "edge/dns/limits RATE_BUCKETS",
        &["so_many_networks_are_counted_at_once_and_one_more_takes_the_place_of_another"],
    ),
    (
        "edge/dns/limits RATE_PER_NETWORK",
        &["a_network_gets_its_answers_then_truncated_ones_and_silence_in_turn"],
    ),
    (
        "edge/dns/limits TCP_PAYLOAD",
        &["an_answer_over_tcp_may_have_so_many_octets_and_with_one_more_it_is_truncated"],
    ),
    (
        "edge/dns/limits UDP_CLASSIC",
        &["an_answer_by_udp_may_have_so_many_octets_and_with_one_more_it_is_truncated"],
    ),
    (
        "edge/dns/limits UDP_PAYLOAD",
        &["an_answer_by_udp_may_have_so_many_octets_and_with_one_more_it_is_truncated"],
    ),
    ("edge/dns/query MAX_NAME", &["the_longest_name_is_answered"]),
    (
        "edge/gateway/limits ADMIN_CONNECTIONS",
        &["so_many_admin_connections_are_served_and_one_more_is_closed"],
    ),
    (
        "edge/gateway/limits ADMIN_HEADER_BYTES",
        &["an_admin_request_of_the_limit_is_answered_and_a_longer_one_is_not"],
    ),
    ("edge/gateway/limits CONNECTIONS", &["connections_over_the_limit_are_refused"]),
    (
        "edge/gateway/limits GROUPS",
        &["so_many_groups_are_remembered_and_with_one_more_those_that_matter"],
    ),
    (
        "edge/gateway/limits NAMES",
        &["so_many_names_are_remembered_and_one_more_takes_the_place_of_the_oldest"],
    ),
    (
        "edge/gateway/limits NAME_QUESTIONS",
        &["so_many_questions_are_under_way_and_one_more_waits_for_an_answer"],
    ),
    ("edge/identity/token TOKENS_MAX", &["a_file_holds_so_many_tokens_and_not_one_more"]),
    (
        "edge/journal BLOCK_BYTES",
        &[
            "a_block_may_say_that_it_has_so_many_bytes_and_not_one_more",
            "a_block_unpacks_to_the_limit_and_not_to_one_byte_more",
        ],
    ),
    (
        "edge/journal FILES",
        &[
            "so_many_segments_are_looked_at_and_with_one_more_none",
            "a_ring_keeps_to_the_number_of_its_segments_and_loses_its_oldest",
        ],
    ),
    ("edge/notify HEAD_BYTES", &["a_head_of_the_limit_is_a_receipt_and_a_longer_one_is_none"]),
    ("edge/notify HEAD_FIELDS", &["a_head_of_the_limit_is_a_receipt_and_a_longer_one_is_none"]),
    ("edge/notify WHY_CHARS", &["an_error_has_so_many_characters_and_no_more"]),
    ("edge/probe/limits ADDRESSES", &["so_many_addresses_of_a_name_are_tried_and_no_further_one"]),
    (
        "edge/probe/limits A_SECOND",
        &[
            "probes_over_the_rate_are_not_made_and_the_next_second_has_room_again",
            "as_many_as_allowed_and_not_one_more",
        ],
    ),
    ("edge/probe/limits BODY_BYTES", &["a_body_is_read_to_the_limit_and_not_one_byte_further"]),
    (
        "edge/probe/limits DNS_UDP_BYTES",
        &["an_answer_by_udp_of_the_limit_is_read_and_one_octet_more_is_not"],
    ),
    (
        "edge/probe/limits FAULT_CHARS",
        &["a_fault_has_so_many_characters_and_of_a_longer_one_the_rest_is_left_out"],
    ),
    (
        "edge/probe/limits GRPC_MESSAGE_BYTES",
        &["a_grpc_message_of_the_limit_is_read_and_one_byte_more_is_not"],
    ),
    (
        "edge/probe/limits HEADER_BYTES",
        &["a_head_of_the_limit_is_an_answer_and_a_longer_one_is_none"],
    ),
    (
        "edge/probe/limits HEADER_COUNT",
        &["a_head_of_the_limit_is_an_answer_and_a_longer_one_is_none"],
    ),
    ("edge/probe/limits HTTP2_HEADER_BYTES", &["the_headers_of_http2_stay_below_their_limit"]),
    ("edge/probe/limits IN_FLIGHT", &["a_probe_over_the_limit_is_not_made"]),
    ("edge/probe/limits PROGRAMS", &["a_program_beyond_the_limit_is_not_started"]),
    ("edge/probe/limits PROGRAM_BYTES", &["a_flood_of_output_is_bounded_and_ends_the_program"]),
    (
        "edge/probe/limits PROGRAM_WORDS",
        &["so_many_bytes_of_its_words_are_kept_and_no_further_one"],
    ),
    (
        "edge/storage/birth TOKEN_BYTES",
        &["a_token_of_the_limit_gives_birth_and_a_longer_one_does_not"],
    ),
    (
        "edge/storage/incarnation BYTES",
        &["content_of_the_limit_is_read_again_and_a_byte_more_is_neither_written_nor_read"],
    ),
    ("edge/telemetry/status LABELLED_GROUPS", &["ten_thousand_groups_do_not_flood_the_scraper"]),
    ("edge/transport/limits BATCH_BYTES", &["a_batch_is_bounded_and_keeps_the_order"]),
    (
        "edge/transport/limits BULK_QUEUE_FRAMES",
        &["so_many_bulk_frames_wait_and_one_more_is_told_as_not_delivered"],
    ),
    (
        "edge/transport/limits MAX_BULK_FRAME",
        &[
            "a_bulk_frame_of_the_limit_is_sent_and_one_byte_more_is_not",
            "a_bulk_frame_of_the_limit_may_be_announced_and_one_byte_more_ends_the_connection",
        ],
    ),
    (
        "edge/transport/limits MAX_HELLO",
        &["a_frame_of_the_limit_is_read_and_one_byte_more_is_refused"],
    ),
    (
        "edge/transport/limits MAX_NORMAL_FRAME",
        &["a_frame_of_the_limit_is_read_and_one_byte_more_is_refused"],
    ),
    (
        "edge/transport/limits MAX_OBSERVER_FRAME",
        &["an_observers_frame_of_the_limit_is_taken_and_one_byte_more_is_neither_sent_nor_taken"],
    ),
    (
        "edge/transport/limits MAX_STRANGERS",
        &["when_all_places_are_taken_members_addresses_still_get_in"],
    ),
    (
        "edge/transport/limits MAX_STRANGERS_PER_ADDRESS",
        &["at_an_addresses_limit_the_oldest_gives_way"],
    ),
    ("edge/transport/limits NORMAL_QUEUE_BYTES", &["a_queue_is_bounded_in_bytes_too"]),
    ("edge/transport/limits NORMAL_QUEUE_FRAMES", &["a_full_queue_loses_its_oldest_frames"]),
    ("edge/transport/limits REFUSALS", &["made_up_refusals_fill_no_memory_and_no_log"]),
    ("kernel/consensus COMMITTED_BYTES", &["so_many_bytes_are_handed_out_for_apply_at_once"]),
    ("kernel/consensus CONTEXT_BYTES", &["a_context_is_as_long_as_it_may_be_and_not_longer"]),
    (
        "kernel/consensus HELD_BYTES",
        &["while_the_disk_stands_so_many_bytes_of_entries_are_held_and_no_more"],
    ),
    (
        "kernel/consensus HELD_MESSAGES",
        &["so_many_steps_wait_behind_a_write_so_many_messages_behind_them_and_more_are_dropped"],
    ),
    (
        "kernel/consensus INFLIGHT_MESSAGES",
        &["so_many_appends_to_a_follower_are_under_way_and_one_more_waits"],
    ),
    (
        "kernel/consensus MEMBERS",
        &["a_message_has_as_many_entries_and_a_snapshot_as_many_members_as_they_may"],
    ),
    (
        "kernel/consensus MESSAGE_BYTES",
        &["an_append_holds_so_many_bytes_and_a_larger_entry_travels_alone"],
    ),
    (
        "kernel/consensus MESSAGE_ENTRIES",
        &["a_message_has_as_many_entries_and_a_snapshot_as_many_members_as_they_may"],
    ),
    ("kernel/consensus PERSISTS", &["writes_under_way_are_bounded"]),
    (
        "kernel/consensus PROPOSAL_BYTES",
        &["uncommitted_entries_are_bounded_and_an_entry_must_fit_a_frame"],
    ),
    (
        "kernel/consensus READIES",
        &["so_many_steps_wait_behind_a_write_so_many_messages_behind_them_and_more_are_dropped"],
    ),
    ("kernel/consensus READS", &["a_flood_of_reads_and_of_messages_to_a_stalled_disk_is_dropped"]),
    (
        "kernel/consensus TAIL",
        &[
            "a_follower_a_little_behind_needs_no_snapshot",
            "a_follower_far_behind_gets_a_snapshot_which_is_durable_before_it_counts",
        ],
    ),
    ("kernel/consensus TAIL_BYTES", &["a_tail_of_large_entries_is_cut_at_its_bytes"]),
    (
        "kernel/consensus UNCOMMITTED_BYTES",
        &["a_leader_holds_so_many_bytes_uncommitted_and_takes_not_one_more"],
    ),
    (
        "kernel/controller ASKS_LOOKED_AT",
        &["so_many_asks_are_looked_at_at_once_and_one_more_in_the_next_look"],
    ),
    (
        "kernel/controller BATCH",
        &["so_many_groups_are_decided_by_one_command_and_one_more_by_another"],
    ),
    (
        "kernel/controller CLOCK_SPANS",
        &["a_late_message_is_no_difference_of_clocks_and_so_many_in_a_row_are"],
    ),
    (
        "kernel/controller COMMAND_BYTES",
        &["a_command_that_an_entry_just_holds_is_taken_and_one_byte_more_is_refused"],
    ),
    (
        "kernel/controller CONVERGING_NAMED",
        &["a_record_names_so_many_gateways_and_counts_the_rest"],
    ),
    (
        "kernel/controller DIGESTS_KEPT",
        &["digests_of_so_many_indices_are_kept_and_none_of_a_far_future"],
    ),
    ("kernel/controller EFFECTS", &["so_many_effects_are_under_way_and_more_wait"]),
    (
        "kernel/controller ENTRY_WEIGHT",
        &[
            "an_entry_speaks_of_so_many_services_and_a_command_of_more_stands_alone",
            "a_question_is_about_so_many_groups_and_one_more_is_asked_about_in_another",
        ],
    ),
    (
        "kernel/controller EXPLAINED_SERVICES",
        &["an_observer_tells_the_samples_of_so_many_services_of_a_group"],
    ),
    ("kernel/controller GATEWAYS", &["so_many_gateways_are_remembered_and_one_more_is_not"]),
    (
        "kernel/controller HELD_LOOKED_AT",
        &["so_many_groups_that_may_be_held_are_judged_in_one_look"],
    ),
    (
        "kernel/controller LOG_BYTES",
        &["the_log_grows_to_so_many_bytes_and_beyond_them_it_is_compacted"],
    ),
    (
        "kernel/controller LOG_ENTRIES",
        &["the_log_grows_to_so_many_entries_and_with_one_more_it_is_compacted"],
    ),
    ("kernel/controller OUTBOX", &["what_a_leader_must_not_forget_is_never_dropped"]),
    ("kernel/controller OUTBOX_WEIGHT", &["what_others_send_a_leader_is_bounded_in_services_too"]),
    (
        "kernel/controller PROPOSED",
        &["so_many_are_measured_and_after_one_more_the_times_are_still_their_own"],
    ),
    ("kernel/controller REQUESTS", &["so_many_requests_are_under_way_and_one_more_is_not_taken"]),
    (
        "kernel/controller/peer BYTES_MAX",
        &["forwarded_commands_are_cut_into_frames_by_number_and_by_size"],
    ),
    (
        "kernel/controller/peer COMMANDS_MAX",
        &["forwarded_commands_are_cut_into_frames_by_number_and_by_size"],
    ),
    ("kernel/health/limits SAMPLES", &["every_observer_tells_its_samples_thresholds_and_ballot"]),
    (
        "kernel/lease/limits DRIFT_PPM",
        &["terms_that_do_not_hold_together_say_which_and_by_how_much"],
    ),
    (
        "kernel/lease/limits REGISTERED",
        &["no_more_wait_and_no_more_are_registered_than_there_is_room_for"],
    ),
    (
        "kernel/lease/limits RENEWALS",
        &["no_more_wait_and_no_more_are_registered_than_there_is_room_for"],
    ),
    (
        "kernel/lease/limits RENEWALS_SENT",
        &["no_more_wait_and_no_more_are_registered_than_there_is_room_for"],
    ),
    ("kernel/ledger ADDRESS_CHARS", &["an_address_of_a_failed_login_is_cut"]),
    (
        "kernel/ledger ALARMS_OF_KIND",
        &["each_kind_of_alarm_has_so_many_places_and_takes_none_of_another"],
    ),
    ("kernel/ledger ASKS_KEPT", &["ended_asks_are_kept_up_to_the_limit"]),
    (
        "kernel/ledger AUDIT_LINKS",
        &["the_audit_chain_holds_its_last_links_and_a_snapshot_keeps_them"],
    ),
    (
        "kernel/ledger AUTOMATIC_TIMES_KEPT",
        &["times_of_automatic_switchovers_are_kept_up_to_the_limit"],
    ),
    ("kernel/ledger CHANGES_SHOWN", &["so_many_differences_are_shown_and_all_are_counted"]),
    ("kernel/ledger CONFIGS_BYTES", &["so_many_texts_are_kept_and_the_oldest_goes_first"]),
    ("kernel/ledger CONFIGS_KEPT", &["so_many_texts_are_kept_and_the_oldest_goes_first"]),
    ("kernel/ledger EVENTS_KEPT", &["so_many_events_are_kept_and_what_is_lost_is_told"]),
    (
        "kernel/ledger NOTICES_KEPT",
        &["a_notice_is_kept_until_everybody_has_it_and_up_to_the_limit"],
    ),
    ("kernel/ledger OUTCOMES_KEPT", &["outcomes_are_kept_to_their_limit_and_the_oldest_go_first"]),
    (
        "kernel/ledger QUESTIONS_KEPT",
        &["questions_are_kept_to_their_limit_and_every_closing_is_told"],
    ),
    ("kernel/ledger REASON_MAX", &["a_reason_is_cut_at_a_character"]),
    ("kernel/ledger STEPS_BEFORE_MARKS", &["marks_of_new_leaders_leave_room_for_steps"]),
    (
        "kernel/ledger SWITCHOVERS_KEPT",
        &["ended_switchovers_are_kept_to_their_limit_and_the_last_of_a_group_for_ever"],
    ),
    (
        "kernel/ledger TOKENS",
        &[
            "there_is_room_for_so_many_tokens",
            "a_token_that_expired_long_ago_gives_up_its_place_when_one_is_needed",
        ],
    ),
    ("kernel/ledger/snapshot UNPACKED_MAX", &["a_frame_unpacks_up_to_the_limit_and_not_beyond"]),
    ("kernel/switchover/record STEPS_MAX", &["a_record_keeps_so_many_steps_and_not_one_more"]),
    ("runtime/limits API_RENDERS", &["so_many_answers_are_made_at_once_and_one_more_waits"]),
    ("runtime/limits AUDIT_BYTES", &["what_waits_is_bounded"]),
    ("runtime/limits AUDIT_READS", &["readers_of_a_disk_that_hangs_leave_room_for_other_answers"]),
    ("runtime/limits AUDIT_RECORDS", &["what_waits_is_bounded"]),
    (
        "runtime/limits EFFECTS_AT_ONCE",
        &["so_many_effects_are_under_way_and_one_more_waits_for_a_place"],
    ),
    ("runtime/limits EFFECT_ORDERS", &["orders_beyond_the_bound_are_answered_at_once"]),
    ("runtime/limits EVENTS", &["a_log_that_nobody_reads_does_not_stop_the_kernel"]),
    (
        "runtime/limits FRONT_DOOR_ANSWER",
        &["of_an_endless_line_so_many_bytes_are_read_and_then_it_is_judged"],
    ),
    (
        "runtime/limits GATEWAY_INPUTS",
        &["requests_hints_and_gateways_are_refused_when_there_are_too_many"],
    ),
    ("runtime/limits HINTS", &["a_hint_that_finds_no_room_is_lost_and_nobody_waits"]),
    (
        "runtime/limits HINT_INPUTS",
        &["requests_hints_and_gateways_are_refused_when_there_are_too_many"],
    ),
    ("runtime/limits INCOMING", &["what_nobody_reads_waits_at_its_sender"]),
    (
        "runtime/limits JOURNAL_BYTES",
        &["so_many_bytes_wait_and_one_more_is_lost_but_a_single_larger_note_passes"],
    ),
    ("runtime/limits JOURNAL_NOTES", &["so_many_notes_wait_and_one_more_is_lost_and_counted"]),
    ("runtime/limits OPEN_REQUESTS", &["places_are_bounded_and_come_back"]),
    (
        "runtime/limits PEER_BYTES",
        &["frames_are_bounded_by_bytes_too_but_a_single_long_one_passes"],
    ),
    (
        "runtime/limits PEER_INPUTS",
        &["a_full_lane_of_frames_makes_its_source_wait_until_there_is_room"],
    ),
    (
        "runtime/limits PERSIST_BATCHES",
        &["so_many_batches_wait_and_with_one_more_the_disk_counts_as_failed"],
    ),
    ("runtime/limits PERSIST_BYTES", &["a_disk_that_falls_far_behind_counts_as_failed"]),
    (
        "runtime/limits PROBED",
        &["a_full_channel_keeps_what_was_measured_waiting_and_loses_the_rest"],
    ),
    ("runtime/limits PROBES", &["a_probe_over_the_limit_is_not_made"]),
    ("runtime/limits PROBE_INPUTS", &["full_lanes_of_probes_and_receipts_make_their_sources_wait"]),
    (
        "runtime/limits RECEIPT_INPUTS",
        &["full_lanes_of_probes_and_receipts_make_their_sources_wait"],
    ),
    (
        "runtime/limits REQUEST_INPUTS",
        &["requests_hints_and_gateways_are_refused_when_there_are_too_many"],
    ),
];

/// Tests that go beyond the bound, and none that stops at it.
pub(super) const BEYOND: &[(&str, &[&str])] = &[];
