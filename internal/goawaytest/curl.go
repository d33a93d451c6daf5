package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// curlRequests is how many requests a round of curl has. Those that are left when
// the server has gone cannot be sent.
const curlRequests = 400

// curlDriver runs curl once a round, with a list of requests. It has no row for h2c:
// curl 7.88 fails by itself when a request of a list reuses a connection that had
// prior knowledge.
type curlDriver struct{ path, dir string }

func startCurl(dir string) (driver, error) {
	path, err := exec.LookPath("curl")
	if err != nil {
		return nil, errAbsent
	}
	version, err := exec.Command(path, "--version").Output()
	if err != nil || !strings.Contains(string(version), "HTTP2") {
		return nil, errAbsent
	}
	return curlDriver{path, dir}, nil
}

func (d curlDriver) round(s spec) ([]result, error) {
	var config strings.Builder
	for i := range curlRequests {
		if i > 0 {
			config.WriteString("next\n")
		}
		id := strconv.FormatInt(s.first+int64(i)+1, 10)
		fmt.Fprintf(&config, "url = %q\ndata = %q\noutput = /dev/null\n", s.url()+id, strings.Repeat("x", s.body))
		fmt.Fprintf(&config, "write-out = \"%%{exitcode} %%{http_code} %s %%{errormsg}\\n\"\n", id)
		fmt.Fprintf(&config, "max-time = %d\n", int(requestMost.Seconds()))
		if s.tls {
			config.WriteString("insecure\nhttp2\n")
		} else {
			config.WriteString("http2-prior-knowledge\n")
		}
	}
	file := filepath.Join(d.dir, "curl.config")
	if err := os.WriteFile(file, []byte(config.String()), 0o644); err != nil {
		return nil, err
	}
	cmd := exec.Command(d.path, "--silent", "--parallel", "--parallel-max", strconv.Itoa(s.workers), "--config", file)
	out, err := cmd.Output()
	if _, failed := err.(*exec.ExitError); err != nil && !failed {
		return nil, err
	}
	var results []result
	for line := range strings.Lines(string(out)) {
		f := strings.SplitN(strings.TrimSpace(line), " ", 4)
		if len(f) < 3 {
			return nil, fmt.Errorf("unexpected line %q from curl", line)
		}
		id, err := strconv.ParseInt(f[2], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("unexpected line %q from curl", line)
		}
		res := result{id: id, kind: "fail", text: tidy("exit code " + strings.Join(append(f[:1:1], f[3:]...), " "))}
		switch {
		case f[0] == "0" && f[1] == "200":
			res.kind, res.text = "ok", ""
		case f[0] == "7":
			res.kind = "never"
		}
		results = append(results, res)
	}
	return results, nil
}

func (curlDriver) close() {}
