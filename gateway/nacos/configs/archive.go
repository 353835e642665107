package configs

import (
	"archive/zip"
	"bytes"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/troupe-cloud/troupe/actors/config"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/nacos/wire"
	"github.com/troupe-cloud/troupe/messages"
)

// The entries of an archive that describe the others, in v1 and in v2.
const (
	describedV1 = ".meta.yml"
	describedV2 = ".metadata.yml"
)

// archive is a zip file of configs that has been looked through: nothing in it is
// larger than it may be, and every content could be stored.
type archive struct {
	items        []item
	unrecognized []wire.TransferItem
}

// openArchive looks through a zip file. What the file says about its sizes is not
// believed: contents are unpacked up to the limits, of which room is that of all
// together, and thrown away.
func openArchive(raw []byte, room int64) (*archive, error) {
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return nil, errNoArchive
	}
	if len(z.File) > maxItems {
		return nil, api.ImportParse.Errorf("the archive holds more than %d entries", maxItems)
	}
	d, err := descriptionOf(z)
	if err != nil {
		return nil, err
	}
	a := &archive{}
	entries := map[wire.TransferKey]bool{}
	for _, f := range z.File {
		if f.Name == describedV1 || f.Name == describedV2 || strings.HasSuffix(f.Name, "/") {
			continue
		}
		it, ok := d.item(f.Name)
		if !ok || entries[it.key()] {
			a.unrecognized = append(a.unrecognized, wire.TransferItem{Name: strings.ToValidUTF8(api.Short(f.Name), "?")})
			continue
		}
		entries[it.key()] = true
		if room, err = look(f, it, room); err != nil {
			return nil, err
		}
		it.content = func() (string, error) { return unpack(f, config.MaxContentBytes) }
		a.items = append(a.items, it)
	}
	a.unrecognized = append(a.unrecognized, d.missing(entries)...)
	if len(a.items) == 0 {
		return nil, errNothing
	}
	return a, nil
}

// look unpacks one entry to see that it could be stored, and says how many bytes
// the others may still have.
func look(f *zip.File, it item, room int64) (int64, error) {
	content, err := unpack(f, min(room, config.MaxContentBytes))
	if err != nil {
		return 0, err
	}
	if err := first(config.CheckContent(content), config.CheckLabels(it.labels)); err != nil {
		return 0, api.ImportNoData.Errorf("%s/%s: %s", it.group, it.dataID, messages.Sentence(err))
	}
	return room - int64(len(content)), nil
}

// unpack is the content of an entry of at most so many bytes.
func unpack(f *zip.File, most int64) (string, error) {
	from, err := f.Open()
	if err != nil {
		return "", errNoArchive
	}
	defer from.Close()
	raw, err := io.ReadAll(io.LimitReader(from, most+1))
	switch {
	case int64(len(raw)) > most:
		return "", api.ImportParse.Errorf("an entry of the archive, or all together, is larger than it may be")
	case err != nil:
		return "", errNoArchive
	}
	return string(raw), nil
}

// description is what an archive says of its entries.
type description struct {
	listed bool              // only what is listed counts (v2)
	apps   map[string]string // of v1, by metaName
	about  map[wire.TransferKey]*described
	order  []wire.TransferKey
}

type described struct{ app, desc, kind, tags string }

// descriptionOf reads the description of an archive; one of v1 may have none.
func descriptionOf(z *zip.Reader) (*description, error) {
	for name, parse := range map[string]func(string) (*description, error){describedV2: parseMetadata, describedV1: parseMeta} {
		i := slices.IndexFunc(z.File, func(f *zip.File) bool { return f.Name == name })
		if i < 0 {
			continue
		}
		text, err := unpack(z.File[i], maxMetadata)
		if err != nil {
			return nil, err
		}
		if !utf8.ValidString(text) {
			return nil, errNoMetadata
		}
		return parse(text)
	}
	return &description{}, nil
}

// item is the config that an entry of that name holds: GROUP/DATAID.
func (d *description) item(name string) (item, bool) {
	group, dataID, ok := strings.Cut(name, "/")
	if !ok || api.CheckGroup(group) != nil || api.CheckDataID(dataID) != nil {
		return item{}, false
	}
	it := item{group: group, dataID: dataID}
	about, listed := d.about[it.key()]
	if d.listed && !listed {
		return item{}, false
	}
	if about == nil {
		about = &described{app: d.apps[metaName(group, dataID)]}
	}
	it.labels = &messages.ConfigLabels{
		Type: config.TypeOf(either(about.kind, extension(dataID), "")), App: about.app, Description: about.desc, Tags: splitTags(about.tags),
	}
	return it, true
}

// extension guesses a type from a name such as a.yaml.
func extension(dataID string) string {
	end := dataID[strings.LastIndexByte(dataID, '.')+1:]
	switch end {
	case "yml":
		return "yaml"
	case "htm":
		return "html"
	}
	return end
}

// missing are those that were described and not there.
func (d *description) missing(seen map[wire.TransferKey]bool) (all []wire.TransferItem) {
	for _, key := range d.order {
		if d.listed && !seen[key] {
			all = append(all, wire.TransferItem{Name: "Item not found in file: " + key.Group + "/" + key.DataID})
		}
	}
	return all
}
