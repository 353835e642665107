package naming_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"testing"

	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/messages"
)

// TestCountsOfNow: a list of services counts ephemeral instances that came a moment
// ago, which are not stored yet.
func TestCountsOfNow(t *testing.T) {
	w := newWorld(t)
	for n := 1; n <= 3; n++ {
		e := &messages.Endpoint{Ip: "10.0.0." + strconv.Itoa(n), Port: 80, Weight: 1, Enabled: true, Healthy: n > 1, Dialect: "nacos"}
		m := &messages.RegisterEndpoints{Endpoints: []*messages.Endpoint{e}}
		if _, err := w.Client.Ask(t.Context(), service.Ref("public", "DEFAULT_GROUP", "fresh"), m); err != nil {
			t.Fatal(err)
		}
		resp, err := http.Get(w.URL + "/nacos/v1/ns/catalog/services?pageNo=1&pageSize=10&serviceNameParam=fresh")
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			ServiceList []struct{ IPCount, HealthyInstanceCount int }
		}
		err = json.NewDecoder(resp.Body).Decode(&got)
		_ = resp.Body.Close()
		if err != nil || len(got.ServiceList) != 1 || got.ServiceList[0].IPCount != n || got.ServiceList[0].HealthyInstanceCount != n-1 {
			t.Errorf("of %d: %+v, %v", n, got, err)
		}
	}
}
