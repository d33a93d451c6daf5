package supervised

import "github.com/fxshutdown/fxhttp/deploy/internal/recipe"

// Needs are the tools of all these recipes. They need root besides.
var Needs = []recipe.Tool{
	{Program: "systemctl", Package: "systemd", Version: []string{"--version"}},
	{Program: "unshare", Package: "util-linux"},
}
