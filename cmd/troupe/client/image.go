package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/imagedata"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
	"github.com/spf13/cobra"
)

// imageRow is an image as it is shown.
type imageRow struct {
	ID         string    `json:"id"`
	Name       string    `json:"name"`
	Status     string    `json:"status"`
	DiskFormat string    `json:"disk_format"`
	SizeBytes  int64     `json:"size_bytes"`
	Visibility string    `json:"visibility"`
	Protected  bool      `json:"protected"`
	MinDiskGiB int       `json:"min_disk_gib"`
	MinRAMMiB  int       `json:"min_ram_mib"`
	Tags       []string  `json:"tags"`
	Checksum   string    `json:"checksum"`
	Owner      string    `json:"owner"`
	CreatedAt  time.Time `json:"created_at"`
}

func newImageRow(i images.Image) imageRow {
	return imageRow{
		ID: i.ID, Name: i.Name, Status: string(i.Status), DiskFormat: i.DiskFormat, SizeBytes: i.SizeBytes,
		Visibility: string(i.Visibility), Protected: i.Protected, MinDiskGiB: i.MinDiskGigabytes,
		MinRAMMiB: i.MinRAMMegabytes, Tags: i.Tags, Checksum: i.Checksum, Owner: i.Owner, CreatedAt: i.CreatedAt,
	}
}

var imageColumns = []column[imageRow]{
	{"id", func(i imageRow) string { return i.ID }},
	{"name", func(i imageRow) string { return i.Name }},
	{"status", func(i imageRow) string { return i.Status }},
	{"format", func(i imageRow) string { return i.DiskFormat }},
	{"size", func(i imageRow) string { return bytesText(i.SizeBytes) }},
	{"visibility", func(i imageRow) string { return i.Visibility }},
}

var imageDetails = append(slices.Clone(imageColumns),
	column[imageRow]{"protected", func(i imageRow) string { return strconv.FormatBool(i.Protected) }},
	column[imageRow]{"least disk", func(i imageRow) string { return strconv.Itoa(i.MinDiskGiB) + " GiB" }},
	column[imageRow]{"least ram", func(i imageRow) string { return strconv.Itoa(i.MinRAMMiB) + " MiB" }},
	column[imageRow]{"tags", func(i imageRow) string { return strings.Join(i.Tags, ", ") }},
	column[imageRow]{"checksum", func(i imageRow) string { return i.Checksum }},
	column[imageRow]{"owner", func(i imageRow) string { return i.Owner }},
	column[imageRow]{"created", func(i imageRow) string { return when(i.CreatedAt) }},
)

func (a *app) imageCommand() *cobra.Command {
	return a.group("image", "Disk images: list, create, show, delete",
		a.imageList(), a.imageCreate(), a.imageShow(), a.imageDelete())
}

func (a *app) imageList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the images you may use", Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.images(cmd.Context())
			if err != nil {
				return err
			}
			pages, err := images.List(c, images.ListOpts{}).AllPages(cmd.Context())
			if err != nil {
				return err
			}
			all, err := images.ExtractImages(pages)
			if err != nil {
				return err
			}
			return list(cmd, a, mapped(all, newImageRow), imageColumns)
		},
	}
}

func (a *app) imageCreate() *cobra.Command {
	var file, visibility string
	var protected bool
	var properties []string
	opts := images.CreateOpts{ContainerFormat: "bare"}
	c := &cobra.Command{
		Use: "create NAME --file FILE", Short: "Create an image and upload its content", Args: exactly(1),
		Example: "  troupe image create debian --file debian-12.qcow2\n" +
			"  troupe image create shared --file disk.raw --disk-format raw --visibility public",
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if opts.Properties, err = pairs(properties); err != nil {
				return err
			}
			v := images.ImageVisibility(visibility)
			opts.Name, opts.Visibility, opts.Protected = args[0], &v, &protected
			return a.upload(cmd, file, opts)
		},
	}
	f := c.Flags()
	f.StringVar(&file, "file", "", "the image's content")
	f.StringVar(&opts.DiskFormat, "disk-format", "", "qcow2 or raw; by default seen from the file")
	f.StringVar(&visibility, "visibility", "private", "private, shared, community or public")
	f.IntVar(&opts.MinDisk, "min-disk", 0, "smallest root disk in GiB")
	f.IntVar(&opts.MinRAM, "min-ram", 0, "least memory in MiB")
	f.BoolVar(&protected, "protected", false, "refuse to delete it")
	f.StringSliceVar(&opts.Tags, "tag", nil, "a tag; may be given again")
	f.StringArrayVar(&properties, "property", nil, "key=value; may be given again")
	if err := c.MarkFlagRequired("file"); err != nil {
		panic(err)
	}
	return c
}

// upload creates the image and sends its content; if that fails, the image that
// was created is removed again.
func (a *app) upload(cmd *cobra.Command, path string, opts images.CreateOpts) error {
	f, err := os.Open(path)
	if err != nil {
		return usage(err)
	}
	defer f.Close()
	stat, err := f.Stat()
	if err != nil {
		return usage(err)
	}
	if !stat.Mode().IsRegular() {
		return usage(fmt.Errorf("%s is not a file", filepath.Clean(path)))
	}
	if opts.DiskFormat == "" {
		if opts.DiskFormat, err = diskFormat(f); err != nil {
			return usage(err)
		}
	}
	c, err := a.images(cmd.Context())
	if err != nil {
		return err
	}
	created, err := images.Create(cmd.Context(), c, opts).Extract()
	if err != nil {
		return err
	}
	p := newProgress(cmd)
	err = imagedata.Upload(cmd.Context(), c, created.ID, &metered{r: f, p: p, total: stat.Size()}).ExtractErr()
	p.end()
	if err != nil {
		return discard(c, created.ID, err)
	}
	i, err := images.Get(cmd.Context(), c, created.ID).Extract()
	if err != nil {
		return err
	}
	return show(cmd, a, newImageRow(*i), imageDetails)
}

// discard removes a half-made image after err, also when the user interrupted.
func discard(c *gophercloud.ServiceClient, id string, err error) error {
	const patience = 10 * time.Second
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if gone := images.Delete(ctx, c, id).ExtractErr(); gone != nil && !missing(gone) {
		return errors.Join(err, fmt.Errorf("image %s is left, without content: %s", id, Explain(gone)))
	}
	return err
}

// diskFormat tells qcow2 from raw by the first bytes.
func diskFormat(f io.ReaderAt) (string, error) {
	magic := make([]byte, 4)
	if _, err := f.ReadAt(magic, 0); err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if bytes.Equal(magic, []byte("QFI\xfb")) {
		return "qcow2", nil
	}
	return "raw", nil
}

func (a *app) imageShow() *cobra.Command {
	return &cobra.Command{
		Use: "show IMAGE", Short: "Show an image", Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.images(cmd.Context())
			if err != nil {
				return err
			}
			i, err := findImage(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			return show(cmd, a, newImageRow(i), imageDetails)
		},
	}
}

func (a *app) imageDelete() *cobra.Command {
	return &cobra.Command{
		Use: "delete IMAGE...", Short: "Delete images; servers made of them live on", Args: atLeastOne,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.images(cmd.Context())
			if err != nil {
				return err
			}
			return each(args, func(name string) error {
				i, err := findImage(cmd.Context(), c, name)
				if err != nil {
					return err
				}
				return images.Delete(cmd.Context(), c, i.ID).ExtractErr()
			})
		},
	}
}
