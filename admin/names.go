package fxhttpadmin

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fxshutdown/fxhttp"
)

// Unnamed is the name by which this package refers to a server without a name.
const Unnamed = "http"

// serverPrefix is the prefix in the name of a check for a server's readiness.
const serverPrefix = "server/"

func nameOf(s fxhttp.NamedServer) string {
	if s.Name == "" {
		return Unnamed
	}
	return s.Name
}

// sorted returns the servers in the order of their names; a value group has no order.
func sorted(servers []fxhttp.NamedServer) []fxhttp.NamedServer {
	servers = slices.Clone(servers)
	slices.SortFunc(servers, func(a, b fxhttp.NamedServer) int { return strings.Compare(nameOf(a), nameOf(b)) })
	return servers
}

// checkServers returns an error for servers that are nil or have the same name.
func checkServers(servers []fxhttp.NamedServer) error {
	seen := make(map[string]bool)
	for _, s := range servers {
		switch name := nameOf(s); {
		case s.Server == nil:
			return fmt.Errorf("fxhttpadmin: the server %q is nil", name)
		case seen[name]:
			return fmt.Errorf("fxhttpadmin: two servers are called %q (a server without a name is called %q): give them different names with fxhttp.WithName", name, Unnamed)
		default:
			seen[name] = true
		}
	}
	return nil
}

// checkName returns what is wrong with the name of a Check, which is part of a URL path.
func checkName(name string) error {
	if strings.HasPrefix(name, serverPrefix) {
		return fmt.Errorf("the prefix %q is reserved for the readiness of servers", serverPrefix)
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." {
			return errors.New(`no part between slashes may be empty, "." or ".."`)
		}
		for _, r := range part {
			switch {
			case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', strings.ContainsRune("._-", r):
			default:
				return fmt.Errorf("%q is not allowed: want letters, digits, '.', '-', '_' and '/'", r)
			}
		}
	}
	return nil
}
