package main

import "io"

func usage(w io.Writer) {
	io.WriteString(w, usageText)
}

const usageText = `draincheck starts a server, loads it, stops it in mid-load, and says which requests it lost, and why.

  draincheck -url http://127.0.0.1:8080/ [flags] -- ./my-server [its flags]

Requests
  -url URL              what to load; http or https, and a host that is this machine (required)
  -method METHOD        of all requests except streams and WebSockets (POST: nothing may repeat it silently)
  -body TEXT            their body, or @FILE (draincheck)
  -header 'NAME: VALUE' sent with every request; repeatable
  -grpc METHOD          unary gRPC calls of /package.Service/Method, -body is the message (none)
  -timeout D            an answer that takes longer is lost (10s)
  -pause D              of each client between two requests (1ms)
  -spread D             the clients of a kind begin spread over this time: otherwise those that are far away do
                        everything together (0s)
  -cacert FILE          trust the certificates in this PEM file instead of the system's
  -insecure             do not verify certificates
  -cert FILE            client certificate, with -key
  -key FILE             its key
  -unix-socket PATH     connect to this socket; -url says what the requests say, such as http://localhost/

Load: numbers of clients, 0 turns a kind off
  -keepalive N          one request after another on a connection (16)
  -newconn N            a new connection for each request (8)
  -pipelined N          two requests at a time on a connection, one behind the other (0)
  -continue N           one request after another, with Expect: 100-continue (0)
  -paced N              one request after another, each client with a pause of its own (0)
  -paced-over D         up to this long (200ms)
  -pool N               connections of one client, as a proxy has them: a burst of N requests opens them (0)
  -pool-busy N          requests at a time on them after that, on those that were used last (4)
  -slow N               one slow request after another, so that one is under way at the signal
                        (4 if -slow-path is given)
  -slow-path PATH       what they ask for (the path of -url)
  -late N               connections made right before the signal that send their first request after it (4)
  -late-after D         spread over this time after the signal (10ms)
  -silent N             connections that never send a byte (2)
  -halfheader N         connections that send half of a request header (2)
  -streams N            server-sent events, over HTTP/1.1 and over HTTP/2 if in use (4 if -stream-path is given)
  -stream-path PATH     what they ask for, with GET (the path of -url)
  -websockets N         WebSockets (4 if -ws-path is given)
  -ws-path PATH         what they ask for (the path of -url)
  -h2 N                 HTTP/2 connections over TLS (2 if the server offers it)
  -h2c N                HTTP/2 connections without TLS, by prior knowledge (2 if the server offers it)
  -h2-concurrency N     requests at a time on each of them (4)

Stop
  -load D               time under load before the signal (500ms)
  -signal NAME          by name or number, such as TERM, INT, QUIT, WINCH, RTMIN+3 or 15 (TERM)
  -group                send it to all processes that the command started, too, and wait for all of them
  -within D             kill the command if it is still running this long after the signal (30s)
  -ready D              give up if the command does not answer this long after its start (10s)
  -ready-path PATH      the server is ready once a GET of this is answered with 2xx (once -url is answered at all)
  -rounds N             do all of this N times (1)
  -pid PID|FILE         stop this process, which somebody else has started, instead of a command's
  -stop-command LINE    stop the server with this shell command instead of a signal
  -start-command LINE   start it with this shell command instead of the command behind --; it has to return

Rollout: one load over all rounds, each of which stops the server and starts it again
  -target URL           load this, such as a proxy in front of several instances; -url is the one that is stopped
  -handover             the signal starts a successor, or a reload: only the old process ends, if at all

Verdict
  -expect LIST          statuses that are right (2xx,3xx); no verdict if most answers before the signal differ
  -expect-after LIST    statuses that are right after the signal as well, such as 503
  -slow-limit D         an answer that takes longer fails the verdict, except to -slow clients (0s: none)
  -fail-on-cut          streams and WebSockets cut without a goodbye fail the verdict too
  -exit-code N          a command that ends with another code fails the verdict (any code passes)
  -diagnose             if the process does not end, find out in short further rounds what holds it (true)

Report
  -json                 write the result as JSON to standard output, and no table
  -junit FILE           write it as JUnit XML, a test case for each round
  -report FILE          write it as an HTML page with a timeline; an .svg file gets only the timeline
  -v                    show what the command prints
  -q                    write one line instead of the table

Commands of -start-command and -stop-command find the number of the round in DRAINCHECK_ROUND.

Exit codes: 0 nothing was lost and the command ended in time, in every round; 1 something was lost, or it did not end in
time; 2 wrong usage, or the check could not be carried out; 130 interrupted.
`
