package supervised

import (
	"github.com/fxshutdown/fxhttp/deploy/internal/recipe"
	"github.com/fxshutdown/fxhttp/internal/systemdns"
)

// Check says whether systemd can run here: it needs root.
var Check = systemdns.Check

// Needs are the tools of all these recipes.
var Needs = []recipe.Tool{
	{Program: "systemctl", Package: "systemd", Version: []string{"--version"}},
	{Program: "unshare", Package: "util-linux"},
}
