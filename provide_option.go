package fxhttp

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"

	"go.uber.org/fx"
)

// ProvideOption builds an [Option] from the graph and gives it to the unnamed server. The
// constructor returns an Option, or an Option and an error:
//
//	fxhttp.ProvideOption(func(cfg *AppConfig) fxhttp.Option {
//		return fxhttp.WithAddr(cfg.Listen)
//	})
//
// If its dependencies have names or groups, it takes them in an fx.In. The app fails if a
// dependency is missing or leads to the server itself, or if two constructors return
// options that set the same thing.
func ProvideOption(constructor any) fx.Option { return provideOption("ProvideOption", "", constructor) }

// ProvideNamedOption is [ProvideOption] for the server that [WithName] has given this name.
func ProvideNamedOption(name string, constructor any) fx.Option {
	if err := checkName(name); err != nil {
		return fx.Error(fmt.Errorf("fxhttp.ProvideNamedOption(%q): %w", name, err))
	}
	return provideOption("ProvideNamedOption", name, constructor)
}

func provideOption(caller, name string, constructor any) fx.Option {
	if err := checkConstructor(constructor); err != nil {
		return fx.Error(fmt.Errorf("fxhttp.%s: %T %w", caller, constructor, err))
	}
	return fx.Options(
		fx.Provide(fx.Annotated{Group: group(name), Target: constructor}), // Fx's errors name the constructor
		fx.Invoke(fx.Annotate(requireServer(caller, name), fx.ParamTags(nameTag(name)+` optional:"true"`))),
	)
}

// requireServer returns an invoke that fails if the app has no server for the option. That
// mistake would otherwise go unnoticed, since nothing asks for the option's group. If the
// server exists but cannot be built, it fails where its Module is listed.
func requireServer(caller, name string) func(*http.Server, fx.DotGraph) error {
	return func(server *http.Server, dot fx.DotGraph) error {
		if server != nil || parseGraph(dot).provided(keyOf[*http.Server](name)) != "" {
			return nil
		}
		if name == "" {
			return fmt.Errorf("fxhttp.%s: the app has no server without a name: add its fxhttp.Module, or use fxhttp.ProvideNamedOption", caller)
		}
		return fmt.Errorf("fxhttp.%s: the app has no server %q: add its fxhttp.Module, or correct the name", caller, name)
	}
}

func checkConstructor(constructor any) error {
	t := reflect.TypeOf(constructor)
	if t == nil || t.Kind() != reflect.Func {
		return errors.New("is not a constructor: want a function that returns an fxhttp.Option, without fx.Annotate (it can take named dependencies in an fx.In)")
	}
	ok := t.NumOut() > 0 && t.Out(0) == reflect.TypeFor[Option]()
	if t.NumOut() > 1 {
		ok = ok && t.NumOut() == 2 && t.Out(1) == reflect.TypeFor[error]()
	}
	if !ok {
		return errors.New("must return an fxhttp.Option, or an fxhttp.Option and an error")
	}
	return nil
}
