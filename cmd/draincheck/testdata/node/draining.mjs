// A server that ends well: it says goodbye first, and closes what nobody uses last.
//
//   node draining.mjs 8080 [127.0.0.1]
import { createServer } from 'node:http'

const port = Number(process.argv[2] ?? 8080)
const host = process.argv[3] ?? '127.0.0.1'
let draining = false
let lastRequest = 0

const server = createServer((req, res) => {
  lastRequest = Date.now()
  req.resume()
  req.on('end', () => {
    setTimeout(() => {
      // Set when the answer is sent, not when the request came: the signal may be in between.
      if (draining) res.setHeader('Connection', 'close')
      res.end('hello\n')
    }, req.url === '/slow' ? 2000 : 0)
  })
}).listen(port, host)

process.on('SIGTERM', () => {
  draining = true
  // Clients that are told to leave do, and new ones come as long as it listens.
  setTimeout(() => {
    // Right behind the poll phase of the event loop, which takes all that is queued.
    setImmediate(() => {
      server.close()
      // Whoever has said nothing for a while is closed.
      const watch = setInterval(() => {
        if (Date.now() - lastRequest < 300) return
        clearInterval(watch)
        server.closeIdleConnections()
        setTimeout(() => server.closeAllConnections(), 2500).unref()
      }, 20)
    })
  }, 500)
})
