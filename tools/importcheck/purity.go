package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
)

// clocks are the functions of package time that ask or wait for a clock.
var clocks = []string{
	"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker", "LoadLocation",
}

// impurities lists the clocks, goroutines and channels in one file of decisions.
func impurities(fset *token.FileSet, file *ast.File) []string {
	var wrong []string
	report := func(n ast.Node, what string) {
		wrong = append(wrong, fmt.Sprintf("%s: a decision may not %s", fset.Position(n.Pos()), what))
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			report(n, "start a goroutine")
		case *ast.SelectStmt:
			report(n, "select")
		case *ast.ChanType:
			report(n, "use a channel")
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(clocks, n.Sel.Name) {
				report(n, "call time."+n.Sel.Name)
			}
		}
		return true
	})
	return wrong
}
