// Package scripts owns the shell scripts that the programs need at run time, so
// that a binary works without the repository. It runs nothing.
package scripts

import _ "embed" // for the scripts below

// LibvirtNode starts and stops a private libvirtd; see its head.
//
//go:embed libvirt-node.sh
var LibvirtNode string
