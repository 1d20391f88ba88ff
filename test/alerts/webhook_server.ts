import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

interface Received {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}
/** Answers the request with this number, from 1. */
type Answer = (request: number, response: ServerResponse, received: Received) => void

/** A receiver of webhooks on the loopback interface. */
export class WebhookServer implements AsyncDisposable {
  readonly received: Received[] = []
  readonly #server
  readonly #answer: Answer

  private constructor(answer: Answer) {
    this.#answer = answer
    this.#server = createServer((request, response) => void this.#take(request, response))
  }

  static async open(answer: Answer): Promise<WebhookServer> {
    const server = new WebhookServer(answer)
    server.#server.listen(0, '127.0.0.1')
    await once(server.#server, 'listening')
    return server
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hook`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = ''
    for await (const chunk of request.setEncoding('utf8')) body += chunk
    const received = { path: request.url!, headers: request.headers, body }
    this.received.push(received)
    this.#answer(this.received.length, response, received)
  }
}
