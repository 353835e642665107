package network

import (
	"net/url"
	"testing"

	"github.com/troupe-cloud/troupe/messages"
)

func FuzzBody(f *testing.F) {
	for _, s := range []string{`{"port":{"network_id":"x","fixed_ips":[{"ip_address":"1.2.3.4"}]}}`, `{"ports":[{},{}]}`, `{"port":null}`,
		`{"subnet":{"gateway_ip":null,"allocation_pools":[{"start":"a","end":"b"}]}}`, `{"subnet":{"gateway_ip":{}}}`, `null`, `{}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		_, _, err1 := parse[portBody](raw, "port")
		subnets, _, err2 := parse[subnetBody](raw, "subnet")
		_, err3 := parseOne[networkBody](raw, "network")
		errs := []error{err1, err2, err3}
		if err2 == nil {
			for _, b := range subnets {
				_, err := newSubnet(b)
				errs = append(errs, err)
			}
		}
		for _, err := range errs {
			if messages.KindOf(err) == messages.ErrorKind_ERROR_KIND_INTERNAL {
				t.Fatalf("a refusal without a kind: %v", err)
			}
		}
	})
}

func FuzzQuery(f *testing.F) {
	for _, s := range []string{"", "name=a&fields=id", "sort_key=name&sort_dir=asc", "fixed_ips=ip_address%3D1.2.3.4", "admin_state_up=True&tags=a,b", "page_reverse=true"} {
		f.Add(s)
	}
	it := renderPort(&messages.PortView{Port: &messages.Port{Address: "1.2.3.4"}})
	f.Fuzz(func(t *testing.T, raw string) {
		values, _ := url.ParseQuery(raw)
		filters, err1 := parseFilters(values, portAttributes)
		orders, err2 := parseOrder(values, portAttributes)
		for _, err := range []error{err1, err2} {
			if messages.KindOf(err) == messages.ErrorKind_ERROR_KIND_INTERNAL {
				t.Fatalf("a refusal without a kind: %v", err)
			}
		}
		matches(it, filters)
		if compare(it, it, orders) != 0 {
			t.Fatal("a thing differs from itself")
		}
	})
}
