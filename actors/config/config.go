// Package config decides what is published under one configuration key: its formal
// content, gray versions of that for some clients, labels, and the history of both.
// It tells no client anything and holds nobody's poll: whoever watches asks for the
// digest and evaluates who sees what with Sees.
package config
