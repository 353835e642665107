package bench

import (
	"fmt"
	"time"

	"github.com/troupe-cloud/troupe/cluster/peer/rates"
	"github.com/troupe-cloud/troupe/cluster/store/consul"
)

// rawConsul measures Consul itself, and the store in it.
func rawConsul(r *run) error {
	before := r.usage()
	raw, ours, err := consul.ConsulRates(r.ctx, r.group.consul.Addr())
	if err != nil {
		return err
	}
	storeRate = perSecond(raw, "ops in raw transactions")
	r.add("Consul alone: operations in transactions of 64, 8 clients", perSecond(raw, "ops"), "", r.others(before))
	r.add("store in Consul: commits, 512 writers", fmt.Sprintf("%.0f commits/s (%.0f %%)", ours, 100*ours/raw), ">= 80 % of raw", storeRate)
	return nil
}

// rawCrossing measures a call from one node to another, ours and protoactor's.
func rawCrossing(r *run) error {
	for _, callers := range []int{1, rates.Callers} {
		ours, oursMedian, err := rates.Peer(r.ctx, callers, r.during)
		if err != nil {
			return err
		}
		theirs, theirsMedian, err := rates.Remote(r.ctx, callers, r.during)
		if err != nil {
			return err
		}
		show := func(rate float64, median time.Duration) string {
			return fmt.Sprintf("%s, p50 %.3f ms", perSecond(rate, "calls"), ms(median))
		}
		r.add(fmt.Sprintf("peer calls between two nodes, mutual TLS, %d callers", callers), show(ours, oursMedian), "",
			"protoactor's remote: "+show(theirs, theirsMedian))
	}
	return nil
}

// createAcross measures creation through all nodes.
func createAcross(r *run) error {
	if err := r.group.found(r.ctx, r.dir, "bench", max(1, r.hosts/r.nodes)); err != nil {
		return err
	}
	image, err := r.login()
	if err != nil {
		return err
	}
	if err := r.whole(); err != nil {
		return err
	}
	began, before, nodes, consul := time.Now(), r.usage(), r.group.nodesCPU(), r.group.consulCPU()
	took, err := r.post(image, r.servers, 0)
	if err != nil {
		return err
	}
	posted := time.Since(began)
	if err := r.built(); err != nil {
		return err
	}
	all, n := time.Since(began), float64(len(took))
	used := fmt.Sprintf("nodes %.2f ms, Consul %.2f ms", ms(r.group.nodesCPU()-nodes)/n, ms(r.group.consulCPU()-consul)/n)
	if err := r.sound(); err != nil {
		return err
	}
	r.add(fmt.Sprintf("create -> ACTIVE through %d nodes: %d servers, %d clients", r.nodes, r.servers, r.clients),
		perSecond(n/all.Seconds(), "servers"), ">= 500 servers/s", storeRate+"; "+r.others(before))
	r.add("POST /servers alone: rate, p50 (p99)", perSecond(n/posted.Seconds(), "requests")+", "+percentiles(took), "", "")
	r.add("processor time of each server, until it was ACTIVE", used, "", "")
	return nil
}

const (
	crossings      = 2000 // looks each way
	crossingServer = 30   // servers that are looked at in turn
)

// crossing measures what a look at a server costs through the node where it lives,
// and through another, in turn.
func crossing(r *run) error {
	conns, err := r.dialAll()
	if err != nil {
		return err
	}
	defer closeAll(conns)
	ids, err := r.ids(conns[0], crossingServer)
	if err != nil {
		return err
	}
	owners := make([]int, len(ids))
	for i, id := range ids {
		if owners[i], err = r.owner(conns[0], id); err != nil {
			return err
		}
	}
	var took [2][]time.Duration // at home, elsewhere
	before := r.usage()
	for i := range crossings {
		id, home := ids[i%len(ids)], owners[i%len(ids)]
		for way, c := range []*conn{conns[home], conns[(home+1+i/len(ids)%(r.nodes-1))%r.nodes]} {
			req := request("GET", c.base, "/compute/v2.1/servers/"+id, r.tokens, "")
			began := time.Now()
			if status, body, err := c.do(req); err != nil || status != 200 {
				return fmt.Errorf("look at a server: status %d, %w: %.300s", status, err, body)
			}
			took[way] = append(took[way], time.Since(began))
		}
	}
	home, away := at(took[0], 50), at(took[1], 50)
	r.add("GET one server through another node than its own: p50 more", fmt.Sprintf("%.2f ms", ms(away-home)), "< 1 ms",
		fmt.Sprintf("p50 (p99): its own %s, another %s; %s", percentiles(took[0]), percentiles(took[1]), r.others(before)))
	return nil
}

// dialAll connects to every gateway.
func (r *run) dialAll() (all []*conn, err error) {
	for _, base := range r.gateways() {
		c, err := dial(base)
		if err != nil {
			closeAll(all)
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

func closeAll(all []*conn) {
	for _, c := range all {
		c.close()
	}
}

// ids are those of the newest servers, n at most.
func (r *run) ids(c *conn, n int) (ids []string, err error) {
	var answer struct{ Servers []struct{ ID string } }
	err = c.get(request("GET", c.base, fmt.Sprintf("/compute/v2.1/servers?limit=%d", n), r.tokens, ""), &answer)
	for _, s := range answer.Servers {
		ids = append(ids, s.ID)
	}
	if err == nil && len(ids) == 0 {
		err = fmt.Errorf("there are no servers")
	}
	return ids, err
}
