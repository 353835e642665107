//go:build race

package images

// herd is how many nodes fetch at once: the race detector makes each as costly as ten.
const herd = 25
