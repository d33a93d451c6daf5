package fxhttpotel

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/fxshutdown/fxhttp"
)

// Unnamed is what a server without a name is called in the attribute fxhttp.server.name,
// as it is by fxhttpadmin.
const Unnamed = "http"

func nameOf(s fxhttp.NamedServer) string {
	if s.Name == "" {
		return Unnamed
	}
	return s.Name
}

// checkServers finds servers that have no figures, or whose figures would be added up.
func checkServers(servers []fxhttp.NamedServer) error {
	if len(servers) == 0 {
		return errors.New("fxhttpotel: there is no server: list fxhttp.Module, or give Register a server")
	}
	seen := make(map[string]bool)
	for _, s := range servers {
		switch name := nameOf(s); {
		case s.Server == nil:
			return fmt.Errorf("fxhttpotel: the server %q is nil", name)
		case !utf8.ValidString(name):
			return fmt.Errorf("fxhttpotel: the name %q is not UTF-8, as an attribute must be", name)
		case seen[name]:
			return fmt.Errorf("fxhttpotel: two servers are called %q (this is also the name of a server without one): give them different names with fxhttp.WithName", name)
		default:
			seen[name] = true
		}
	}
	return nil
}
