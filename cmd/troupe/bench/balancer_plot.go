package bench

import (
	"bytes"
	"fmt"
	"math"
)

// Places and sizes in the plot, in pixels.
const (
	plotLeft, plotTop  = 190, 56
	plotWide, plotRow  = 520, 34
	plotRight, plotEnd = 70, 48
)

// plotTails draws the tails as SVG: a bar from the median to the 99th percentile and
// a mark at the 99.9th, on a logarithmic scale.
func plotTails(rows []tailRow) []byte {
	low, high := 1.0, 10.0
	for _, r := range rows {
		high = max(high, ms(r.p999))
	}
	high = math.Pow(10, math.Ceil(math.Log10(high)))
	x := func(v float64) float64 {
		return plotLeft + plotWide*math.Log10(max(v, low)/low)/math.Log10(high/low)
	}
	var b bytes.Buffer
	width, height := plotLeft+plotWide+plotRight, plotTop+plotRow*len(rows)+plotEnd
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13">`+"\n", width, height, width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", width, height)
	fmt.Fprintf(&b, `<text x="12" y="24" font-size="16">Response times with one of %d servers %d× slower: median to 99th percentile, and the 99.9th</text>`+"\n", tailServers, tailSlower)
	for v := low; v <= high; v *= 10 {
		fmt.Fprintf(&b, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#ddd"/><text x="%.1f" y="%d" text-anchor="middle" fill="#555">%g ms</text>`+"\n",
			x(v), plotTop-8, x(v), plotTop+plotRow*len(rows), x(v), plotTop+plotRow*len(rows)+20, v)
	}
	for i, r := range rows {
		y := plotTop + plotRow*i
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", plotLeft-12, y+plotRow/2+4, r.rule)
		fmt.Fprintf(&b, `<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="#4878a8"/>`+"\n", x(ms(r.p50)), y+6, max(x(ms(r.p99))-x(ms(r.p50)), 2), plotRow-12)
		fmt.Fprintf(&b, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#b04030" stroke-width="3"/>`+"\n", x(ms(r.p999)), y+4, x(ms(r.p999)), y+plotRow-4)
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" fill="#333">%.0f ms</text>`+"\n", x(ms(r.p999))+8, y+plotRow/2+4, ms(r.p99))
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}
