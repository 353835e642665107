package configs

import (
	"errors"
	"net/http"

	"github.com/troupe-cloud/troupe/actors/config"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/messages"
)

var (
	// conflicted is what Nacos says of a publish whose casMd5 is not that of the
	// content: the code of a conflict with the status of a failure.
	conflicted = api.Code{Number: api.ResourceConflict.Number, Name: api.ResourceConflict.Name, Status: http.StatusInternalServerError}

	errConflicted = conflicted.Errorf("Cas publish fail, server md5 may have changed.")

	// errAbsent is what all clients of v1 look for, word for word.
	errAbsent   = api.Text(http.StatusNotFound, absentText)
	errAbsentV2 = api.ResourceNotFound.Errorf(absentText)

	errForbidden = api.AccessDenied.Errorf("authorization failed!")
)

const absentText = "config data not exist"

// absent is the error about a key that is not there.
func absent(form api.Form) error {
	if form == api.Plain {
		return errAbsent
	}
	return errAbsentV2
}

// published gives what a publish was refused with the code that Nacos has for it.
func published(err error, m *messages.PublishConfig) error {
	switch {
	case errors.Is(err, messages.Conflict) && m.CasMd5 != nil:
		return errConflicted
	case errors.Is(err, messages.Exhausted) && m.Gray != nil:
		return api.GrayTooMany.With(err)
	}
	return err
}

// grayRefused gives what is wrong with a gray rule its code.
func grayRefused(err error) error {
	switch {
	case errors.Is(err, config.ErrGrayName):
		return api.GrayName.With(err)
	case errors.Is(err, config.ErrGrayRule):
		return api.GrayRuleInvalid.With(err)
	case errors.Is(err, config.ErrRuleVersion):
		return api.GrayVersion.With(err)
	}
	return err
}

// first is the first of errs that is one: checks read as a list.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
