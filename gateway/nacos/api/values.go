package api

import (
	"math"
	"strconv"
)

// Values reads the parameters of a request, one after the other. The first thing
// wrong is remembered, and what follows is read as its fallback: ask Err once, at
// the end. Where several names are given, the first that has a value counts.
type Values struct {
	r   *Request
	err error
}

// Values begins to read the parameters of r.
func (r *Request) Values() *Values { return &Values{r: r} }

// Err is the first thing that was wrong.
func (v *Values) Err() error { return v.err }

// Fail notes err, if it is the first.
func (v *Values) Fail(err error) {
	if v.err == nil {
		v.err = err
	}
}

// Text is a parameter that may be absent.
func (v *Values) Text(names ...string) string {
	for _, name := range names {
		for _, s := range v.r.Params[name] {
			if s != "" {
				return s
			}
		}
	}
	return ""
}

// Or is Text with a fallback.
func (v *Values) Or(fallback string, names ...string) string {
	if s := v.Text(names...); s != "" {
		return s
	}
	return fallback
}

// Need is a parameter that has to be there.
func (v *Values) Need(names ...string) string {
	s := v.Text(names...)
	if s == "" {
		v.Fail(Missing(names[0]))
	}
	return s
}

// Missing is the error about a parameter that is not there.
func Missing(name string) error { return ParameterMissing.Errorf("Param '%s' is required.", name) }

// wrong is the error about a parameter that is no what.
func wrong(name, value, what string) error {
	return ParameterInvalid.Errorf("Param '%s' is '%s', which is no %s", name, Short(value), what)
}

// Short keeps what a client sent from filling an error message.
func Short(s string) string {
	const most = 64
	if n := 0; len(s) > most {
		for i := range s {
			if n++; n > most {
				return s[:i] + "…"
			}
		}
	}
	return s
}

// Int is a whole number.
func (v *Values) Int(fallback int, names ...string) int {
	s := v.Text(names...)
	if s == "" {
		return fallback
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		v.Fail(wrong(names[0], s, "whole number"))
		return fallback
	}
	return n
}

// NeedInt is Int of a parameter that has to be there.
func (v *Values) NeedInt(names ...string) int {
	v.Need(names...)
	return v.Int(0, names...)
}

// Bool is true or false, in any case of letters.
func (v *Values) Bool(fallback bool, names ...string) bool {
	if p := v.OptionalBool(names...); p != nil {
		return *p
	}
	return fallback
}

// OptionalBool is nil if nothing was said.
func (v *Values) OptionalBool(names ...string) *bool {
	s := v.Text(names...)
	if s == "" {
		return nil
	}
	b, ok := parseBool(s)
	if !ok {
		v.Fail(wrong(names[0], s, "bool"))
		return nil
	}
	return &b
}

// parseBool takes what clients write for a bool.
func parseBool(s string) (is, ok bool) {
	switch s {
	case "true", "True", "TRUE", "1", "on", "yes":
		return true, true
	case "false", "False", "FALSE", "0", "off", "no":
		return false, true
	}
	return false, false
}

// Float is a number.
func (v *Values) Float(fallback float64, names ...string) float64 {
	if p := v.OptionalFloat(names...); p != nil {
		return *p
	}
	return fallback
}

// OptionalFloat is nil if nothing was said.
func (v *Values) OptionalFloat(names ...string) *float64 {
	s := v.Text(names...)
	if s == "" {
		return nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		v.Fail(wrong(names[0], s, "number"))
		return nil
	}
	return &f
}

// Page is which part of a list is asked for.
type Page struct{ No, Size int }

// First is the place of the page's first element.
func (p Page) First() int { return (p.No - 1) * p.Size }

// Page reads pageNo and pageSize. With a size of 0 both have to be there.
func (v *Values) Page(size int) Page {
	p := Page{1, size}
	if size == 0 {
		p = Page{v.NeedInt("pageNo"), v.NeedInt("pageSize")}
	} else {
		p = Page{v.Int(p.No, "pageNo"), v.Int(p.Size, "pageSize")}
	}
	if v.err != nil {
		return Page{1, 1}
	}
	if p.No < 1 || p.Size < 1 || p.No > pageNoMax {
		v.Fail(ParameterInvalid.Errorf("pageNo and pageSize have to be 1 or more"))
		return Page{1, 1}
	}
	p.Size = min(p.Size, MaxPageSize)
	return p
}

// Paged is a page of a list, as clients know it.
type Paged[T any] struct {
	TotalCount     int `json:"totalCount"`
	PageNumber     int `json:"pageNumber"`
	PagesAvailable int `json:"pagesAvailable"`
	PageItems      []T `json:"pageItems"`
}

// Cut is page p of all.
func Cut[T any](all []T, p Page) Paged[T] {
	first := min(p.First(), len(all))
	return PagedOf(all[first:min(first+p.Size, len(all))], len(all), p)
}

// PagedOf is page p with these items, of total in all.
func PagedOf[T any](items []T, total int, p Page) Paged[T] {
	if items == nil {
		items = []T{}
	}
	return Paged[T]{TotalCount: total, PageNumber: p.No, PagesAvailable: (total + p.Size - 1) / p.Size, PageItems: items}
}
