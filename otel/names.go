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
		return errors.New("fxhttpotel: there is no server: list fxhttp.Module, or give Register one")
	}
	seen := make(map[string]bool)
	for _, s := range servers {
		switch name := nameOf(s); {
		case s.Server == nil:
			return fmt.Errorf("fxhttpotel: the server %q is nil", name)
		case !utf8.ValidString(name):
			return fmt.Errorf("fxhttpotel: the name %q is not UTF-8, as an attribute must be", name)
		case seen[name]:
			return fmt.Errorf("fxhttpotel: two servers are called %q (one without a name is): give them other names by fxhttp.WithName", name)
		default:
			seen[name] = true
		}
	}
	return nil
}
