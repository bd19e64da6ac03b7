#!/bin/sh
# What a segment costs the stack, both ends and its ACKs together, in instructions between two stacks in memory. They are
# counted, not timed, so the count repeats; it holds for this compiler in the preset dev, and has a tenth of slack. Who
# lowers a figure lowers its ceiling; who must raise one says why in the commit.
. "${0%/*}/../lib.sh"

# costs_at_most CEILING PATHS SUPER CHECKSUM [SCHEDULER [COPY]]
costs_at_most() {
    [ "${build##*/}" = dev ] || skip "instructions are counted in the preset dev"
    ceiling=$1
    shift
    got=$(sh "$root/bench/instructions.sh" "$build/bench/bench_pipe" "$@")
    echo "$got instructions a segment"
    expect_between "$got" 100 "$ceiling" "the number of instructions a segment"
}

tcp_super() { costs_at_most 6950 0 1 0; }
mptcp_super() { costs_at_most 9750 1 1 0; }
mptcp_four() { costs_at_most 14500 4 1 0; }
mptcp_checksum() { costs_at_most 36500 1 1 1; }
mptcp_checksum_copied() { costs_at_most 49900 1 1 1 "" 1; }
tcp_checksum() { costs_at_most 31400 0 1 2; }
tcp_single() { costs_at_most 5110 0 0 0; }
mptcp_single() { costs_at_most 7250 1 0 0; }

# A connection that says nothing, on the client's side; the server's holds less.
# holds_at_most CEILING PATHS BYTES: after so many bytes went over it
holds_at_most() {
    ceiling=$1
    shift
    got=$("$build/bench/bench_idle" 300 "$@" | jq .client_bytes)
    echo "$got bytes a connection"
    expect_between "$got" 100 "$ceiling" "the bytes of an idle connection"
}

idle_tcp() { holds_at_most 4960 0 1; }
idle_mptcp() { holds_at_most 8100 2 1; }
idle_tcp_used() { holds_at_most 5260 0 300000; }
idle_mptcp_used() { holds_at_most 8650 2 300000; }

promise 60 tcp_super "a super-segment over TCP costs what it did"
promise 60 mptcp_super "a super-segment over MPTCP costs what it did"
promise 60 mptcp_four "a super-segment over four subflows costs what it did"
promise 60 mptcp_checksum "a super-segment with the DSS checksum costs what it did"
promise 60 mptcp_checksum_copied "a super-segment that is written and read by copy, with the DSS checksum, costs what it did"
promise 60 tcp_checksum "a super-segment with TCP's checksum in software costs what it did"
promise 60 tcp_single "a single segment over TCP costs what it did"
promise 60 mptcp_single "a single segment over MPTCP costs what it did"
promise 20 idle_tcp "an idle connection holds no more memory than it did"
promise 20 idle_mptcp "an idle connection of two subflows holds no more memory than it did"
promise 20 idle_tcp_used "what a transfer needed is given back when it is over"
promise 20 idle_mptcp_used "what a transfer over two subflows needed is given back when it is over"
keep_promises "$@"
