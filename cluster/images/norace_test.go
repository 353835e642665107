//go:build !race

package images

// herd is how many nodes fetch at once.
const herd = 100
