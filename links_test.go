package fxhttp_test

import (
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

// TestLinks finds broken links between the files of the repository: to a file that does
// not exist, or to a heading that a Markdown file does not have.
func TestLinks(t *testing.T) {
	for _, page := range markdownFiles(t) {
		for _, link := range linksOf(readPage(t, page)) {
			if problem := checkLink(t, page, link); problem != "" {
				t.Errorf("%s: %s: %s", page, link, problem)
			}
		}
	}
}

// markdownFiles returns the Markdown files of the repository, except for those that tools
// have installed or made.
func markdownFiles(t *testing.T) (pages []string) {
	t.Helper()
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		skipped := []string{".git", "node_modules", "work", "testdata"}
		if err == nil && d.IsDir() && slices.Contains(skipped, d.Name()) {
			return fs.SkipDir
		}
		if path.Ext(name) == ".md" {
			pages = append(pages, filepath.ToSlash(name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return pages
}

var (
	fenced     = regexp.MustCompile("(?ms)^[ ]*```.*?^[ ]*```$")
	codeSpan   = regexp.MustCompile("``[^`].*?``|`[^`]*`")
	markdown   = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	attribute  = regexp.MustCompile(`(?:src|srcset|href)="([^"]+)"`)
	heading    = regexp.MustCompile(`(?m)^#{1,6} +(.*)$`)
	linkInText = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
)

// linksOf returns the targets of the links and images of a page, those in HTML included.
func linksOf(text string) (links []string) {
	text = codeSpan.ReplaceAllString(fenced.ReplaceAllString(text, ""), "")
	for _, form := range []*regexp.Regexp{markdown, attribute} {
		for _, m := range form.FindAllStringSubmatch(text, -1) {
			links = append(links, m[1])
		}
	}
	return links
}

// checkLink returns what is wrong with a link of the page. It ignores links that lead out
// of the repository.
func checkLink(t *testing.T, page, link string) string {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil {
		return err.Error()
	}
	if u.Scheme != "" || u.Host != "" {
		return ""
	}
	target := page
	if u.Path != "" {
		target = path.Join(path.Dir(page), u.Path)
	}
	if strings.HasPrefix(target, "..") {
		return "it leads out of the repository"
	}
	if _, err := os.Stat(target); err != nil {
		return "no such file"
	}
	if u.Fragment != "" && path.Ext(target) == ".md" && !slices.Contains(anchorsOf(readPage(t, target)), u.Fragment) {
		return "no such heading"
	}
	return ""
}

// anchorsOf returns the anchors that GitHub gives to the headings of a page.
func anchorsOf(text string) (anchors []string) {
	seen := make(map[string]int)
	for _, m := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		slug := slugOf(m[1])
		n := seen[slug]
		seen[slug]++
		if n > 0 {
			slug += "-" + strconv.Itoa(n)
		}
		anchors = append(anchors, slug)
	}
	return anchors
}

// slugOf follows GitHub's rule: letters, digits, hyphens and underscores stay, in lower
// case; spaces become hyphens; everything else is removed.
func slugOf(title string) string {
	title = linkInText.ReplaceAllString(strings.TrimSpace(title), "$1")
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-', r == '_', unicode.IsLetter(r), unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, title)
}

func TestAnchors(t *testing.T) {
	got := anchorsOf("# net/http's own tests\n\n```\n# no heading\n```\n\n## What `Stop` does, and *why*\n## A_b - [c](d.md) 2.\n## A_b - c 2\n")
	want := []string{"nethttps-own-tests", "what-stop-does-and-why", "a_b---c-2", "a_b---c-2-1"}
	if !slices.Equal(got, want) {
		t.Errorf("anchorsOf() = %q, want %q", got, want)
	}
}
