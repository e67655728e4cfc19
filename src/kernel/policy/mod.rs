//! Policy (F2): verdict → decision. Pure; the reason of a decision is data.
