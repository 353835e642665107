package image

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

// download streams an image's content, or the one range of it that is asked for.
func (a *API) download(r *api.Request) (api.Response, error) {
	v, err := a.get(r)
	if err != nil {
		return api.Response{}, err
	}
	switch {
	case v.Status == messages.ImageStatus_IMAGE_STATUS_DEACTIVATED && !r.Principal.Admin():
		return api.Response{}, fmt.Errorf("the requested image has been deactivated; its data cannot be downloaded: %w", messages.Denied)
	case v.Sha256 == "":
		return api.Response{Status: http.StatusNoContent}, nil
	}
	first, length, err := byteRange(r.Header.Get("Range"), v.SizeBytes)
	if err != nil {
		return api.Response{}, err
	}
	f, err := a.cfg.Blobs.Open(r.Context(), v.Sha256)
	if err != nil {
		return api.Response{}, err
	}
	h := http.Header{"Content-Type": {"application/octet-stream"}, "Content-Md5": {v.Md5}, "Accept-Ranges": {"bytes"}}
	resp := api.Response{Header: h, Stream: part{io.NewSectionReader(f, first, length), f}, Length: length}
	if whole, ok := f.(io.ReadCloser); ok && length == v.SizeBytes {
		resp.Stream = whole // a file, which the system can send by itself
	}
	if length < v.SizeBytes {
		resp.Status = http.StatusPartialContent
		h.Del("Content-Md5") // it is that of the whole
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, first+length-1, v.SizeBytes))
	}
	return resp, nil
}

type part struct {
	io.Reader
	io.Closer
}

// byteRange reads a Range header (RFC 9110, section 14) of one range. Of several,
// and of units other than bytes, nothing is made: the whole is answered.
func byteRange(header string, size int64) (first, length int64, err error) {
	spec, ok := strings.CutPrefix(header, "bytes=")
	if !ok || strings.Contains(spec, ",") {
		return 0, size, nil
	}
	from, to, ok := strings.Cut(strings.TrimSpace(spec), "-")
	if !ok {
		return 0, size, nil
	}
	a, errA := strconv.ParseUint(from, 10, 63)
	b, errB := strconv.ParseUint(to, 10, 63)
	last := size - 1
	switch {
	case from == "" && errB == nil && b > 0: // the last b bytes
		return max(0, size-int64(min(b, uint64(size)))), int64(min(b, uint64(size))), nil
	case errA != nil || (to != "" && errB != nil) || (to != "" && b < a):
		return 0, size, nil
	case int64(a) > last:
		return 0, 0, api.WithStatus(http.StatusRequestedRangeNotSatisfiable,
			fmt.Errorf("the range begins after the end of the image, which has %d bytes: %w", size, messages.Invalid))
	case to != "" && int64(b) < last:
		last = int64(b)
	}
	return int64(a), last - int64(a) + 1, nil
}
