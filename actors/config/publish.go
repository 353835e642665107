package config

import (
	"cmp"
	"crypto/md5" //nolint:gosec // the name that clients know a content by; nothing is trusted because of it
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// MD5 is the MD5 of a content as clients write it: lower case hex.
func MD5(content string) string {
	h := md5.New() //nolint:gosec // see above
	piece := make([]byte, min(len(content), hashBytes))
	for len(content) > 0 {
		n := copy(piece, content)
		h.Write(piece[:n])
		content = content[n:]
	}
	return hex.EncodeToString(h.Sum(nil))
}

// hashBytes is how much of a content is copied at a time to be hashed.
const hashBytes = 32 << 10

func publish(s State, in actors.Input, m *messages.PublishConfig) (State, []actors.Effect, error) {
	if err := checkPublish(in.ID, m); err != nil {
		return s, nil, err
	}
	row, was := formalRow, s.Formal
	if m.Gray != nil {
		row, was = grayRow(m.Gray.Name), nil
		if at := s.gray(m.Gray.Name); at >= 0 {
			was = &s.Grays[at].Published
		} else if len(s.Grays) >= MaxGrays {
			return s, nil, ErrTooManyGrays
		}
	}
	if err := cas(m.CasMd5, was); err != nil {
		return s, nil, err
	}
	s.ID = in.ID
	s = s.next(in.Now)
	is := s.made(was, in.Now, m)
	if was == nil {
		line := change{"I", m.Gray, m.Content, *is, m.Labels.GetApp(), m.User, m.Ip, m.Operation}
		if m.Gray == nil {
			line.Type = m.Labels.GetType()
		}
		s = s.record(in.Now, line)
	} else {
		s = s.recordOld(in.Now, "U", row, m.User, m.Ip, m.Operation)
	}
	if was == nil || was.MD5 != is.MD5 {
		s.Contents = s.Contents.Set(row, text(m.Content))
		s.ContentVersion++
	} else if m.Gray != nil && !proto.Equal(m.Gray, s.Grays[s.gray(m.Gray.Name)].Rule) {
		s.ContentVersion++ // others see it
	}
	if m.Gray != nil {
		s = s.setGray(m.Gray, is)
	} else {
		s.Formal, s.Labels = is, relabelled(s.Labels, m.Labels)
	}
	s = s.forgetOld(in.Now).show()
	return s, s.published(is, in.Now), nil
}

func checkPublish(id string, m *messages.PublishConfig) error {
	if err := checkID(id); err != nil {
		return err
	}
	if m.Gray != nil {
		if err := CheckGray(m.Gray); err != nil {
			return err
		}
	}
	return first(checkOrigin(m.User, m.Ip, m.Operation, m.EncryptedDataKey), CheckLabels(m.Labels), CheckContent(m.Content))
}

func checkID(id string) error {
	ns, group, dataID, ok := Parse(id)
	if !ok {
		return fmt.Errorf("%.500q is no config: %w", id, messages.Invalid)
	}
	return CheckKey(ns, group, dataID)
}

// cas compares what is to be replaced with what the publisher thinks that it is.
func cas(want *string, was *Published) error {
	is := ""
	if was != nil {
		is = was.MD5
	}
	if want == nil || *want == is {
		return nil
	}
	return fmt.Errorf("the MD5 of the content is %q, not %.64q: somebody has changed it: %w", is, *want, messages.Conflict)
}

// made is what stands of a content that m publishes over was. A gray version of
// which no type is said has that of the formal content.
func (s State) made(was *Published, now time.Time, m *messages.PublishConfig) *Published {
	p := &Published{CreatedAt: now.UnixNano(), CreatedBy: m.User, From: m.Ip}
	if was != nil {
		*p = *was
	}
	p.MD5, p.Size, p.DataKey, p.ModifiedAt = MD5(m.Content), int64(len(m.Content)), m.EncryptedDataKey, now.UnixNano()
	if m.Gray != nil && (was == nil || m.Labels.GetType() != "") {
		p.Type = TypeOf(cmp.Or(m.Labels.GetType(), s.Labels.Type))
	}
	return p
}

// setGray puts a gray version in its place.
func (s State) setGray(rule *messages.GrayRule, p *Published) State {
	g := Gray{proto.CloneOf(rule), *p}
	at := s.gray(rule.Name)
	if s.Grays = slices.Clone(s.Grays); at < 0 {
		s.Grays = append(s.Grays, g)
	} else {
		s.Grays[at] = g
	}
	byPriority(s.Grays)
	return s
}

// relabelled is what a publish makes of the labels: as in Nacos, tags and app that
// it leaves out stay, and the rest is as it says, also if it says nothing.
func relabelled(was Labels, l *messages.ConfigLabels) Labels {
	if l == nil {
		was.Type = TypeOf(was.Type)
		return was
	}
	is := labels(l)
	if len(is.Tags) == 0 {
		is.Tags = was.Tags
	}
	if is.App == "" {
		is.App = was.App
	}
	return is
}

// labels are all that l says. Tags that are said twice count once.
func labels(l *messages.ConfigLabels) Labels {
	is := Labels{Type: TypeOf(l.GetType()), App: l.GetApp(), Description: l.GetDescription(),
		Use: l.GetUse(), Effect: l.GetEffect(), Schema: l.GetSchema()}
	for _, tag := range l.GetTags() {
		if !slices.Contains(is.Tags, tag) {
			is.Tags = append(is.Tags, tag)
		}
	}
	return is
}

func updateLabels(s State, in actors.Input, m *messages.UpdateConfigLabels) (State, []actors.Effect, error) {
	if err := first(CheckLabels(m.Labels), checkOrigin(m.User, m.Ip, "", "")); err != nil {
		return s, nil, err
	}
	if s.Formal == nil {
		return s, nil, absent(in.ID)
	}
	p := *s.Formal
	p.ModifiedAt = in.Now.UnixNano()
	s = s.next(in.Now)
	s.Formal, s.Labels = &p, labels(m.Labels)
	s = s.forgetOld(in.Now).show()
	return s, s.published(&p, in.Now), nil
}

// remove removes the formal content or a gray version; what is not there is no
// change.
func remove(s State, in actors.Input, m *messages.RemoveConfig) (State, []actors.Effect, error) {
	if err := checkOrigin(m.User, m.Ip, "", ""); err != nil {
		return s, nil, err
	}
	row, at := formalRow, -1
	if m.GrayName != "" {
		row, at = grayRow(m.GrayName), s.gray(m.GrayName)
	}
	if at < 0 && (m.GrayName != "" || s.Formal == nil) {
		return s, s.published(nil, in.Now), nil
	}
	s = s.next(in.Now).recordOld(in.Now, "D", row, m.User, m.Ip, "")
	s.Contents = s.Contents.Delete(row)
	s.ContentVersion++
	if at >= 0 {
		s.Grays = slices.Delete(slices.Clone(s.Grays), at, at+1)
	} else {
		s.Formal, s.Labels = nil, Labels{}
	}
	s = s.forgetOld(in.Now).show()
	return s, s.published(nil, in.Now), nil
}
