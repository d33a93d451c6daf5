// Command goawaytest stops a server under busy HTTP/2 clients and counts what they
// lost, for several policies of when GOAWAY is sent.
//
//	go run ./internal/goawaytest -rounds 20
//	go run ./internal/goawaytest -client JDK -policy end,hold -v
//
// A full run takes about 20 minutes; README.md has the results.
//
// For each client and policy, it prints answered / refused / lost: requests that got
// their response; requests that failed, but that no handler saw, so that they may be sent
// again; requests that failed although a handler processed them. Requests for which no
// connection could be made any more are left out, since their clients know that they were
// not sent. A second table shows how long the stops took.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/fxshutdown/fxhttp/internal/testcert"
)

func main() {
	rounds := flag.Int("rounds", 20, "stops of each client and policy")
	onlyPolicy := flag.String("policy", "", "policies to try, separated by commas: "+strings.Join(policyNames(), ", "))
	onlyClient := flag.String("client", "", "try only clients whose names begin with this text")
	verbose := flag.Bool("v", false, "print the clients' errors")
	flag.Parse()
	if flag.NArg() > 0 || *rounds < 1 {
		flag.Usage()
		os.Exit(2)
	}
	var columns []policy
	for _, p := range policies {
		if *onlyPolicy == "" || slices.Contains(strings.Split(*onlyPolicy, ","), p.name) {
			columns = append(columns, p)
		}
	}
	var rows []client
	for _, c := range clients {
		if strings.HasPrefix(c.name, *onlyClient) {
			rows = append(rows, c)
		}
	}
	if len(columns) == 0 || len(rows) == 0 {
		fmt.Fprintln(os.Stderr, "goawaytest: no such policy or client")
		os.Exit(2)
	}
	t, err := run(rows, columns, *rounds, *verbose)
	if err != nil {
		fmt.Fprintln(os.Stderr, "goawaytest:", err)
		os.Exit(1)
	}
	t.print(os.Stdout)
}

func policyNames() []string {
	var names []string
	for _, p := range policies {
		names = append(names, p.name)
	}
	return names
}

// run fills the table. A round of each policy comes after one of the others, so
// that a slow moment of the machine meets all of them.
func run(rows []client, columns []policy, rounds int, verbose bool) (*table, error) {
	cert, _ := testcert.New()
	dir, err := os.MkdirTemp("", "goawaytest")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)

	t := newTable(columns)
	for _, c := range rows {
		begun := time.Now()
		d, err := c.start(dir)
		if errors.Is(err, errAbsent) {
			t.skip(c)
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		r := t.row(c)
		err = runRow(d, c, columns, rounds, &cert, r)
		d.close()
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(os.Stderr, "%s: %.0f s\n", c.name, time.Since(begun).Seconds())
		if verbose {
			r.printTexts(os.Stderr, columns)
		}
	}
	return t, nil
}
