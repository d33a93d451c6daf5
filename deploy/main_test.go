package main

import (
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/fxshutdown/fxhttp/deploy/internal/recipe"
	"github.com/fxshutdown/fxhttp/deploy/internal/results"
	"github.com/fxshutdown/fxhttp/deploy/internal/roll"
)

func TestMain(m *testing.M) {
	roll.StepIfAsked()
	os.Exit(m.Run())
}

// TestShort rolls once whatever has to lose nothing. It judges no times: the machine may
// be busy.
func TestShort(t *testing.T) {
	if testing.Short() || runtime.GOOS != "linux" {
		t.Skip("starts the real components, on loopback addresses that Linux has")
	}
	todo, err := choose(recipes(), &invocation{names: []string{"all"}, side: string(recipe.FxHTTP), short: true})
	if err != nil {
		t.Fatal(err)
	}
	runner, err := roll.Prepare(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(runner.Close)
	for _, task := range todo {
		t.Run(task.recipe.Name+"/"+task.config.Name, func(t *testing.T) {
			t.Parallel() // most of the time it waits
			if err := task.missing(); err != nil {
				if os.Getenv("CI") != "" {
					t.Fatal(err)
				}
				t.Skip(err)
			}
			res, err := runner.Run(t.Context(), task.recipe, task.config, task.side, 1)
			if err != nil {
				t.Fatal(err)
			}
			t.Log(describe(task, res))
			if res.Sent == 0 {
				t.Error("no request was sent")
			}
			if want := task.config.Instances; res.Stops.Count != want {
				t.Errorf("%d stops, want %d", res.Stops.Count, want)
			}
			if err := task.verdict(res); err != nil {
				t.Error(err)
			}
			if res.Ends != nil && res.Ends.Cut > 0 {
				t.Errorf("%d streams were cut, %d ended politely", res.Ends.Cut, res.Ends.Polite)
			}
		})
	}
}

// TestRecipes checks what no compiler does.
func TestRecipes(t *testing.T) {
	names := map[string]bool{}
	for _, r := range recipes() {
		if names[r.Name] {
			t.Errorf("two recipes are called %q", r.Name)
		}
		names[r.Name] = true
		if _, err := os.Stat(r.Name + "/README.md"); err != nil {
			t.Errorf("the page of %s: %v", r.Name, err)
		}
		configs := map[string]bool{}
		for i, c := range r.Configs {
			if configs[c.Name] {
				t.Errorf("%s: two configurations are called %q", r.Name, c.Name)
			}
			configs[c.Name] = true
			if i == 0 && c.Loses != "" {
				t.Errorf("%s: its first configuration loses requests", r.Name)
			}
			if c.About == "" || c.Instances < 1 || c.Settle <= 0 || c.Start == nil {
				t.Errorf("%s/%s: something is not set", r.Name, c.Name)
			}
		}
	}
}

func TestChoose(t *testing.T) {
	some := []recipe.Recipe{
		{Name: "a", Configs: []recipe.Config{{Name: "good"}, {Name: "bad", Loses: "some"}}},
		{Name: "b", Configs: []recipe.Config{{Name: "good"}}},
	}
	for _, tt := range []struct {
		args, want string
		err        string
	}{
		{args: "", want: ""},
		{args: "b", want: "b/good, fxhttp; b/good, net/http"},
		{args: "a/bad -side fxhttp", want: "a/bad, fxhttp"},
		{args: "-side net/http a/bad b", want: "a/bad, net/http; b/good, net/http"},
		{args: "-short", want: "a/good, fxhttp; b/good, fxhttp"},
		{args: "all -side fxhttp", want: "a/good, fxhttp; a/bad, fxhttp; b/good, fxhttp"},
		{args: "c", err: `there is no recipe "c"`},
		{args: "a/bad -short", err: "a/bad loses requests"},
		{args: "-rolls 0", err: "-rolls 0: want 1 or more"},
		{args: "-side bare", err: "-side bare: want fxhttp or net/http"},
	} {
		inv, err := parse(strings.Fields(tt.args))
		var todo []task
		if err == nil {
			todo, err = choose(some, inv)
		}
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%q: %v, want %q", tt.args, err, tt.err)
			}
			continue
		}
		var names []string
		for _, task := range todo {
			names = append(names, task.String())
		}
		if got := strings.Join(names, "; "); err != nil || got != tt.want {
			t.Errorf("%q = %q, %v, want %q", tt.args, got, err, tt.want)
		}
	}
}

func TestVerdict(t *testing.T) {
	good, bad := &recipe.Config{}, &recipe.Config{Loses: "some"}
	for _, tt := range []struct {
		config *recipe.Config
		side   recipe.Side
		result results.Result
		fails  bool
	}{
		{good, recipe.FxHTTP, results.Result{Slow: 1}, false},
		{good, recipe.FxHTTP, results.Result{Lost: 1}, true},
		{good, recipe.FxHTTP, results.Result{BadStatus: 1}, true},
		{good, recipe.FxHTTP, results.Result{Refused: 1}, true},
		{good, recipe.NetHTTP, results.Result{Lost: 1}, false},
		{bad, recipe.FxHTTP, results.Result{Lost: 1}, false},
	} {
		err := task{&recipe.Recipe{}, tt.config, tt.side}.verdict(&tt.result)
		if (err != nil) != tt.fails {
			t.Errorf("verdict of %+v, %s, %+v = %v", tt.config, tt.side, tt.result, err)
		}
	}
}

// TestTable keeps the README's table what the command would write.
func TestTable(t *testing.T) {
	before, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	set, err := results.Read(resultsFile)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(before), results.Table(groups(recipes()), set)) {
		t.Errorf("the table of %s is not that of %s: deploy/run -table", readme, resultsFile)
	}
}

// TestPackages names the Debian packages that CI has to install, in the README.
func TestPackages(t *testing.T) {
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	var packages []string
	for _, r := range recipes() {
		for _, tool := range r.Needs {
			packages = append(packages, tool.Package)
		}
	}
	slices.Sort(packages)
	want := "apt-get install " + strings.Join(slices.Compact(packages), " ")
	if !strings.Contains(string(text), want) {
		t.Errorf("%s does not say %q", readme, want)
	}
}
