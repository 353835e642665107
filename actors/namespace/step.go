package namespace

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// Step decides what a message means for a namespace.
func Step(s State, in actors.Input) (State, []actors.Effect, error) {
	switch m := in.Message.(type) {
	case *messages.Activated, *messages.Nudged:
		return s, nil, nil
	case *messages.CreateNamespace:
		return create(s, in, m)
	case *messages.UpdateNamespace:
		return update(s, in, m)
	case *messages.DeleteNamespace:
		if in.ID == Public {
			return s, nil, errPublic
		}
		if !s.Made {
			return s, nil, absent(in.ID)
		}
		return State{}, nil, nil
	case *messages.GetNamespace:
		shown, err := show(s, in.ID)
		if err != nil {
			return s, nil, err
		}
		return s, []actors.Effect{actors.Reply{Message: shown}}, nil
	}
	return s, nil, fmt.Errorf("a namespace cannot take %T: %w", in.Message, messages.Invalid)
}

var (
	errPublic = fmt.Errorf("the namespace %s is always there as it is: %w", Public, messages.Invalid)
	public    = &messages.Namespace{Id: Public, Name: Public, Description: "Default Namespace", Quota: DefaultQuota, Type: TypePublic}
)

func absent(id string) error {
	return fmt.Errorf("there is no namespace %.80q: %w", id, messages.NotFound)
}

func show(s State, id string) (*messages.Namespace, error) {
	switch {
	case id == Public:
		return public, nil
	case !s.Made:
		return nil, absent(id)
	}
	return s.Shown, nil
}

func create(s State, in actors.Input, m *messages.CreateNamespace) (State, []actors.Effect, error) {
	if err := check(in.ID, m.Name, m.Description); err != nil {
		return s, nil, err
	}
	if s.Made || in.ID == Public {
		return s, nil, fmt.Errorf("the namespace %s exists already: %w", in.ID, messages.Conflict)
	}
	quota := m.Quota
	if quota <= 0 {
		quota = DefaultQuota
	}
	s = State{Made: true, Shown: &messages.Namespace{
		Id: in.ID, Name: m.Name, Description: m.Description, Quota: quota, Type: TypeMade, CreatedAt: in.Now.UnixNano(),
	}}
	return s, []actors.Effect{actors.Reply{Message: s.Shown}}, nil
}

func update(s State, in actors.Input, m *messages.UpdateNamespace) (State, []actors.Effect, error) {
	if in.ID == Public {
		return s, nil, errPublic
	}
	if !s.Made {
		return s, nil, absent(in.ID)
	}
	if err := check(in.ID, m.Name, m.Description); err != nil {
		return s, nil, err
	}
	s.Shown = proto.CloneOf(s.Shown)
	s.Shown.Name, s.Shown.Description = m.Name, m.Description
	return s, []actors.Effect{actors.Reply{Message: s.Shown}}, nil
}

func check(id, name, description string) error {
	if err := CheckID(id); err != nil {
		return err
	}
	if strings.TrimSpace(name) == "" || strings.ContainsAny(name, "@#$%^&*") {
		return fmt.Errorf("the name of a namespace is not blank and has none of @ # $ %% ^ & *: %w", messages.Invalid)
	}
	if err := checkText("name", name, MaxNameRunes); err != nil {
		return err
	}
	return checkText("description", description, MaxDescriptionRunes)
}
