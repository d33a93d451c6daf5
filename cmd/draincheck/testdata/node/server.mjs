// A server that does nothing about being stopped, and so loses what it was working on.
//
//   node server.mjs 8080 [127.0.0.1]
import { createServer } from 'node:http'

const port = Number(process.argv[2] ?? 8080)
const host = process.argv[3] ?? '127.0.0.1'

createServer((req, res) => {
  req.resume() // read the body to its end
  req.on('end', () => {
    if (req.url === '/slow') {
      setTimeout(() => res.end('done\n'), 2000)
    } else {
      res.end('hello\n')
    }
  })
}).listen(port, host)
