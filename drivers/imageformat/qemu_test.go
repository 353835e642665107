package imageformat

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestRealImages checks against what qemu-img itself writes, where it is installed.
func TestRealImages(t *testing.T) {
	tool, err := exec.LookPath("qemu-img")
	if err != nil {
		t.Skip("qemu-img is not installed")
	}
	source := filepath.Join(t.TempDir(), "source.raw")
	content := make([]byte, 3<<20)
	for i := range content[1<<20 : 2<<20] {
		content[1<<20+i] = byte(i * 7)
	}
	if err := os.WriteFile(source, content, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		as   Format
		args []string
	}{
		"raw":                   {Raw, []string{"-O", "raw"}},
		"qcow2":                 {QCOW2, []string{"-O", "qcow2"}},
		"qcow2 version 2":       {QCOW2, []string{"-O", "qcow2", "-o", "compat=0.10"}},
		"qcow2 compressed":      {QCOW2, []string{"-O", "qcow2", "-c"}},
		"qcow2 zstd":            {QCOW2, []string{"-O", "qcow2", "-c", "-o", "compression_type=zstd"}},
		"qcow2 extended L2":     {QCOW2, []string{"-O", "qcow2", "-o", "extended_l2=on"}},
		"qcow2 small clusters":  {QCOW2, []string{"-O", "qcow2", "-o", "cluster_size=512"}},
		"qcow2 lazy":            {QCOW2, []string{"-O", "qcow2", "-o", "lazy_refcounts=on"}},
		"vmdk":                  {VMDK, []string{"-O", "vmdk"}},
		"vmdk stream optimised": {VMDK, []string{"-O", "vmdk", "-o", "subformat=streamOptimized"}},
		"vhd dynamic":           {VHD, []string{"-O", "vpc", "-o", "force_size=on"}},
		"vhd fixed":             {VHD, []string{"-O", "vpc", "-o", "subformat=fixed,force_size=on"}},
		"vhdx":                  {VHDX, []string{"-O", "vhdx"}},
		"vdi":                   {VDI, []string{"-O", "vdi"}},
		"vdi static":            {VDI, []string{"-O", "vdi", "-o", "static=on"}},
	} {
		made := filepath.Join(t.TempDir(), "made")
		args := append(append([]string{"convert", "-f", "raw"}, tt.args...), source, made)
		if out, err := exec.Command(tool, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", name, err, out)
		}
		f, err := os.Open(made)
		if err != nil {
			t.Fatal(err)
		}
		st, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		got, err := Check(f, st.Size(), tt.as)
		if err != nil || got.VirtualBytes != int64(len(content)) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
		f.Close()
	}
}
