// Package truth has a randomised test that compares what a Server says about a stop with
// what its clients and handlers saw, request by request.
//
//	go test ./internal/truth                                # shortly
//	go test ./internal/truth -rounds 5000 -forced 2000      # at length
//	go test ./internal/truth -seed 7 -round 123 -v          # one round again
//
// Each round draws a script from its seed: a protocol, connections with requests and
// what their handlers do, hooks that block, and a stop at a random moment, graceful or by
// force. When it is over, these are compared: the Report, Stats, every event, the error
// of Stop, what each handler did, and whether each client got a complete response.
//
// # The rules
//
// Clients read everything at once, and leave only when the server closes. So a response
// is complete for its client exactly if all of it was handed to the kernel, and the
// account has to say so:
//
//   - a request whose handler hijacked is hijacked;
//   - one whose client got a complete response is answered;
//   - one whose client did not, and whose context the stop had cancelled, or whose
//     connection it cut, is aborted;
//   - any other is failed.
//
// A few things cannot be decided from outside, or not at once:
//
//   - A handler looks at its context for the last time a moment before it returns. If
//     RequestsCancelled names it, it was cancelled in that moment.
//   - A response may be complete though its request is listed as aborted, if its handler
//     had returned (Request.Running is false) no longer than undecidedMost before: the
//     server cannot know yet that it is written. So it may if its handler ran, and
//     wrote the rest between the decision to cut and the close, undecidedMost at
//     most. The test counts both.
//   - A request whose handler returned before the stop began may still be on the account
//     of the stop, unless another one followed on its connection.
//   - A stream (flushed, and asked for Draining) that was cancelled and aborts is either
//     failed or an aborted stream; it is no error.
//   - A hijacked connection that its owner closed no longer than closeMost before the
//     stop closed it may be listed as cut; so may one whose handler had not returned.
//
// A round that disagrees, and in which the machine stalled for more than 5 ms, is counted
// but not judged.
package truth
