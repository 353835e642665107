// Package view owns what follows from a table of members, and nothing else: who
// owns a grain, who watches whom, what differs between two tables, and the
// judgement of one member about the others (failure detector, lease, hand-over
// barrier) as pure state machines. It has no clock, no lock and no I/O: package
// membership feeds it what happened and does what it asks for.
//
// A grain's owner is found by rendezvous hashing (D. Thaler, C. Ravishankar,
// "Using name-based mappings to increase hit rates", IEEE/ACM Transactions on
// Networking 6(1), 1998): every member scores every grain and the highest score
// wins, so that a member that comes or goes moves only the grains that it wins or
// lost. Scores go by member *name*: who starts again gets its grains back.
package view
