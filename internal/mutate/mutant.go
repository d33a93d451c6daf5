package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
)

// A mutant is a source file with one small change.
type mutant struct {
	file     string
	line     int
	from, to int    // the bytes that are replaced
	text     string // by this
	what     string // for people
	function string // that has it
}

// apply returns the changed source. Lines keep their numbers.
func (m mutant) apply(src []byte) []byte {
	old := src[m.from:m.to]
	text := m.text + strings.Repeat("\n", bytes.Count(old, []byte("\n"))-strings.Count(m.text, "\n"))
	return append(append(bytes.Clone(src[:m.from]), text...), src[m.to:]...)
}

// comparisons has the neighbor of each: the change that a test must be exact to notice.
var comparisons = map[token.Token]token.Token{
	token.EQL: token.NEQ, token.NEQ: token.EQL,
	token.LSS: token.LEQ, token.LEQ: token.LSS,
	token.GTR: token.GEQ, token.GEQ: token.GTR,
}

// mutants returns the mutants of a source file, in the order of the source:
//
//   - a comparison is changed: < and <=, > and >=, == and != for each other;
//   - a condition is negated, unless a changed comparison is the same;
//   - a statement is deleted: a call, an assignment, a send, a go, a defer, a return, a
//     jump, an if with all that it has. What declares a variable is left.
//
// If they are to be branches, they are others:
//
//   - an if, or a case, is never taken;
//   - an operand of && or || has no effect.
func mutants(file string, src []byte, branches bool) ([]mutant, error) {
	fset := token.NewFileSet()
	parsed, err := parser.ParseFile(fset, file, src, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	c := &collector{file: file, src: src, fset: fset}
	for _, d := range parsed.Decls {
		c.function = ""
		if f, ok := d.(*ast.FuncDecl); ok {
			c.function = f.Name.Name
		}
		if branches {
			ast.Inspect(d, c.branch)
		} else {
			ast.Inspect(d, c.change)
		}
	}
	return c.mutants, nil
}

// A collector gathers the mutants of a file.
type collector struct {
	file     string
	src      []byte
	fset     *token.FileSet
	function string // that it is in
	mutants  []mutant
}

func (c *collector) change(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.BinaryExpr:
		c.compare(n)
	case *ast.IfStmt:
		c.negate(n.Cond)
	case *ast.ForStmt:
		c.negate(n.Cond)
	case *ast.SwitchStmt:
		if n.Tag == nil {
			c.negateCases(n.Body)
		}
	case *ast.BlockStmt:
		c.remove(n.List)
	case *ast.CaseClause:
		c.remove(n.Body)
	case *ast.CommClause:
		c.remove(n.Body)
	}
	return true
}

// branch takes out branches. They stay in the source, so that it compiles.
func (c *collector) branch(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.IfStmt:
		c.neutralize(n.Cond, "false &&", "never: if %s")
	case *ast.SwitchStmt:
		for _, s := range n.Body.List {
			clause := s.(*ast.CaseClause)
			if n.Tag != nil || clause.List == nil {
				c.add(clause.Pos(), clause.End(), "", "never: %s", oneLine(c.text(clause)))
			}
			for _, cond := range clause.List {
				if n.Tag == nil {
					c.neutralize(cond, "false &&", "never: case %s")
				}
			}
		}
	case *ast.BinaryExpr:
		neutral := map[token.Token]string{token.LAND: "true ||", token.LOR: "false &&"}[n.Op]
		for _, operand := range []ast.Expr{n.X, n.Y} {
			// Of a && b && c, a && b is no part.
			if x, ok := operand.(*ast.BinaryExpr); neutral != "" && (!ok || x.Op != n.Op) {
				c.neutralize(operand, neutral, "without "+n.Op.String()+" %s")
			}
		}
	}
	return true
}

func (c *collector) neutralize(e ast.Expr, by, what string) {
	text := c.text(e)
	c.add(e.Pos(), e.End(), "("+by+" ("+text+"))", what, oneLine(text))
}

func (c *collector) offset(p token.Pos) int { return c.fset.Position(p).Offset }

func (c *collector) text(n ast.Node) string {
	return string(c.src[c.offset(n.Pos()):c.offset(n.End())])
}

func (c *collector) add(from, to token.Pos, text, what string, args ...any) {
	c.mutants = append(c.mutants, mutant{
		file: c.file, function: c.function, line: c.fset.Position(from).Line,
		from: c.offset(from), to: c.offset(to), text: text, what: fmt.Sprintf(what, args...),
	})
}

func (c *collector) compare(e *ast.BinaryExpr) {
	op, ok := comparisons[e.Op]
	if !ok {
		return
	}
	end := e.OpPos + token.Pos(len(e.Op.String()))
	c.add(e.OpPos, end, op.String(), "%s: %s instead of %s", oneLine(c.text(e)), op, e.Op)
}

func (c *collector) negate(cond ast.Expr) {
	if cond == nil {
		return // for without a condition
	}
	if e, ok := ast.Unparen(cond).(*ast.BinaryExpr); ok && (e.Op == token.EQL || e.Op == token.NEQ) {
		return
	}
	c.add(cond.Pos(), cond.End(), "!("+c.text(cond)+")", "negated: %s", oneLine(c.text(cond)))
}

func (c *collector) negateCases(body *ast.BlockStmt) {
	for _, s := range body.List {
		for _, cond := range s.(*ast.CaseClause).List {
			c.negate(cond)
		}
	}
}

func (c *collector) remove(list []ast.Stmt) {
	for _, s := range list {
		switch s := s.(type) {
		case *ast.AssignStmt:
			if s.Tok == token.DEFINE {
				continue
			}
		case *ast.ExprStmt, *ast.IncDecStmt, *ast.SendStmt, *ast.GoStmt, *ast.DeferStmt,
			*ast.ReturnStmt, *ast.BranchStmt, *ast.IfStmt:
		default:
			continue
		}
		c.add(s.Pos(), s.End(), "", "deleted: %s", oneLine(c.text(s)))
	}
}

// oneLine shows the beginning of a piece of source.
func oneLine(text string) string {
	const most = 80
	text, _, cut := strings.Cut(text, "\n")
	if len(text) > most {
		text, cut = strings.ToValidUTF8(text[:most], ""), true
	}
	if cut {
		text += " …"
	}
	return text
}
