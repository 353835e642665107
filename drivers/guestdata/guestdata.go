// Package guestdata owns what a guest may read about itself: the OpenStack and
// EC2 metadata documents, as the config drive carries them and the metadata
// service serves them. It is pure: the same view gives the same bytes. It asks
// nobody, writes no drive and serves no request.
//
// The formats are those of https://docs.openstack.org/nova/latest/user/metadata.html.
package guestdata

import (
	"bytes"
	"encoding/json"
	"maps"
	"strings"

	"github.com/troupe-cloud/troupe/messages"
)

// Latest is the folder that a guest reads when it knows no dated version.
const Latest = "latest"

// Versions are the dated versions of the OpenStack tree, oldest first. A guest
// picks the newest one that it knows.
var versions = []string{
	"2012-08-10", "2013-04-04", "2013-10-17", "2015-10-15", "2016-06-30",
	"2016-10-06", "2017-02-22", "2018-08-27", "2020-10-14",
}

// Since says with which dated version a document came into the tree.
var since = map[string]string{
	"meta_data.json":    "2012-08-10",
	"user_data":         "2012-08-10",
	"vendor_data.json":  "2013-10-17",
	"network_data.json": "2015-10-15",
	"vendor_data2.json": "2016-10-06",
}

// ec2Version is the one dated version of the EC2 tree that a config drive has.
const ec2Version = "2009-04-04"

// Render makes the documents of v, keyed by path: the folders "openstack/latest"
// and "ec2/latest", each content once, because the result travels in messages.
// Expand adds the copies that a drive or a server shows besides.
//
// random_seed is left out: a pure function has no randomness to give, and a seed
// that follows from public facts would be taken for entropy. Guests have the
// virtio RNG.
func Render(v *messages.InstanceView) map[string][]byte {
	files := map[string][]byte{
		"openstack/latest/meta_data.json":    encode(metaData(v)),
		"openstack/latest/network_data.json": encode(networkData(v)),
		"openstack/latest/vendor_data.json":  []byte("{}"),
		"openstack/latest/vendor_data2.json": []byte("{}"),
		"ec2/latest/meta-data.json":          encode(ec2Data(v)),
	}
	if len(v.GetUserData()) > 0 {
		files["openstack/latest/user_data"] = v.GetUserData()
	}
	return files
}

// Expand adds to Render's files the dated folders and the EC2 user data. The
// contents are shared with files, which itself stays as it is.
func Expand(files map[string][]byte) map[string][]byte {
	all := maps.Clone(files)
	for name, first := range since {
		content, ok := files["openstack/latest/"+name]
		if !ok {
			continue
		}
		for _, version := range versions {
			if version >= first {
				all["openstack/"+version+"/"+name] = content
			}
		}
	}
	if userData, ok := files["openstack/latest/user_data"]; ok {
		all["ec2/latest/user-data"] = userData
	}
	for _, name := range []string{"meta-data.json", "user-data"} {
		if content, ok := all["ec2/latest/"+name]; ok {
			all["ec2/"+ec2Version+"/"+name] = content
		}
	}
	return all
}

// encode renders JSON without HTML escapes; maps come out with sorted keys.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("guestdata: a document of strings and numbers does not encode: " + err.Error())
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// hostname is the guest's own name; the server's name stands in for it.
func hostname(v *messages.InstanceView) string {
	if h := v.GetHostname(); h != "" {
		return h
	}
	return strings.ReplaceAll(v.GetName(), " ", "-")
}
