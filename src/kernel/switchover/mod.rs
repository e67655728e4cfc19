//! Switchover (F2): decision → plan → steps → verification, as a saga whose state machine is a table.
