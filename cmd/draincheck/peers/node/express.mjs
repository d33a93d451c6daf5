// An express app. With "close" it closes its server at SIGTERM, as express's
// documentation shows.
//
//   node express.mjs 8080 [close]
import express from 'express'

const app = express()
app.post('/', (req, res) => {
  req.resume()
  req.on('end', () => res.send('hello\n'))
})
app.post('/slow', (req, res) => {
  req.resume()
  setTimeout(() => res.send('done\n'), 1000)
})
const server = app.listen(Number(process.argv[2]), '127.0.0.1')
if (process.argv[3] === 'close') {
  process.on('SIGTERM', () => server.close())
}
