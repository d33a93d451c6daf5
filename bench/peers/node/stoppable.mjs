// stoppable: stop, with its own limit, which it calls grace.
import http from 'node:http';
import stoppable from 'stoppable';
import { handler, host, limit, onStop, port } from './app.mjs';

const server = stoppable(http.createServer(handler), limit);
server.listen(port, host);

onStop(() => {
  server.stop(() => process.exit(0));
});
