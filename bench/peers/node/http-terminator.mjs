// http-terminator: terminate, with its own limit.
import http from 'node:http';
import { createHttpTerminator } from 'http-terminator';
import { handler, host, limit, onStop, port } from './app.mjs';

const server = http.createServer(handler);
const terminator = createHttpTerminator({ server, gracefulTerminationTimeout: limit });
server.listen(port, host);

onStop(async () => {
  await terminator.terminate();
  process.exit(0);
});
