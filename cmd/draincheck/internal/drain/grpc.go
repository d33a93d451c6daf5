package drain

import (
	"encoding/binary"
	"net/http"
)

// grpcMessage frames the message of a unary call: not compressed, and its length.
func grpcMessage(message string) string {
	head := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))
	return string(head) + message
}

// grpcStatuses are the HTTP statuses that stand for those of gRPC in the accounts. They
// are those that gRPC's own gateway to HTTP uses.
var grpcStatuses = map[int]int{
	0:  http.StatusOK,
	1:  499, // cancelled; HTTP has no status for it, but nginx has one
	3:  http.StatusBadRequest,
	4:  http.StatusGatewayTimeout,
	5:  http.StatusNotFound,
	6:  http.StatusConflict,
	7:  http.StatusForbidden,
	8:  http.StatusTooManyRequests,
	9:  http.StatusBadRequest,
	10: http.StatusConflict,
	11: http.StatusBadRequest,
	12: http.StatusNotImplemented,
	14: http.StatusServiceUnavailable,
	16: http.StatusUnauthorized,
}

func grpcStatus(code int) int {
	if status, ok := grpcStatuses[code]; ok {
		return status
	}
	return http.StatusInternalServerError
}
