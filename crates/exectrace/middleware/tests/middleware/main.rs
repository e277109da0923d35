//! Spans of real middleware and combinators are in the trace as the program had them.

mod by_hand;
mod combinators;
mod grpc;
mod http;
mod load;
mod servers;
