// Package encodetest owns values for tests of what writes itself as JSON: structs
// with every exported field filled, or left empty, at random.
package encodetest

import (
	"math/rand/v2"
	"reflect"
)

// Texts that encoding/json writes in different ways.
var texts = []string{"", "plain", "a \"quote\" and a \\", "<tag> & more", "line\nbreak\x00", "grün ☃ \u2028", "not \xff UTF-8"}

// Fill sets v, which must be settable, at random: about every third field of a
// struct stays empty.
func Fill(r *rand.Rand, v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && f.Tag.Get("json") != "-" && r.IntN(3) > 0 {
				Fill(r, v.Field(i))
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		Fill(r, v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), r.IntN(3), 3))
		for i := range v.Len() {
			Fill(r, v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range r.IntN(4) {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			Fill(r, key)
			Fill(r, value)
			v.SetMapIndex(key, value)
		}
	case reflect.String:
		v.SetString(texts[r.IntN(len(texts))])
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(int64(int32(r.Uint32())))
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(r.Uint32() & 0xff))
	case reflect.Float64:
		v.SetFloat([]float64{0, 1, 1.5, 1e30, -2}[r.IntN(5)])
	default:
		panic("a field of kind " + v.Kind().String())
	}
}
