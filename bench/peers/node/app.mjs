// The application that every Node server here serves, and the command line that they share: the same as in
// servers/app, so that they differ in nothing but the way they stop.
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    addr: { type: 'string', default: '127.0.0.1:8080' },
    limit: { type: 'string', default: '15000' }, // how long a stop may take, in milliseconds
    cert: { type: 'string' },
    key: { type: 'string' },
  },
});

const colon = values.addr.lastIndexOf(':');
export const host = values.addr.slice(0, colon);
export const port = Number(values.addr.slice(colon + 1));
export const limit = Number(values.limit);
export const { cert, key } = values;

export function handler(req, res) {
  const url = new URL(req.url, 'http://localhost');
  req.resume();
  req.on('end', () => {
    switch (url.pathname) {
      case '/slow':
        setTimeout(() => answer(res, 'that took a while\n'), Number(url.searchParams.get('ms') ?? 400));
        break;
      case '/stuck':
        break;
      case '/memory':
        answer(res, String(inUse()));
        break;
      case '/cpu': {
        const { user, system } = process.cpuUsage();
        answer(res, String(user + system));
        break;
      }
      default:
        answer(res, 'hello, world\n');
    }
  });
}

function answer(res, body) {
  res.setHeader('Content-Type', 'text/plain; charset=utf-8');
  res.setHeader('Content-Length', Buffer.byteLength(body));
  res.end(body);
}

// inUse counts what JavaScript holds. What libuv allocates for a socket is the same for all of these servers.
function inUse() {
  globalThis.gc();
  const m = process.memoryUsage();
  return m.heapUsed + m.external;
}

// onStop calls stop once, at the first SIGTERM or SIGINT.
export function onStop(stop) {
  let stopping = false;
  for (const signal of ['SIGTERM', 'SIGINT']) {
    process.on(signal, () => {
      if (stopping) return;
      stopping = true;
      stop();
    });
  }
}
