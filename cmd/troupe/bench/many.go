package bench

import (
	"fmt"
	"time"
)

// passivation is how long a server that nobody asks may stay in memory, with a
// margin for what the collector gives back to the system.
const passivation = 120 * time.Second

// many measures what a cloud with many idle servers takes, those made before
// included.
func many(r *run) error {
	if r.idle == 0 {
		return nil
	}
	if more := r.idle - r.servers*3/2; more > 0 {
		image, err := r.login()
		if err != nil {
			return err
		}
		began := time.Now()
		if _, err := r.post(image, more, 0); err != nil {
			return err
		}
		if err := r.active(); err != nil {
			return err
		}
		r.add(fmt.Sprintf("create -> ACTIVE: %d more", more), perSecond(float64(more)/time.Since(began).Seconds(), "servers"), "", storeRate)
	}
	if err := r.pause(passivation); err != nil {
		return err
	}
	rss, err := r.cloud.rssMiB()
	if err != nil {
		return err
	}
	r.add(fmt.Sprintf("%d idle servers: memory (RSS)", max(r.idle, r.servers*3/2)), fmt.Sprintf("%.0f MB", rss*1.048576), "< 400 MB", "")
	return nil
}
