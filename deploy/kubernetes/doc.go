// Package kubernetes checks the manifests of a service on fxhttp: that they are what the
// API server takes, that what names something else names something that is there, and
// that the times in them add up with those of the service.
//
// A test of the service itself can do it:
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
// Deployment in a cluster that it plays on one machine. README.md says what for.
package kubernetes
