package main

import (
	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/access"
	"github.com/troupe-cloud/troupe/actors/config"
	"github.com/troupe-cloud/troupe/actors/directory"
	"github.com/troupe-cloud/troupe/actors/flavor"
	"github.com/troupe-cloud/troupe/actors/group"
	"github.com/troupe-cloud/troupe/actors/host"
	"github.com/troupe-cloud/troupe/actors/image"
	"github.com/troupe-cloud/troupe/actors/instance"
	"github.com/troupe-cloud/troupe/actors/keypair"
	"github.com/troupe-cloud/troupe/actors/lock"
	"github.com/troupe-cloud/troupe/actors/namespace"
	"github.com/troupe-cloud/troupe/actors/network"
	"github.com/troupe-cloud/troupe/actors/project"
	"github.com/troupe-cloud/troupe/actors/scheduler"
	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/actors/switches"
)

// kinds is every kind of grain that a node runs.
func kinds(mode scheduler.Mode) []actors.Kind {
	return []actors.Kind{
		access.Spec(), config.Spec(), directory.Kind(), flavor.Spec(), group.Spec(), host.Spec(), image.Spec(), instance.Spec(),
		keypair.Spec(), lock.Spec(), namespace.Spec(), network.Spec(), project.Spec(), scheduler.Spec(mode), service.Spec(), switches.Spec(),
	}
}
