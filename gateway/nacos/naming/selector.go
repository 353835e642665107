package naming

import (
	"net/url"

	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/nacos/wire"
	"github.com/troupe-cloud/troupe/messages"
)

// maxSelectorBytes bounds the JSON of a selector.
const maxSelectorBytes = 12*service.MaxSelectorChars + 256

var selectorTypes = []string{service.SelectorNone, service.SelectorLabel}

// parseSelector reads a selector, which some clients URL-encode once more than the
// request needs. Nothing at all is the selector of everybody.
func parseSelector(raw string) (*messages.Selector, error) {
	if len(raw) > maxSelectorBytes {
		return nil, api.SelectorError.Errorf("the selector is longer than %d bytes", maxSelectorBytes)
	}
	if plain, err := url.QueryUnescape(raw); err == nil && len(raw) > 0 && raw[0] == '%' {
		raw = plain
	}
	selector := &messages.Selector{Type: service.SelectorNone}
	if raw == "" {
		return selector, nil
	}
	s := wire.Scan([]byte(raw))
	typed := false
	for inside := s.Object(); inside; {
		var key []byte
		if key, inside = s.Field(); !inside {
			break
		}
		switch string(key) {
		case "type":
			selector.Type, typed = s.Text(), true
		case "expression":
			selector.Expression = s.Text()
		default:
			s.Skip()
		}
	}
	if err := s.End(); err != nil {
		return nil, api.SelectorError.Errorf("Param 'selector' is illegal: %w", err)
	}
	if !typed || selector.Type == "" {
		return nil, api.SelectorError.Errorf("not match any type of selector!")
	}
	_, err := service.ParseSelector(selector)
	return selector, coded(err)
}

// selectorView is a selector as clients see it.
type selectorView struct {
	Type       string `json:"type"`
	Expression string `json:"expression,omitempty"`
}

func selectorOf(s *messages.Selector) selectorView {
	if s.GetType() == "" {
		return selectorView{Type: service.SelectorNone}
	}
	return selectorView{s.GetType(), s.GetExpression()}
}

func (a *API) selectorTypes(*api.Request) (api.Answer, error) {
	return api.Answer{Data: selectorTypes}, nil
}
