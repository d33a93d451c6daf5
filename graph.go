package fxhttp

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"go.uber.org/fx"
)

// graph is what an fx.DotGraph tells about an app's constructors.
//
// Fx leaves an optional dependency zero if nothing provides it, and also if its provider
// lacks a dependency of its own. Only the graph tells the two apart. Thanks to it, a
// server does not run without its handler or its configuration because of a line that was
// forgotten elsewhere.
//
// The graph shows types by their short names, does not tell private constructors of other
// modules from public ones, and shows no decorators. So it never decides alone: it is
// consulted for the reason when Fx has not given something.
type graph struct {
	providers map[string][]*constructor // by the key of their result
	groups    map[string][]string       // the keys of the results in a value group
}

type constructor struct {
	pkg, name string
	params    []string // the keys of required parameters, including groups
}

func (c *constructor) String() string {
	if c.pkg == "reflect" {
		return "(a constructor whose name fx.Annotate or fx.Supply hides)"
	}
	if c.pkg == "" {
		return c.name
	}
	return c.pkg + "." + c.name
}

// keyOf returns the key of a type, with a name if it has one, as a DotGraph writes it.
func keyOf[T any](name string) string {
	t := reflect.TypeFor[T]()
	if name == "" {
		return t.String()
	}
	return fmt.Sprintf("%v[name=%v]", t, name)
}

// parseGraph reads the lines that dig.Visualize writes, and skips all others: if dig
// changes the format, an explanation is lost, and nothing else.
func parseGraph(text fx.DotGraph) *graph {
	g := &graph{providers: make(map[string][]*constructor), groups: make(map[string][]string)}
	byID := make(map[string]*constructor)
	var current *constructor // whose subgraph is being read
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "subgraph cluster_"):
			id := strings.TrimSuffix(strings.TrimPrefix(line, "subgraph cluster_"), " {")
			current = &constructor{}
			byID[id] = current
		case line == "}":
			current = nil
		case strings.HasPrefix(line, "label = ") && current != nil:
			current.pkg, _ = cutQuoted(strings.TrimPrefix(line, "label = "))
		case strings.HasPrefix(line, "constructor_"):
			if id, rest, ok := strings.Cut(strings.TrimPrefix(line, "constructor_"), " -> "); ok {
				key, attrs := cutQuoted(rest)
				if c := byID[id]; c != nil && !strings.Contains(attrs, "style=dashed") {
					c.params = append(c.params, key)
				}
			} else if _, rest, ok := strings.Cut(line, " label="); ok && current != nil {
				current.name, _ = cutQuoted(rest)
			}
		case strings.HasPrefix(line, `"`):
			key, rest := cutQuoted(line)
			if to, ok := strings.CutPrefix(rest, " -> "); ok {
				result, _ := cutQuoted(to)
				g.groups[key] = append(g.groups[key], result)
			} else if current != nil {
				g.providers[key] = append(g.providers[key], current)
			} else if _, ok := g.groups[key]; !ok {
				g.groups[key] = nil
			}
		}
	}
	return g
}

// cutQuoted splits a quoted string from what follows it.
func cutQuoted(s string) (value, rest string) {
	q, err := strconv.QuotedPrefix(s)
	if err != nil {
		return "", s
	}
	value, _ = strconv.Unquote(q)
	return value, s[len(q):]
}

// provided returns the constructors that provide key, as text.
func (g *graph) provided(key string) string { return list(g.providers[key]) }

// whyUnbuilt says why key, which Fx has not given, could not be built: which of its
// providers needs what, and which of those dependencies nothing provides. It returns nil
// if the graph does not show that.
func (g *graph) whyUnbuilt(key string) error {
	for _, c := range g.providers[key] {
		if chain := g.missing(c, make(map[*constructor]bool)); chain != nil {
			needs := make([]string, len(chain))
			for i, k := range chain {
				needs[i] = "needs " + k
			}
			return fmt.Errorf("fxhttp: %s cannot be built: its provider %v %s, and nothing provides %s",
				key, c, strings.Join(needs, ", which "), chain[len(chain)-1])
		}
	}
	return nil
}

// whyAbsent says why Fx has not given key although the app provides it; hint ends the
// text. It returns nil if the app does not provide key.
func (g *graph) whyAbsent(key, hint string) error {
	if err := g.whyUnbuilt(key); err != nil {
		return err
	}
	if by := g.provided(key); by != "" {
		return fmt.Errorf("fxhttp: %s is not available from its provider %s: the provider, or something that it needs, is private to another module%s",
			key, by, hint)
	}
	return nil
}

// missing returns the chain of dependencies that leads from c to one that nothing
// provides. It visits each constructor once.
func (g *graph) missing(c *constructor, seen map[*constructor]bool) []string {
	if seen[c] {
		return nil
	}
	seen[c] = true
	for _, param := range c.params {
		results, isGroup := g.groups[param]
		if !isGroup {
			if len(g.providers[param]) == 0 {
				return []string{param}
			}
			results = []string{param}
		}
		for _, result := range results {
			for _, p := range g.providers[result] {
				if chain := g.missing(p, seen); chain != nil {
					return append([]string{param}, chain...)
				}
			}
		}
	}
	return nil
}
