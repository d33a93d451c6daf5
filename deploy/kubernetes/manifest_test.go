package kubernetes

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

func shipped(t *testing.T) *Manifests {
	t.Helper()
	m, err := Read(os.DirFS("manifests"))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestShippedManifests(t *testing.T) {
	m := shipped(t)
	if m.Service == nil || m.Budget == nil {
		t.Errorf("Service %v, PodDisruptionBudget %v, want both", m.Service, m.Budget)
	}
}

// TestRead changes the manifests, and looks for the name of the mistake.
func TestRead(t *testing.T) {
	files := make(map[string]string)
	for _, name := range []string{"deployment.yaml", "service.yaml", "poddisruptionbudget.yaml"} {
		text, err := os.ReadFile("manifests/" + name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(text)
	}
	for _, test := range []struct {
		name, file, old, new string
		want                 string
	}{
		{"UnknownField", "deployment.yaml", "minReadySeconds:", "minReadySecond:", `unknown field "spec.minReadySecond"`},
		{"FieldOfAnotherCase", "deployment.yaml", "replicas:", "Replicas:", `unknown field "spec.Replicas"`},
		{"FieldTwice", "deployment.yaml", "replicas: 4", "replicas: 4\n  replicas: 5", "replicas"},
		{"WrongPlace", "deployment.yaml", "      terminationGracePeriodSeconds: 20", "  # it was here", ""},
		{"WrongType", "deployment.yaml", "periodSeconds: 10", "periodSeconds: ten", "periodSeconds"},
		{"UnknownKind", "service.yaml", "kind: Service", "kind: Servlet", "Servlet"},
		{"TwoDeployments", "service.yaml", "apiVersion: v1", files["deployment.yaml"] + "---\napiVersion: v1", "a second Deployment"},
		{"SelectorOfDeployment", "deployment.yaml", "      app.kubernetes.io/name: hello\n  template", "      app: hello\n  template", "the selector of the Deployment does not find"},
		{"SelectorOfService", "service.yaml", "    app.kubernetes.io/name: hello\n  #", "    app: hello\n  #", "the selector of the Service does not find"},
		{"SelectorOfBudget", "poddisruptionbudget.yaml", "app.kubernetes.io/name", "app", "the selector of the PodDisruptionBudget does not find"},
		{"PortOfService", "service.yaml", "targetPort: http", "targetPort: web", "port 80 to port web, which no container has"},
		{"PortOfProbe", "deployment.yaml", "- name: admin", "- name: metrics", `asks port admin, which the container does not have`},
		{"NoDeployment", "deployment.yaml", files["deployment.yaml"], "", "no Deployment"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := fstest.MapFS{}
			for name, text := range files {
				if name == test.file {
					if !strings.Contains(text, test.old) {
						t.Fatalf("%s has no %q", name, test.old)
					}
					text = strings.Replace(text, test.old, test.new, 1)
				}
				dir[name] = &fstest.MapFile{Data: []byte(text)}
			}
			_, err := Read(dir)
			if test.want == "" {
				if err != nil {
					t.Errorf("Read() = %v, want nil", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Read() = %v, want %q in it", err, test.want)
			}
		})
	}
}
