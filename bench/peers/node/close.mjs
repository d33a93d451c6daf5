// Bare Node: server.close, which stops listening and closes idle connections, and closeAllConnections when the time is over.
// With a certificate it speaks HTTP/2 as well, where each session is to be closed, as the documentation says.
import { readFileSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import { cert, handler, host, key, limit, onStop, port } from './app.mjs';

const sessions = new Set();
const sockets = new Set();
let server;
if (cert) {
  server = http2.createSecureServer({ cert: readFileSync(cert), key: readFileSync(key), allowHTTP1: true }, handler);
  server.on('session', (session) => {
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
  });
  server.on('secureConnection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
} else {
  server = http.createServer(handler);
}
server.listen(port, host);

onStop(() => {
  server.close(() => process.exit(0));
  server.closeIdleConnections?.();
  for (const session of sessions) session.close();
  setTimeout(() => {
    server.closeAllConnections?.();
    for (const socket of sockets) socket.destroy();
  }, limit).unref();
});
