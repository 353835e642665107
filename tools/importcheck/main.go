// Command importcheck owns the import rule of the architecture and says where
// the code breaks it: messages <- drivers <- actors <- cluster <- gateway <- cmd,
// the outside modules that one room may use, and the purity of actors. It reads
// the source only; it builds and changes nothing.
//
//	importcheck [DIR]   # DIR is the module's root, by default the current folder
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

func main() {
	dir := "."
	if len(os.Args) > 1 {
		dir = os.Args[1]
	}
	pkgs, err := load(dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, "importcheck:", err)
		os.Exit(2)
	}
	var wrong []string
	for _, p := range pkgs {
		w, err := checkAll(p)
		if err != nil {
			fmt.Fprintln(os.Stderr, "importcheck:", err)
			os.Exit(2)
		}
		wrong = append(wrong, w...)
	}
	for _, w := range wrong {
		fmt.Println(w)
	}
	if len(wrong) > 0 {
		os.Exit(1)
	}
	fmt.Printf("importcheck: %d packages keep the rule\n", len(pkgs))
}

// load asks the go command for the packages of the module at dir, as they are
// built with libvirt loaded at run time.
func load(dir string) ([]pkg, error) {
	cmd := exec.Command("go", "list", "-find", "-tags", "libvirt_dlopen", "-json", "./...")
	var stderr bytes.Buffer
	cmd.Dir, cmd.Stderr = dir, &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w: %s", err, stderr.Bytes())
	}
	var pkgs []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs, nil
		} else if err != nil {
			return nil, err
		}
		pkgs = append(pkgs, p)
	}
}

// checkAll checks the imports of p and, where it decides, its source.
func checkAll(p pkg) ([]string, error) {
	wrong := check(p)
	if !pure(p.ImportPath[min(len(module)+1, len(p.ImportPath)):]) {
		return wrong, nil
	}
	fset := token.NewFileSet()
	for _, name := range append(p.GoFiles, p.CgoFiles...) {
		file, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		wrong = append(wrong, impurities(fset, file)...)
	}
	return wrong, nil
}
