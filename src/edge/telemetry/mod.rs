//! The edge's telemetry.
