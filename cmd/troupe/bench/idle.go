package bench

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

const idleHosts = 8

// settle is how long a cloud is left alone before its processor time counts.
const settleTime = 2 * time.Second

// idle measures a new cloud that nobody uses: a second start, for the first one
// makes the administrator.
func idle(r *run) (err error) {
	data := filepath.Join(r.dir, "idle")
	p, err := startCloud(data, idleHosts)
	if err != nil {
		return err
	}
	if err := p.stop(); err != nil {
		return err
	}
	if p, err = startCloud(data, idleHosts); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	r.add("idle: ready after", fmt.Sprintf("%.2f s", p.ready.Seconds()), "< 1 s", "")
	if err := r.pause(settleTime); err != nil {
		return err
	}
	before, err := p.cpu()
	if err != nil {
		return err
	}
	if err := r.pause(r.during); err != nil {
		return err
	}
	after, err := p.cpu()
	if err != nil {
		return err
	}
	rss, err := p.rssMiB()
	if err != nil {
		return err
	}
	r.add("idle: memory (RSS)", fmt.Sprintf("%.0f MB", rss*1.048576), "< 60 MB", "")
	r.add("idle: processor", fmt.Sprintf("%.1f %%", 100*float64(after-before)/float64(r.during)), "none", "")
	return nil
}

// pause lets time pass for the cloud, which is what is measured here.
func (r *run) pause(d time.Duration) error {
	select {
	case <-r.ctx.Done():
		return r.ctx.Err()
	case <-time.After(d):
		return nil
	}
}
