package main

// A server is somebody else's, run in the foreground, as its documentation says.
type server struct {
	name    string
	needs   string // the program without which it does not run
	signal  string
	command []string
	files   map[string]string // written into the folder of the run
	flags   []string          // of draincheck
}

var slow = []string{"-slow-path", "/slow"}

var servers = []server{
	{name: "nginx", needs: "nginx", signal: "TERM", command: nginx, files: nginxFiles},
	{name: "nginx", needs: "nginx", signal: "QUIT", command: nginx, files: nginxFiles},
	{name: "apache2", needs: "apache2", signal: "TERM", command: apache, files: apacheFiles},
	{name: "apache2", needs: "apache2", signal: "WINCH", command: apache, files: apacheFiles},
	{name: "haproxy", needs: "haproxy", signal: "TERM", command: haproxy, files: haproxyFiles},
	{name: "haproxy", needs: "haproxy", signal: "USR1", command: haproxy, files: haproxyFiles},
	{name: "gunicorn, 2 sync workers", needs: "gunicorn", signal: "TERM", flags: slow,
		command: []string{"gunicorn", "--chdir", "{{.Here}}/python", "-w", "2", "-b", "127.0.0.1:{{.Port}}", "app:app"}},
	{name: "gunicorn, 2 workers of 8 threads", needs: "gunicorn", signal: "TERM", flags: slow,
		command: []string{"gunicorn", "--chdir", "{{.Here}}/python", "-w", "2", "--threads", "8", "-b", "127.0.0.1:{{.Port}}", "app:app"}},
	{name: "express", needs: "node", signal: "TERM", flags: slow, command: []string{"node", "{{.Here}}/node/express.mjs", "{{.Port}}"}},
	{name: "express, server.close", needs: "node", signal: "TERM", flags: slow, command: []string{"node", "{{.Here}}/node/express.mjs", "{{.Port}}", "close"}},
	{name: "fastify, app.close", needs: "node", signal: "TERM", flags: slow, command: []string{"node", "{{.Here}}/node/fastify.mjs", "{{.Port}}"}},
	{name: "gin, Shutdown", needs: "go", signal: "TERM", flags: slow, command: []string{"{{.Dir}}/ginserver", "127.0.0.1:{{.Port}}"}},
	{name: "chi, Shutdown", needs: "go", signal: "TERM", flags: slow, command: []string{"{{.Dir}}/chiserver", "127.0.0.1:{{.Port}}"}},
}

var (
	nginx   = []string{"nginx", "-p", "{{.Dir}}", "-c", "nginx.conf", "-e", "stderr", "-g", "daemon off;"}
	apache  = []string{"apache2", "-d", "{{.Dir}}", "-f", "apache.conf", "-D", "FOREGROUND"}
	haproxy = []string{"haproxy", "-db", "-f", "{{.Dir}}/haproxy.cfg"}
)

var nginxFiles = map[string]string{"nginx.conf": `
worker_processes 2;
pid nginx.pid;
events { worker_connections 512; }
http {
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  server {
    listen 127.0.0.1:{{.Port}};
    location / { return 200 "hello\n"; }
  }
}
`}

var apacheFiles = map[string]string{"apache.conf": `
ServerRoot {{.Dir}}
PidFile {{.Dir}}/apache.pid
Mutex file:{{.Dir}}
Listen 127.0.0.1:{{.Port}}
ServerName localhost
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule alias_module /usr/lib/apache2/modules/mod_alias.so
ErrorLog {{.Dir}}/apache.log
User www-data
Group www-data
DocumentRoot {{.Dir}}
RedirectMatch 302 ^/ /moved
`}

var haproxyFiles = map[string]string{"haproxy.cfg": `
global
  maxconn 1000
defaults
  mode http
  timeout client 30s
  timeout server 30s
  timeout connect 5s
frontend all
  bind 127.0.0.1:{{.Port}}
  http-request return status 200 content-type text/plain string "hello"
`}
