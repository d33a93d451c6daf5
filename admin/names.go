package fxhttpadmin

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fxshutdown/fxhttp"
)

// Unnamed is what a server without a name is called here.
const Unnamed = "http"

// serverPrefix begins the name of the check that is a server's readiness.
const serverPrefix = "server/"

func nameOf(s fxhttp.NamedServer) string {
	if s.Name == "" {
		return Unnamed
	}
	return s.Name
}

// sorted returns the servers in the order of their names: a value group has none.
func sorted(servers []fxhttp.NamedServer) []fxhttp.NamedServer {
	servers = slices.Clone(servers)
	slices.SortFunc(servers, func(a, b fxhttp.NamedServer) int { return strings.Compare(nameOf(a), nameOf(b)) })
	return servers
}

// checkServers finds servers that cannot be told apart.
func checkServers(servers []fxhttp.NamedServer) error {
	seen := make(map[string]bool)
	for _, s := range servers {
		switch name := nameOf(s); {
		case s.Server == nil:
			return fmt.Errorf("fxhttpadmin: the server %q is nil", name)
		case seen[name]:
			return fmt.Errorf("fxhttpadmin: two servers are called %q (one without a name is): give them other names with fxhttp.WithName", name)
		default:
			seen[name] = true
		}
	}
	return nil
}

// checkName returns what is wrong with the name of a Check: it is a part of a path.
func checkName(name string) error {
	if strings.HasPrefix(name, serverPrefix) {
		return fmt.Errorf("it begins with %q, as the readiness of servers does", serverPrefix)
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." {
			return errors.New("a part of it is empty or consists of dots")
		}
		for _, r := range part {
			switch {
			case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', strings.ContainsRune("._-", r):
			default:
				return fmt.Errorf("%q cannot be in it: want letters, digits, '.', '-', '_' and '/'", r)
			}
		}
	}
	return nil
}
