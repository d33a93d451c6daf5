// A fastify app that is closed at SIGTERM, as fastify's documentation shows.
//
//   node fastify.mjs 8080
import fastify from 'fastify'

const app = fastify()
app.addContentTypeParser('*', { parseAs: 'string' }, (req, body, done) => done(null, body))
app.post('/', async () => 'hello\n')
app.post('/slow', async () => {
  await new Promise((resolve) => setTimeout(resolve, 1000))
  return 'done\n'
})
await app.listen({ port: Number(process.argv[2]), host: '127.0.0.1' })
process.on('SIGTERM', () => app.close())
