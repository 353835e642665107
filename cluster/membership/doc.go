// Package membership keeps this process a member of the cloud: it registers in
// the one table of members, follows it, pings those it watches, evicts the dead,
// notices when it is out itself, and then joins again under a new id. What any of
// this means is decided by package view, which is pure; here are the clock, the
// goroutines and the I/O. It moves no grain: the shell in package cluster does,
// and says when it has.
//
// The table is asked once every 400 ms by each member about itself, and tells it
// of changes by one blocking query. Pings go to three others, whatever the size of
// the cloud, so what an idle cloud costs grows with its size and not with the
// square. All ping all only for a moment: when a view changes (each tells each
// that it has released), when somebody is suspected, and while the table is silent.
package membership
