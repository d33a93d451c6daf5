// http-shutdown: shutdown, and forceShutdown when the time is over, since it has no limit of its own.
import http from 'node:http';
import httpShutdown from 'http-shutdown';
import { handler, host, limit, onStop, port } from './app.mjs';

const server = httpShutdown(http.createServer(handler));
server.listen(port, host);

onStop(() => {
  server.shutdown(() => process.exit(0));
  setTimeout(() => server.forceShutdown(), limit).unref();
});
