package main

import "io"

func usage(w io.Writer) {
	io.WriteString(w, usageText)
}

const usageText = `draincheck starts a server, loads it, stops it under load, and reports which requests were lost, and why.

  draincheck -url http://127.0.0.1:8080/ [flags] -- ./my-server [its flags]

Defaults are in parentheses.

Requests
  -url URL              what to load: http or https, on a host that is this machine (required)
  -method METHOD        method of all requests except streams and WebSockets (POST: nothing may repeat it silently)
  -body TEXT            body of the requests, or @FILE to read it from a file (draincheck; GET and HEAD: none)
  -header 'NAME: VALUE' header to send with every request; repeatable
  -grpc METHOD          make unary gRPC calls of /package.Service/Method, with -body as the message (none)
  -timeout D            an answer that takes longer counts as lost (10s)
  -pause D              pause of each client between two requests (1ms)
  -spread D             start the clients of each kind spread over this time; otherwise clients that are far away do
                        everything at the same moment (0s)
  -cacert FILE          trust the certificates in this PEM file instead of the system's
  -insecure             do not verify certificates
  -cert FILE            client certificate; needs -key
  -key FILE             key of the client certificate
  -unix-socket PATH     connect to this Unix socket; -url, such as http://localhost/, then gives only the scheme, the
                        Host header and the path

Load: numbers of clients; 0 turns a kind off
  -keepalive N          clients that send one request after another on a connection (16)
  -newconn N            clients that make a new connection for each request (8)
  -pipelined N          clients that send two requests at a time on a connection, one behind the other (0)
  -continue N           clients that send one request after another, with Expect: 100-continue (0)
  -paced N              clients that send one request after another, each client with a pause of its own (0)
  -paced-over D         the longest of these pauses (200ms)
  -pool N               connections of a single client, like those of a proxy: a burst of N requests opens them (0)
  -pool-busy N          requests that this client then sends at a time, on the connections that were used last (4)
  -slow N               clients that send one slow request after another, so that one is under way at the signal
                        (4 if -slow-path is given)
  -slow-path PATH       path of the slow requests (the path of -url)
  -late N               clients that connect right before the signal and send their first request after it (4)
  -late-after D         spread these first requests over this time after the signal (10ms)
  -silent N             connections that never send a byte (2)
  -halfheader N         connections that send half of a request header (2)
  -streams N            server-sent event streams over HTTP/1.1, and as many over HTTP/2 if that is in use
                        (4 if -stream-path is given)
  -stream-path PATH     path of the streams, requested with GET (the path of -url)
  -websockets N         WebSockets (4 if -ws-path is given)
  -ws-path PATH         path of the WebSockets (the path of -url)
  -h2 N                 HTTP/2 connections over TLS (2 if the server offers it)
  -h2c N                HTTP/2 connections without TLS, by prior knowledge (2 if the server offers it)
  -h2-concurrency N     requests at a time on each HTTP/2 connection (4)

Stop
  -load D               time under load before the signal (500ms)
  -signal NAME          signal to send, by name or number, such as TERM, INT, QUIT, WINCH, RTMIN+3 or 15 (TERM)
  -group                also send it to all processes that the command started, and wait for all of them
  -within D             kill the command if it is still running this long after the signal (30s)
  -ready D              give up if the command does not answer within this time after its start (10s)
  -ready-path PATH      wait until a GET of this path is answered with 2xx (otherwise until -url is answered at all)
  -rounds N             start, load and stop the server N times (1)
  -pid PID|FILE         stop this process, which somebody else has started, instead of starting a command
  -stop-command LINE    stop the server with this shell command instead of a signal
  -start-command LINE   start the server with this shell command, which has to return, instead of a command behind --

Rollout: one load over all rounds, each of which stops the server and starts it again
  -target URL           load this URL, such as a proxy in front of several instances; -url is the instance to stop
  -handover             the signal starts a successor, or a reload: only the old process ends, if any does

Verdict
  -expect LIST          statuses that are right (2xx,3xx); no verdict if most answers before the signal have others
  -expect-after LIST    statuses that are right after the signal as well, such as 503
  -slow-limit D         fail if an answer takes longer, except one to a -slow client (0s: no limit)
  -fail-on-cut          also fail if a stream or WebSocket is cut without a goodbye
  -exit-code N          fail if the command ends with another exit code (any code passes)
  -diagnose             if the process does not end, find out in short further rounds what holds it (true)

Report
  -json                 write the result as JSON to standard output, and no table
  -junit FILE           write the result as JUnit XML, with a test case for each round
  -report FILE          write the result as an HTML page with a timeline; an .svg file gets only the timeline
  -v                    show what the command prints
  -q                    write only the verdict, without the table

The commands of -start-command and -stop-command find the number of the round in DRAINCHECK_ROUND.

Exit codes: 0 nothing was lost and the command ended in time, in every round; 1 something was lost, or the command did
not end in time; 2 wrong usage, or the check could not be carried out; 130 interrupted.
`
