package main

import (
	"net/http"
	"strings"

	"github.com/spf13/pflag"

	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/gateway/eureka"
)

// eurekaConfig is what Eureka's clients see of the registry.
type eurekaConfig struct {
	Namespace, Group string
	SelfPreservation bool
}

func (e *eurekaConfig) flags(f *pflag.FlagSet) {
	f.StringVar(&e.Namespace, "eureka-namespace", service.DefaultNamespace, "namespace of the registry in which Eureka's clients (below /eureka of --registry-listen) register")
	f.StringVar(&e.Group, "eureka-group", service.DefaultGroup, "group in it")
	f.BoolVar(&e.SelfPreservation, "eureka-self-preservation", false, "keep Eureka's instances that renew no more while more than 15 % of all do not; else each goes when its lease is over")
}

func (e *eurekaConfig) check() error {
	if err := service.CheckNamespace(e.Namespace); err != nil {
		return badSetting("--eureka-namespace %q: %w", e.Namespace, err)
	}
	if err := service.CheckGroup(e.Group); err != nil {
		return badSetting("--eureka-group %q: %w", e.Group, err)
	}
	return nil
}

// withEureka has e answer what lies below its prefix, and other everything else.
func withEureka(e *eureka.API, other http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if rest, ok := strings.CutPrefix(r.URL.Path, eureka.Prefix); ok && (rest == "" || rest[0] == '/') {
			e.ServeHTTP(w, r)
			return
		}
		other.ServeHTTP(w, r)
	})
}
