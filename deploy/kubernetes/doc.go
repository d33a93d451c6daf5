// Package kubernetes checks the manifests of a service on fxhttp: whether the API server
// takes them, whether everything that they name exists, and whether their times add up with
// those of the service.
//
// A test of the service itself can do this:
//
//	m, err := kubernetes.Read(os.DirFS("manifests"))
//	...
//	if _, err := m.Times(kubernetes.Settings{
//		Server:          cfg, // its fxhttp.Config
//		StopTimeout:     18 * time.Second,
//		LongestRequest:  10 * time.Second,
//	}); err != nil {
//		t.Error(err)
//	}
//
// The command checktimes does the same from outside, and the command play rolls the
// Deployment in a cluster that it plays on one machine. README.md says why.
package kubernetes
