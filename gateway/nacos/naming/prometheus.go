package naming

import (
	"strings"

	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/messages"
)

// scrape is one target as Prometheus reads it from HTTP service discovery.
type scrape struct {
	Targets []string          `json:"targets"`
	Labels  map[string]string `json:"labels"`
}

// clusterLabel holds the cluster of an instance; the other labels are its metadata.
const clusterLabel = "__meta_clusterName"

var labelNames = strings.NewReplacer(".", "_", "-", "_")

func scrapeOf(e *messages.Endpoint) scrape {
	labels := map[string]string{}
	for key, value := range e.GetMetadata() {
		labels[labelNames.Replace(key)] = value
	}
	labels[clusterLabel] = e.GetCluster()
	return scrape{Targets: []string{target(e)}, Labels: labels}
}

// prometheusResource is what may be read: a namespace, one service of it, or all,
// for which nobody but an administrator has a permission.
func prometheusResource(r *api.Request) api.Resource {
	name := r.PathValue("service")
	group := ""
	if g, n, ok := strings.Cut(name, api.GroupSeparator); ok {
		group, name = g, n
	}
	return api.Resource{Namespace: api.Namespace(r.PathValue("namespaceId")), Group: group, Type: api.Naming, Name: name}
}

// prometheus lists every instance, the disabled and the unhealthy too: of all
// services, of a namespace, or of one service in whichever group.
func (a *API) prometheus(r *api.Request) (api.Answer, error) {
	prefix, namespace, name := service.IndexPrefix, r.PathValue("namespaceId"), r.PathValue("service")
	if namespace != "" {
		if err := api.CheckNamespace(namespace); err != nil {
			return api.Answer{}, err
		}
		prefix = service.IndexNamespace(namespace)
	}
	some, err := a.found(r.Context(), prefix, func(e *messages.ServiceEntry) bool {
		return name == "" || e.GetName() == name || groupedOf(e) == name
	})
	if err != nil {
		return api.Answer{}, err
	}
	services, err := a.look(r.Context(), some)
	targets := []scrape{}
	for _, s := range services {
		for _, e := range s.GetEndpoints() {
			targets = append(targets, scrapeOf(e))
		}
	}
	return api.Answer{Bare: targets}, err
}
