package kubernetes

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// Manifests are those of one service.
type Manifests struct {
	Deployment *appsv1.Deployment
	Service    *corev1.Service               // nil if there is none
	Budget     *policyv1.PodDisruptionBudget // nil if there is none
}

// decoder is that of the API server with fieldValidation=Strict: it knows the fields of
// each kind, and refuses others, and those that are there twice.
var decoder = func() runtime.Decoder {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{appsv1.AddToScheme, corev1.AddToScheme, policyv1.AddToScheme} {
		if err := add(scheme); err != nil {
			panic(err) // of kinds that cannot be told apart: a bug of that module
		}
	}
	return serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
}()

// Read reads all files of dir whose names end in .yaml or .yml, which may hold several
// documents each, and checks that they fit together. Kinds that it does not know are an
// error, and so are two Deployments. The error names each problem, with its file.
func Read(dir fs.FS) (*Manifests, error) {
	m := new(Manifests)
	var errs []error
	err := fs.WalkDir(dir, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Ext(name) != ".yaml" && path.Ext(name) != ".yml" {
			return err
		}
		text, err := fs.ReadFile(dir, name)
		if err != nil {
			return err
		}
		if err := m.add(text); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return m, m.check()
}

// Parse reads documents that are separated by lines of ---, as Read does.
func Parse(text []byte) (*Manifests, error) {
	m := new(Manifests)
	if err := m.add(text); err != nil {
		return nil, err
	}
	return m, m.check()
}

func (m *Manifests) add(text []byte) error {
	docs := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		doc, err := docs.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if len(bytes.TrimSpace(doc)) == 0 {
			continue
		}
		object, _, err := decoder.Decode(doc, nil, nil)
		if err != nil {
			return err
		}
		if err := m.set(object); err != nil {
			return err
		}
	}
}

func (m *Manifests) set(object runtime.Object) error {
	twice := func(kind string) error { return fmt.Errorf("a second %s: check one service at a time", kind) }
	switch o := object.(type) {
	case *appsv1.Deployment:
		if m.Deployment != nil {
			return twice("Deployment")
		}
		m.Deployment = o
	case *corev1.Service:
		if m.Service != nil {
			return twice("Service")
		}
		m.Service = o
	case *policyv1.PodDisruptionBudget:
		if m.Budget != nil {
			return twice("PodDisruptionBudget")
		}
		m.Budget = o
	}
	return nil // valid, and nothing that a stop depends on
}

// check says what the API server does not: it looks at each object on its own, and a
// selector that finds nothing is not an error there.
func (m *Manifests) check() error {
	if m.Deployment == nil {
		return errors.New("no Deployment")
	}
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	pod := labels.Set(m.Deployment.Spec.Template.Labels)
	finds := func(of string, selector *metav1.LabelSelector) {
		s, err := metav1.LabelSelectorAsSelector(selector)
		switch {
		case err != nil:
			bad("the selector of the %s: %w", of, err)
		case s.Empty() || !s.Matches(pod):
			bad("the selector of the %s does not find the Deployment's pods, whose labels are %v", of, pod)
		}
	}
	finds("Deployment", m.Deployment.Spec.Selector)
	containers := m.Deployment.Spec.Template.Spec.Containers
	if len(containers) == 0 {
		bad("the Deployment has no container")
	}
	for _, c := range containers {
		for name, probe := range probes(&c) {
			if probe == nil || probe.HTTPGet == nil {
				continue
			}
			if _, ok := Port(&c, probe.HTTPGet.Port); !ok {
				bad("the %s of the container %q asks port %s, which the container does not have", name, c.Name, &probe.HTTPGet.Port)
			}
		}
	}
	if s := m.Service; s != nil {
		finds("Service", &metav1.LabelSelector{MatchLabels: s.Spec.Selector})
		for _, p := range s.Spec.Ports {
			target := targetPort(p)
			has := func(c corev1.Container) bool { _, ok := Port(&c, target); return ok }
			if !slices.ContainsFunc(containers, has) {
				bad("the Service sends port %d to port %s, which no container has", p.Port, &target)
			}
		}
	}
	if b := m.Budget; b != nil {
		finds("PodDisruptionBudget", b.Spec.Selector)
	}
	return errors.Join(errs...)
}

// probes are those of c by the names of their fields, nil where there is none.
func probes(c *corev1.Container) map[string]*corev1.Probe {
	return map[string]*corev1.Probe{
		"readinessProbe": c.ReadinessProbe,
		"livenessProbe":  c.LivenessProbe,
		"startupProbe":   c.StartupProbe,
	}
}

func targetPort(p corev1.ServicePort) intstr.IntOrString {
	if p.TargetPort == (intstr.IntOrString{}) {
		return intstr.FromInt32(p.Port)
	}
	return p.TargetPort
}

// Port is the number of a port of the container c, and whether it has one of that name. A
// port that is given by its number need not be declared.
func Port(c *corev1.Container, p intstr.IntOrString) (int32, bool) {
	if p.Type == intstr.Int {
		return p.IntVal, true
	}
	i := slices.IndexFunc(c.Ports, func(own corev1.ContainerPort) bool { return own.Name == p.StrVal })
	if i < 0 {
		return 0, false
	}
	return c.Ports[i].ContainerPort, true
}
