package configs

import (
	"net/http"

	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/nacos/wire"
)

// noNamespace is the code of a target that is not there; the others of imports
// stand in package api.
var noNamespace = api.Code{Number: 100001, Name: "namespace does not exist", Status: http.StatusBadRequest}

var (
	errNoNamespace  = noNamespace.Errorf("the namespace does not exist")
	errNoneSelected = api.NoneSelected.Errorf("no configuration is selected")
	errNothing      = api.ImportEmpty.Errorf("there is nothing to write")
	errNoMetadata   = api.ImportMetadata.Errorf("the description of the configs in the archive is missing or wrong")
	errNoArchive    = api.ImportParse.Errorf("the file is no zip archive that can be read")
)

// moved answers what became of a transfer. Refusals of what was sent are no errors
// of HTTP with Nacos: they are answered 200, with a code of their own.
func moved(r *api.Request, t wire.Transfer, done string, err error) (api.Answer, error) {
	code := api.CodeOf(err)
	switch {
	case err != nil && noNamespace.Number <= code.Number && code.Number <= api.NoneSelected.Number:
		return restCode(code.Number, api.Sentence(err, r.ID), map[string]int{"succCount": 0}), nil
	case err != nil:
		return api.Answer{}, err
	case r.Route.Form == api.Plain:
		return rest(done, t), nil
	}
	return api.Answer{Data: t}, nil
}
